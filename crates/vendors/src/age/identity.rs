//! The secret key of a recipient, as `age-keygen` writes it. Operator commands alone read it.

use std::fmt;
use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use aws_lc_rs::agreement::{PrivateKey, X25519};
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use planton_core::kek::{KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, WrapContext};
use planton_envelope::{DataKey, KekId, WrappedKey};
use zeroize::Zeroizing;

use super::file;
use super::kek::{self, AgeKek};
use super::recipient::Recipient;
use crate::open_regular_file;

/// Prefix of an X25519 identity: <https://c2sp.org/age#x25519-recipient-stanza>.
const PREFIX: &str = "AGE-SECRET-KEY-";

/// The longest identity file that is read.
const MAX_FILE_BYTES: u64 = 64 << 10;

const OPEN: &str = "open identity file";

/// An identity, which unwraps what was wrapped for its recipient.
///
/// # Security
///
/// Redacted `Debug`. The private key is held by the crypto library, which clears it.
pub struct AgeIdentity {
    private_key: PrivateKey,
    recipient: Recipient,
    kek: AgeKek,
}

impl AgeIdentity {
    /// Parses `AGE-SECRET-KEY-1…`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let decoded = CheckedHrpstring::new::<Bech32>(text).ok()?;
        if !decoded.hrp().as_str().eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        // Of the full size at once: a growing buffer would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        bytes.extend(decoded.byte_iter());
        if bytes.len() != 32 {
            return None;
        }
        let private_key = PrivateKey::from_private_key(&X25519, &bytes).ok()?;
        let public_key = private_key.compute_public_key().ok()?;
        let recipient = Recipient::of_public_key(public_key.as_ref().try_into().ok()?);
        Some(Self {
            kek: AgeKek::new(recipient.clone()),
            private_key,
            recipient,
        })
    }

    #[cfg(test)]
    pub(super) fn unwrap_file_key(
        &self,
        share: &[u8; 32],
        wrapped: &[u8; 32],
    ) -> Option<file::FileKey> {
        file::unwrap_file_key(&self.private_key, &self.recipient, share, wrapped)
    }

    /// Returns the recipient, `age1…`.
    #[must_use]
    pub fn recipient(&self) -> &str {
        self.recipient.text()
    }
}

impl fmt::Debug for AgeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgeIdentity")
            .field("recipient", &self.recipient.text())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyEncryptionKey for AgeIdentity {
    fn id(&self) -> &KekId {
        self.kek.id()
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.kek.wrap(dek, context).await
    }

    //= docs/format.md#12-wrapped-deks
    //# A reader MUST refuse such a wrap if it does not contain exactly 64 bytes that end in
    //# the binding.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        let opened = file::decrypt(&self.private_key, &self.recipient, wrapped.as_bytes());
        let key = opened.and_then(|bytes| DataKey::from_bound(&bytes, &context.binding));
        key.ok_or_else(|| kek::error(KekErrorKind::Refused, "unwrap", &self.recipient))
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.kek.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        self.kek.max_wrapped_bytes()
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.kek.describe().await
    }
}

/// Parses the content of an identity file, for a fuzz target; `None` if it is refused.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzz_identities(content: &[u8]) -> Option<Vec<AgeIdentity>> {
    let file = AgeIdentityFile::parse(content).ok()?;
    Some(file.into_identities())
}

/// The identities of a file, as `age-keygen` writes it: one a line, and comments.
#[derive(Debug)]
pub struct AgeIdentityFile(Vec<AgeIdentity>);

impl AgeIdentityFile {
    /// Reads the file at `path`. Blocks on I/O.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `Misconfigured` for a file of another form. No error
    /// quotes the file.
    pub fn open(path: &Path) -> Result<Self, KekError> {
        let shown = path.display().to_string();
        let failed = |source: std::io::Error| {
            let (kind, remedy) = match source.kind() {
                std::io::ErrorKind::NotFound => (
                    KekErrorKind::NotFound,
                    "Pass the path of the file that age-keygen wrote.",
                ),
                std::io::ErrorKind::PermissionDenied => (
                    KekErrorKind::PermissionDenied,
                    "Run the command as a user that may read the file.",
                ),
                _ => (
                    KekErrorKind::Misconfigured,
                    "Pass the path of the file that age-keygen wrote.",
                ),
            };
            KekError::new(kind, OPEN, shown.as_str())
                .with_remedy(remedy)
                .with_source(source)
        };
        let file = open_regular_file(path).map_err(failed)?;
        // Of the full size at once: a growing buffer would leave a copy behind.
        let room = usize::try_from(MAX_FILE_BYTES)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut text)
            .map_err(failed)?;
        Self::parse(&text).map_err(|line| {
            let remedy = match line {
                Some(line) => format!(
                    "Line {line} of the file is not an X25519 identity (AGE-SECRET-KEY-1…). An \
                     identity file that is itself encrypted must be decrypted first: age -d."
                ),
                None => "The file contains no identity (AGE-SECRET-KEY-1…).".to_owned(),
            };
            KekError::new(KekErrorKind::Misconfigured, OPEN, shown.as_str()).with_remedy(remedy)
        })
    }

    /// Parses the content of a file. The error is the number of the first line that is no
    /// identity, or nothing if there is none at all.
    fn parse(content: &[u8]) -> Result<Self, Option<usize>> {
        let mut identities = Vec::new();
        for (at, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let identity = std::str::from_utf8(line).ok().and_then(AgeIdentity::parse);
            identities.push(identity.ok_or(Some(at + 1))?);
        }
        if identities.is_empty() {
            return Err(None);
        }
        Ok(Self(identities))
    }

    /// Returns the identities.
    #[must_use]
    pub fn into_identities(self) -> Vec<AgeIdentity> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use planton_core::kek::WrapNames;
    use planton_envelope::WrapBinding;
    use subtle::ConstantTimeEq;
    use uuid::Uuid;

    use super::*;

    /// A key pair from the tests of rage:
    /// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn ours() -> AgeIdentity {
        AgeIdentity::parse(IDENTITY).expect("an identity")
    }

    fn stranger() -> AgeIdentity {
        let prefix = bech32::Hrp::parse(PREFIX).expect("a prefix");
        let text = bech32::encode_upper::<Bech32>(prefix, &[9; 32]).expect("32 bytes");
        AgeIdentity::parse(&text).expect("an identity")
    }

    fn names() -> WrapNames {
        WrapNames::mac_key(&"acme".parse().expect("a slug"))
    }

    fn binding(organization: u8, kek: &AgeIdentity) -> WrapBinding {
        WrapBinding::for_mac_key(Uuid::from_bytes([organization; 16]), kek.id())
    }

    //= docs/format.md#30-age-recipient
    //= type=test
    //# A writer MUST write as `wrapped` an age file, version 1 and binary, that consists of one
    //# X25519 stanza, the header's MAC and the 64 bytes `DEK ‖ binding` in one chunk: 264
    //# bytes.
    #[tokio::test]
    async fn an_identity_unwraps_what_was_wrapped_for_its_recipient_and_binding() {
        let ours = ours();
        let recipient = Recipient::parse(ours.recipient()).expect("a recipient");
        let escrow = AgeKek::new(recipient);
        assert_eq!(escrow.id(), ours.id());
        let names = names();
        let context = names.bound(binding(1, &ours));
        let dek = DataKey::copy_of(&[7; 32]);
        let wrapped = escrow.wrap(&dek, context).await.expect("wrapped");
        assert_eq!(wrapped.as_bytes().len(), 264);
        assert_eq!(escrow.max_wrapped_bytes(), 264);
        let opened = ours.unwrap(&wrapped, context).await.expect("unwrapped");
        assert!(bool::from(opened.ct_eq(&dek)));

        let elsewhere = names.bound(binding(2, &ours));
        let refused = ours.unwrap(&wrapped, elsewhere).await;
        assert_eq!(refused.expect_err("bound").kind(), KekErrorKind::Refused);
        let refused = stranger().unwrap(&wrapped, context).await;
        assert_eq!(
            refused.expect_err("a stranger").kind(),
            KekErrorKind::Refused
        );
        // The recipient alone unwraps nothing.
        let refused = escrow.unwrap(&wrapped, context).await.expect_err("escrow");
        assert_eq!(refused.kind(), KekErrorKind::Misconfigured);
    }

    //= docs/format.md#30-age-recipient
    //= type=test
    //# A reader MUST refuse a `wrapped` of another length or layout.
    #[tokio::test]
    async fn every_altered_bit_and_every_other_length_is_refused() {
        let ours = ours();
        let names = names();
        let context = names.bound(binding(1, &ours));
        let dek = DataKey::copy_of(&[7; 32]);
        let wrapped = ours.wrap(&dek, context).await.expect("wrapped");
        let bytes = wrapped.as_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            let refused = ours.unwrap(&WrappedKey::new(altered), context).await;
            assert!(refused.is_err(), "bit {bit}");
        }
        for other in [&[][..], &bytes[..bytes.len() - 1], &[bytes, b"x"].concat()] {
            let refused = ours.unwrap(&WrappedKey::new(other.to_vec()), context).await;
            assert!(refused.is_err(), "{}", other.len());
        }
    }

    #[test]
    fn an_identity_has_one_form_and_is_never_shown() {
        let ours = ours();
        assert_eq!(ours.recipient(), RECIPIENT);
        assert!(!format!("{ours:?}").contains("SECRET"));
        for other in ["", "AGE-SECRET-KEY-1", ours.recipient(), &IDENTITY[..70]] {
            assert!(AgeIdentity::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_identity_file_has_comments_and_an_error_names_the_line_alone() {
        let written = format!("# created: 2026-01-01\n# public key: age1\n{IDENTITY}\r\n\n");
        let file = AgeIdentityFile::parse(written.as_bytes()).expect("a file");
        assert_eq!(file.into_identities().len(), 1);
        let refused = |content: &str| AgeIdentityFile::parse(content.as_bytes()).err();
        assert_eq!(refused("# a comment\nhunter2\n"), Some(Some(2)));
        assert_eq!(
            refused(&format!("{IDENTITY}\n{}", &IDENTITY[..60])),
            Some(Some(2))
        );
        assert_eq!(refused("# nothing\n"), Some(None));
    }
}
