//! Parts of a configuration with registered backends.

use super::Place;

/// The variables of every part below.
pub(crate) const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
  default   = null
}
variable "credentials" {
  default = "1"
}
variable "value" {
  type      = string
  ephemeral = true
  default   = "first value"
}
variable "rotation" {
  default = "1"
}
"#;

/// Declares the backend `name` at `place`, with `create_before_destroy`.
pub(crate) fn backend(place: &Place, name: &str) -> String {
    let first = "  lifecycle {\n    create_before_destroy = true\n  }\n";
    plain_backend(place, name).replace("\n}\n", &format!("\n{first}}}\n"))
}

/// Declares the backend `name` at `place`, in Terraform's default order of replacement.
pub(crate) fn plain_backend(place: &Place, name: &str) -> String {
    format!(
        "resource \"planton_secret_backend\" \"{name}\" {{\n  name = \"{name}\"\n{}  \
         credentials_wo_version = var.credentials\n}}\n",
        place.block()
    )
}

/// Makes a backend the default; `backend` is an expression.
pub(crate) fn default(backend: &str) -> String {
    format!("resource \"planton_default_backend\" \"this\" {{\n  backend = {backend}\n}}\n")
}

/// Declares the secret `name`, with `more` lines.
pub(crate) fn secret(name: &str, more: &str) -> String {
    format!(
        "resource \"planton_secret\" \"{name}\" {{\n  name = \"{name}\"\n  value_wo = var.value\n  \
         value_wo_version = var.rotation\n  {more}\n}}\n"
    )
}
