//! Defines the context that an envelope is bound to.

use uuid::Uuid;

/// Length of the part of the context that the envelope contains.
pub(super) const CONTEXT_BYTES: usize = 60;

/// The only supported format.
pub(super) const FORMAT: u8 = 1;

/// The only supported suite: AES-256-GCM, HKDF-SHA-512, committed. There is no "none"
/// and no negotiation.
//= docs/format.md#3-layout
//# A writer MUST NOT write another suite.
pub(super) const SUITE: u16 = 0x0001;

/// The purpose of an envelope. Exhaustive by design: the format has these four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// A version of a practitioner's secret.
    Secret = 1,
    /// The credential of a secret backend.
    BackendCredential = 2,
    /// The credential of a KEK.
    KekCredential = 3,
    /// A value sealed for a name, before a secret of that name exists.
    ValueForName = 4,
}

impl Purpose {
    /// Returns the purpose with this byte.
    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST refuse as *malformed* an envelope with another purpose than 1 to 4.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| *purpose as u8 == byte)
    }

    const ALL: [Self; 4] = [
        Self::Secret,
        Self::BackendCredential,
        Self::KekCredential,
        Self::ValueForName,
    ];

    /// Returns whether a context of this purpose has an extension.
    fn is_extended(self) -> bool {
        self != Self::Secret
    }
}

/// The context of an envelope: identifiers that never change, and no names.
///
/// An envelope opens in its own context only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Purpose of the envelope.
    pub purpose: Purpose,
    /// UUID of the organization.
    pub organization: Uuid,
    /// UUID of the secret; for a credential, of the object that the credential belongs
    /// to.
    pub object: Uuid,
    /// UUID of the secret backend.
    pub backend: Uuid,
    /// Number of the version in the catalog.
    pub version: u64,
    /// For a credential, SHA-256 of its canonical non-secret configuration; for a value
    /// sealed for a name, SHA-256 of that name; absent for secrets. The envelope does not
    /// contain it, so a reader must supply it.
    pub extension: Option<[u8; 32]>,
}

impl Context {
    /// Returns the encoded context (`CTX`): 60 bytes, and 32 more with an extension.
    //= docs/format.md#7-context
    //# For purposes 2 and 3, a writer MUST append to `CTX` the 32 bytes of the configuration
    //# digest: SHA-256 of the canonical non-secret configuration that the credential serves.
    //= docs/format.md#7-context
    //# For purpose 4, a writer MUST append to `CTX` the 32 bytes of SHA-256 over
    //# `LP(environment, or nothing) ‖ LP(name)`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_fixed().to_vec();
        if let Some(extension) = &self.extension {
            bytes.extend_from_slice(extension);
        }
        bytes
    }

    /// Returns the part of the encoded context that an envelope contains.
    //= docs/format.md#7-context
    //# A writer MUST NOT store these 32 bytes in the envelope.
    pub(super) fn encode_fixed(&self) -> [u8; CONTEXT_BYTES] {
        let mut bytes = [0; CONTEXT_BYTES];
        bytes[0] = FORMAT;
        bytes[1..3].copy_from_slice(&SUITE.to_be_bytes());
        bytes[3] = self.purpose as u8;
        bytes[4..20].copy_from_slice(self.organization.as_bytes());
        bytes[20..36].copy_from_slice(self.object.as_bytes());
        bytes[36..52].copy_from_slice(self.backend.as_bytes());
        bytes[52..].copy_from_slice(&self.version.to_be_bytes());
        bytes
    }

    /// Returns true if the extension is present exactly when the purpose requires one.
    //= docs/format.md#7-context
    //# For purpose 1, a writer MUST NOT append anything to `CTX`.
    pub(super) fn is_well_formed(&self) -> bool {
        self.purpose.is_extended() == self.extension.is_some()
    }

    /// Returns the part of this context that an envelope contains.
    pub(super) fn without_extension(&self) -> Self {
        Self {
            extension: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= docs/format.md#3-layout
    //= type=test
    //# A writer MUST NOT write another suite.
    //= docs/format.md#7-context
    //= type=test
    //# For purposes 2 and 3, a writer MUST append to `CTX` the 32 bytes of the configuration
    //# digest: SHA-256 of the canonical non-secret configuration that the credential serves.
    //= docs/format.md#7-context
    //= type=test
    //# For purpose 4, a writer MUST append to `CTX` the 32 bytes of SHA-256 over
    //# `LP(environment, or nothing) ‖ LP(name)`.
    #[test]
    fn context_encodes_as_published() {
        let mut context = Context {
            purpose: Purpose::BackendCredential,
            organization: Uuid::from_bytes([0xaa; 16]),
            object: Uuid::from_bytes([0xbb; 16]),
            backend: Uuid::from_bytes([0xcc; 16]),
            version: 0x0102_0304_0506_0708,
            extension: None,
        };
        let fixed = format!(
            "01000102{}{}{}0102030405060708",
            "aa".repeat(16),
            "bb".repeat(16),
            "cc".repeat(16)
        );
        assert_eq!(hex::encode(context.encode()), fixed);
        assert_eq!(context.encode().len(), CONTEXT_BYTES);

        context.extension = Some([0xdd; 32]);
        let with_digest = fixed + &"dd".repeat(32);
        assert_eq!(hex::encode(context.encode()), with_digest);
    }

    #[test]
    fn purposes_are_exactly_four() {
        let known: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| Purpose::from_byte(*byte).is_some_and(|p| p as u8 == *byte))
            .collect();
        assert_eq!(known, [1, 2, 3, 4]);
    }
}
