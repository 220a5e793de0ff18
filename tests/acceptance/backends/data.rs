//! What the data sources return for a backend and for the default.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xtask::terraform::Workspace;

use super::Place;
use crate::steps::Steps;

/// The data sources, and an output of all their attributes.
pub(super) const ALL: &str = r#"
data "planton_secret_backend" "each" {
  for_each   = toset(["own", "platform"])
  name       = each.key
  depends_on = [planton_default_backend.this]
}
data "planton_default_backend" "now" {
  depends_on = [planton_default_backend.this]
}
output "own" { value = data.planton_secret_backend.each["own"] }
output "platform" { value = data.planton_secret_backend.each["platform"] }
output "default" { value = data.planton_default_backend.now }
"#;

/// Returns the expected output for the default.
pub(super) fn default(name: &str) -> Value {
    json!({"id": "acme", "backend": name})
}

/// Checks the attributes of the backend `own`, which the workspace manages, and of the
/// built-in backend.
#[track_caller]
pub(super) fn assert_tell_all_but_credentials(place: &Place, workspace: &Workspace) {
    let managed = workspace.attributes("planton_secret_backend.own").unwrap();
    let settings = place.fixture.settings(&place.address());
    let settings: BTreeMap<_, _> = settings.into_iter().collect();
    let mut expected = json!({"settings": settings});
    for name in [
        "name",
        "id",
        "type",
        "description",
        "name_prefix",
        "credential_source",
        "created_at",
        "updated_at",
    ] {
        expected[name] = managed[name].clone();
    }
    let own = workspace.output("own");
    assert_eq!(own, expected);
    assert_eq!(own["type"], place.block_name);
    assert!(!own.to_string().contains(&place.secret), "{own}");

    let mut platform = workspace.output("platform");
    let id = platform["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(36), "{id}");
    assert_ne!(id, managed["id"]);
    let expected = json!({
        "name": "platform",
        "id": null,
        "type": "platform",
        "description": null,
        "name_prefix": "planton",
        "credential_source": null,
        "settings": {},
        "created_at": null,
        "updated_at": null,
    });
    assert_eq!(platform, expected);
}
