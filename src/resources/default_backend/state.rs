//! The state of `planton_default_backend`.

use crate::diagnostics::invalid_slug;
use crate::resources::private_state::{Anchor, CompactField, PrivateState};
use crate::session::Configured;
use planton_core::names::Slug;
use planton_core::operations::KnownDefault;
use planton_plugin::{Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, Value};

/// Generation and backend of this resource's last write. The provider rejects an older record.
/// A refresh does not update this, since it verifies no MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written(pub(super) u64, pub(super) Slug);

impl PrivateState for Written {
    const KEY: &'static str = "w";
}

impl CompactField for Written {
    fn write_to(&self, to: &mut FieldWriter) {
        to.number(self.0);
        self.1.write_to(to);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self(from.number()?, Slug::read_from(from)?))
    }
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
    fn the_last_write_round_trips_and_damage_is_an_error() {
        let written = Written(7, Slug::parse("two").expect("a slug"));
        let data = written.beside(Anchor::default().write());
        assert_eq!(data.bytes(Written::KEY), Some(b"\0\x07\x03two".as_slice()));
        assert_eq!(Written::stored(&data), Ok(Some(written)));
        assert_eq!(Anchor::read(&data), Ok(Anchor::default()));
        assert_eq!(Written::stored(&PrivateData::new()), Ok(None));
        for damaged in [&b""[..], b"\0\x07", b"\0\x07\x03two.", b"\0\x07\x03Two"] {
            let data = PrivateData::new().with(Written::KEY, damaged);
            assert!(Written::stored(&data).is_err(), "{damaged:?}");
        }
    }
}
