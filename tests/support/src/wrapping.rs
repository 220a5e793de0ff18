//! Names for the log of a KMS, in tests of a KEK alone.

use std::sync::LazyLock;

use planton_core::kek::{WrapContext, WrapNames};
use planton_envelope::WrapBinding;

static NAMES: LazyLock<WrapNames> = LazyLock::new(|| {
    let organization = "acme".parse().unwrap();
    WrapNames::secret(&organization, &"prod/db".parse().unwrap())
});

/// Binds a wrap to `binding`, under the names of a secret.
pub fn bound(binding: &WrapBinding) -> WrapContext<'static> {
    NAMES.bound(*binding)
}
