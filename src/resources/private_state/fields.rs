//! Compact fields of identifiers, digests and rare records in private data.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use planton_core::names::Slug;
use planton_core::operations::{RunId, SeenBackend, SeenDigest, SeenKeys, Stamp};
use planton_plugin::{FieldReader, FieldWriter, InvalidPrivateData};

/// Value that private data encodes as one field, or as several in a row.
pub(in crate::resources) trait CompactField: Sized {
    /// Writes the value.
    fn write_to(&self, to: &mut FieldWriter);

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] for anything that [`write_to`](Self::write_to) does not write.
    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData>;
}

impl CompactField for Uuid {
    fn write_to(&self, to: &mut FieldWriter) {
        to.fixed(self.as_bytes());
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        from.fixed().map(Self::from_bytes)
    }
}

impl CompactField for String {
    fn write_to(&self, to: &mut FieldWriter) {
        to.text(self);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        from.text().map(str::to_owned)
    }
}

impl CompactField for Slug {
    fn write_to(&self, to: &mut FieldWriter) {
        to.text(self.as_str());
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Self::parse(from.text()?).map_err(|_| InvalidPrivateData)
    }
}

impl CompactField for SeenDigest {
    fn write_to(&self, to: &mut FieldWriter) {
        to.fixed(&self.to_bytes());
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        from.fixed().map(Self::from_bytes)
    }
}

impl CompactField for Stamp {
    fn write_to(&self, to: &mut FieldWriter) {
        self.run.uuid().write_to(to);
        to.number(self.generation);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            run: RunId::new(Uuid::read_from(from)?),
            generation: from.number()?,
        })
    }
}

impl CompactField for SeenKeys {
    fn write_to(&self, to: &mut FieldWriter) {
        to.number(self.generation);
        write_optional(to, self.digest.as_ref());
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            generation: from.number()?,
            digest: read_optional(from)?,
        })
    }
}

impl CompactField for SeenBackend {
    fn write_to(&self, to: &mut FieldWriter) {
        self.name.write_to(to);
        self.uuid.write_to(to);
        to.number(self.generation);
        self.digest.write_to(to);
        write_optional(to, self.keys_digest.as_ref());
        to.flag(self.is_static);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            name: Slug::read_from(from)?,
            uuid: Uuid::read_from(from)?,
            generation: from.number()?,
            digest: SeenDigest::read_from(from)?,
            keys_digest: read_optional(from)?,
            is_static: from.flag()?,
        })
    }
}

/// Writes a value that may be absent.
pub(in crate::resources) fn write_optional<T: CompactField>(
    to: &mut FieldWriter,
    value: Option<&T>,
) {
    to.optional(value, |to, value| value.write_to(to));
}

/// Reads a value that may be absent.
pub(in crate::resources) fn read_optional<T: CompactField>(
    from: &mut FieldReader<'_>,
) -> Result<Option<T>, InvalidPrivateData> {
    from.optional(T::read_from)
}

/// Writes a rare value as JSON.
pub(in crate::resources) fn write_json(to: &mut FieldWriter, value: &impl Serialize) {
    to.bytes(&serde_json::to_vec(value).expect("plain fields serialize"));
}

/// Reads a value that [`write_json`] wrote.
pub(in crate::resources) fn read_json<T: DeserializeOwned>(
    from: &mut FieldReader<'_>,
) -> Result<T, InvalidPrivateData> {
    serde_json::from_slice(from.bytes()?).map_err(|_| InvalidPrivateData)
}
