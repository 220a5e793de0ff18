//! What the client pins: no catalog decides for whom a key is wrapped.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use planton_envelope::KekId;

/// What a client accepts of an organization's keys. Empty pins accept all.
///
/// # Security
///
/// Whoever writes the catalog and may encrypt under the organization's key could add an
/// escrow key of their own, or put a MAC key of their own in its place. A fresh process
/// cannot tell; pins in the client's configuration can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KekPins {
    /// The fingerprint of the organization's MAC key.
    pub organization: Option<OrganizationFingerprint>,
    /// The keys that may wrap, as `<provider>:<kek_id>`. An Azure key is pinned without
    /// its version.
    pub allowed_key_ids: Option<BTreeSet<String>>,
}

impl KekPins {
    /// Returns whether a data key may be wrapped for `kek`.
    #[must_use]
    pub fn allows(&self, kek: &KekId) -> bool {
        let Some(allowed) = &self.allowed_key_ids else {
            return true;
        };
        allowed.contains(&pin_of(kek))
    }
}

/// Returns what pins the key `kek`: `<provider>:<kek_id>`.
#[must_use]
pub fn pin_of(kek: &KekId) -> String {
    let id = match kek.provider.as_str() {
        // Any version of a pinned key may wrap.
        AZURE => kek
            .id
            .rsplit_once('/')
            .map_or(kek.id.as_str(), |(key, _)| key),
        _ => kek.id.as_str(),
    };
    format!("{}:{id}", kek.provider)
}

/// Returns whether the text pins a version of an Azure key. No pin has a version, so it would allow
/// no key.
#[must_use]
pub fn pins_version(pin: &str) -> bool {
    let url = pin
        .split_once(':')
        .filter(|(provider, _)| *provider == AZURE);
    let path = url.and_then(|(_, url)| url.split_once("://"));
    path.is_some_and(|(_, path)| path.split('/').filter(|part| !part.is_empty()).count() > 3)
}

/// The [`KekId::provider`] of keys whose identifier ends in a version.
const AZURE: &str = "azure_key_vault_key";

/// The first 16 bytes of the commitment of an organization's MAC key, as 32 lower-case
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OrganizationFingerprint([u8; 16]);

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 lower-case hexadecimal digits")]
pub struct InvalidFingerprint;

impl OrganizationFingerprint {
    /// Returns the fingerprint of a MAC key with this commitment.
    #[must_use]
    pub fn of_commitment(commitment: &[u8; 32]) -> Self {
        let first = commitment.first_chunk();
        Self(*first.expect("32 bytes have a first chunk of 16"))
    }

    /// Returns the fingerprint that [`to_bytes`](Self::to_bytes) returned.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes for a state to keep.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for OrganizationFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidFingerprint)?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidFingerprint);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for OrganizationFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for OrganizationFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrganizationFingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(provider: &str, id: &str) -> KekId {
        KekId {
            provider: provider.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn pinned_keys_are_an_exact_list_and_no_pins_allow_all() {
        let local = kek("local", "a/acme");
        assert!(KekPins::default().allows(&local));
        let pins = |ids: &[&str]| KekPins {
            allowed_key_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
            ..KekPins::default()
        };
        assert!(pins(&["local:a/acme"]).allows(&local));
        for others in [&[][..], &["local:a/acm"], &["transit:a/acme"], &["a/acme"]] {
            assert!(!pins(others).allows(&local), "{others:?}");
        }
        let azure = pins(&["azure_key_vault_key:https://v.example/keys/k"]);
        assert!(azure.allows(&kek(AZURE, "https://v.example/keys/k/0123")));
        assert!(!azure.allows(&kek(AZURE, "https://v.example/keys/k2/0123")));
    }

    #[test]
    fn a_pin_with_a_version_is_told_from_one_without() {
        let id = kek(AZURE, "https://v.example/keys/k/0123");
        assert!(!pins_version(&pin_of(&id)));
        assert!(pins_version(&format!("{AZURE}:{}", id.id)));
        assert!(!pins_version(
            "aws_kms:arn:aws:kms:eu-central-1:1:key/a/b/c/d"
        ));
    }

    #[test]
    fn fingerprint_has_one_text_only() {
        let fingerprint = OrganizationFingerprint::of_commitment(&[0xab; 32]);
        assert_eq!(fingerprint.to_string(), "ab".repeat(16));
        assert_eq!("ab".repeat(16).parse(), Ok(fingerprint));
        for bad in ["", "ab", &"AB".repeat(16), &"g".repeat(32), &"a".repeat(34)] {
            let parsed = bad.parse::<OrganizationFingerprint>();
            assert_eq!(parsed, Err(InvalidFingerprint), "{bad}");
        }
    }
}
