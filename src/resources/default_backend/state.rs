//! The state of `planton_default_backend`.

use serde::{Deserialize, Serialize};

use crate::diagnostics::invalid_slug;
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_core::names::Slug;
use planton_core::operations::KnownDefault;
use planton_plugin::{Diagnostic, Value};

/// What this resource wrote last, the generation and the backend: the default must not go
/// back behind it. What a refresh shows does not count, since nothing has verified that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written(pub(super) u64, pub(super) Slug);

impl PrivateState for Written {
    const KEY: &'static str = "written";
}

impl Written {
    /// Makes the session reject a default of an earlier generation.
    pub(super) fn remember(&self, session: &Configured) {
        let Self(generation, backend) = self;
        let organization = &session.organization;
        organization
            .default_backend()
            .remember(backend, *generation);
    }
}

pub(super) fn state(organization: &str, backend: &Slug, timeouts: Value) -> Value {
    Value::object([
        ("id", Value::from(organization)),
        ("backend", backend.as_str().into()),
        ("timeouts", timeouts),
    ])
}

pub(super) fn identity(organization: &str) -> Value {
    Value::object([("organization", Value::from(organization))])
}

pub(super) fn known(state: &Value, anchor: &Anchor) -> Result<KnownDefault, Diagnostic> {
    Ok(KnownDefault {
        backend: backend_of(state)?,
        stamp: anchor.stamp,
    })
}

pub(super) fn backend_of(state: &Value) -> Result<Slug, Diagnostic> {
    slug(state.attribute("backend").as_str().unwrap_or_default())
}

pub(super) fn slug(text: &str) -> Result<Slug, Diagnostic> {
    text.parse()
        .map_err(|_| invalid_slug("The backend", text, "backend"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_plugin::PrivateData;

    #[test]
    fn what_was_written_comes_back_and_damage_is_an_error_never_nothing() {
        let written = Written(7, Slug::parse("two").expect("a slug"));
        let data = written.beside(Anchor::default().write());
        assert_eq!(data.text(Written::KEY), Some(r#"[7,"two"]"#));
        assert_eq!(Written::stored(&data), Ok(Some(written)));
        assert_eq!(Anchor::read(&data), Ok(Anchor::default()));
        assert_eq!(Written::stored(&PrivateData::new()), Ok(None));
        for damaged in ["", "7", r#"[7,"Not A Slug"]"#] {
            let data = PrivateData::new().with(Written::KEY, damaged);
            assert!(Written::stored(&data).is_err(), "{damaged}");
        }
    }
}
