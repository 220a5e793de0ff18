//! A bucket as the platform: on each store, with a key file and a key in a KMS.

pub(crate) mod canary;
mod lifecycle;
mod machines;
mod operator;
mod races;
mod recovery;
mod refusals;
mod restored;
pub(crate) mod scene;
mod service_keys;

/// A secret that rotates with its variable, and a generated one.
const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = "hunter2 of the first"
}
variable "trigger" { default = "1" }
variable "description" { default = "as created" }

resource "planton_secret" "given" {
  name             = "given"
  description      = var.description
  value_wo         = var.value
  value_wo_version = var.trigger
}

resource "planton_secret" "generated" {
  name     = "generated"
  generate = { length = 40 }
}
"#;
