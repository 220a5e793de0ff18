//! The largest value that a place accepts, for a secret with an explicit backend and for
//! one on the default backend.

use super::Place;
use crate::steps::has;

/// A secret on the default backend with `var.largest`.
pub(super) const FULL: &str = r#"
resource "planton_secret" "full" {
  name             = "full"
  environment      = "production"
  value_wo         = var.largest
  value_wo_version = "1"
  depends_on       = [planton_default_backend.this]
}
"#;

/// A value of the maximum size, and two that exceed it by one byte.
pub(super) const TOO_LARGE: &str = r#"
resource "planton_secret" "full" {
  name             = "full"
  environment      = "production"
  value_wo         = var.largest
  value_wo_version = "1"
}
resource "planton_secret" "unnamed" {
  name             = "unnamed"
  value_wo         = "${var.largest}x"
  value_wo_version = "1"
}
resource "planton_secret" "named" {
  name             = "named"
  backend          = planton_secret_backend.own.name
  value_wo         = "${var.largest}x"
  value_wo_version = "1"
}
"#;

/// Returns the size limit of a value in bytes.
pub(super) fn of(place: &Place) -> usize {
    place.fixture.max_value_bytes()
}

/// Checks that both secrets of [`TOO_LARGE`] were rejected, with the place's own limit
/// and vendor name. The built-in backend's limit may be the same number.
#[track_caller]
pub(super) fn assert_refused(place: &Place, refused: &str) {
    let vendor = place.fixture.vendor();
    let limit = of(place);
    let told = format!(
        "The value has {} bytes, but {vendor} stores at most {limit} bytes",
        limit + 1
    );
    for part in ["Secret Value Too Large", &told] {
        assert_eq!(refused.matches(part).count(), 2, "{part}: {refused}");
    }
    for name in ["unnamed", "named"] {
        has(refused, &[&format!("with planton_secret.{name},")]);
    }
    assert!(!refused.contains("xxxx"), "{refused}");
}
