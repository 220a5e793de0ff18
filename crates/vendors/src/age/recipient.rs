//! The public key of an identity, as `age-keygen` prints it.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use planton_core::kek::{KekError, KekErrorKind};
use planton_envelope::KekId;
use sha2::{Digest, Sha256};

/// The [`KekId::provider`] of age recipients.
pub(super) const PROVIDER: &str = "age";

/// The setting that holds a recipient.
pub(super) const SETTING: &str = "recipient";

/// Prefix of an X25519 recipient: <https://c2sp.org/age#x25519-recipient-stanza>.
const PREFIX: &str = "age";

/// An X25519 recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipient {
    public_key: [u8; 32],
    text: String,
}

impl Recipient {
    /// Parses `age1…`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, at the setting. Never quotes the text: it may be a secret key that
    /// was given by mistake.
    //= docs/format.md#30-age-recipient
    //# A writer MUST refuse a recipient of another type.
    pub(super) fn parse(text: &str) -> Result<Self, KekError> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
            return Err(unusable(
                "The text is an identity, that is, a secret key, and must never be in a \
                 configuration. Treat it as disclosed: generate a new identity with age-keygen, \
                 and set recipient to its public key, which begins with age1.",
            ));
        }
        if lower.starts_with("ssh-") {
            return Err(unusable(
                "SSH keys are not supported. Generate an identity with age-keygen, and set \
                 recipient to its public key, which begins with age1.",
            ));
        }
        // `age1<name>1…` belongs to a plugin, and `age1pq1…` is a post-quantum recipient:
        // <https://c2sp.org/age>. Neither is opened by an X25519 identity.
        if lower
            .strip_prefix("age1")
            .is_some_and(|rest| rest.contains('1'))
        {
            return Err(unusable(
                "The recipient is of a post-quantum type or belongs to a plugin, which are not \
                 supported. Generate an X25519 identity with age-keygen.",
            ));
        }
        let decoded = CheckedHrpstring::new::<Bech32>(text).ok();
        let decoded = decoded.filter(|decoded| decoded.hrp().as_str().eq_ignore_ascii_case(PREFIX));
        let bytes: Option<Vec<u8>> = decoded.map(|decoded| decoded.byte_iter().collect());
        let public_key = bytes.and_then(|bytes| bytes.try_into().ok());
        public_key.map(Self::of_public_key).ok_or_else(|| {
            unusable(
                "recipient must be an X25519 recipient of age: age1 and 58 characters, as \
                 age-keygen prints it. Check for a missing or a wrong character.",
            )
        })
    }

    pub(super) fn of_public_key(public_key: [u8; 32]) -> Self {
        let prefix = Hrp::parse(PREFIX).expect("a constant of the format");
        let text = bech32::encode::<Bech32>(prefix, &public_key);
        Self {
            public_key,
            text: text.expect("32 bytes are within the limits of the encoding"),
        }
    }

    pub(super) fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// Returns the text of the recipient, in lower case.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    //= docs/format.md#30-age-recipient
    //# A writer MUST write `age` as `provider`, and as `kek_id` SHA-256 of the recipient's text
    //# in lower-case hexadecimal.
    pub(super) fn kek_id(&self) -> KekId {
        KekId {
            provider: PROVIDER.to_owned(),
            id: hex::encode(Sha256::digest(&self.text)),
        }
    }
}

fn unusable(remedy: &str) -> KekError {
    KekError::new(KekErrorKind::Misconfigured, "configure", SETTING).with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key pair from the tests of rage:
    /// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    //= docs/format.md#30-age-recipient
    //= type=test
    //# A writer MUST write `age` as `provider`, and as `kek_id` SHA-256 of the recipient's text
    //# in lower-case hexadecimal.
    #[test]
    fn a_recipient_is_identified_by_the_digest_of_its_text() {
        let recipient = Recipient::parse(RECIPIENT).expect("a recipient");
        assert_eq!(recipient.text(), RECIPIENT);
        let id = recipient.kek_id();
        assert_eq!(id.provider, "age");
        assert_eq!(id.id, hex::encode(Sha256::digest(RECIPIENT)));
        // The upper-case form of the same key.
        let upper = Recipient::parse(&RECIPIENT.to_uppercase()).expect("a recipient");
        assert_eq!(upper, recipient);
    }

    //= docs/format.md#30-age-recipient
    //= type=test
    //# A writer MUST refuse a recipient of another type.
    #[test]
    fn anything_else_is_refused_without_being_quoted() {
        let identity = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        let wrong = RECIPIENT.replace("age1t7", "age1t8");
        for (text, said) in [
            (identity, "is an identity"),
            (&identity.to_lowercase(), "is an identity"),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW",
                "SSH keys",
            ),
            ("age1pq1qqqqqqqqqqqqqqqqqqqqqq", "post-quantum"),
            ("age1yubikey1qwt50d05nh5vutpdzm", "plugin"),
            (&wrong, "age-keygen prints it"),
            ("", "age-keygen prints it"),
            ("age1", "age-keygen prints it"),
            (&RECIPIENT[..40], "age-keygen prints it"),
            (&format!(" {RECIPIENT}"), "age-keygen prints it"),
        ] {
            let error = Recipient::parse(text).expect_err("no recipient");
            assert_eq!(error.kind(), KekErrorKind::Misconfigured);
            assert_eq!(error.path(), "recipient");
            let remedy = error.remedy().unwrap_or_default();
            assert!(remedy.contains(said), "{remedy}");
            if text.len() > 10 {
                assert!(
                    !format!("{error:?} {error}").contains(&text[5..]),
                    "{error:?}"
                );
            }
        }
    }
}
