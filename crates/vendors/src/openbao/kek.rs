//! A key in the Transit engine of OpenBAO or HashiCorp Vault.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::openbao::client::{
    OpenBaoClient, OpenBaoError, OpenBaoErrorKind, PolicyScope, Transit, TransitKey, policy_rule,
};
use planton_core::kek::{KekError, KekErrorKind, KeyEncryptionKey, ProvisionKek};
use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};

const PROVIDER: &str = "transit";
const CIPHER: &str = "aes256-gcm96";

/// Maximum length of a wrapped key in an envelope.
const MAX_WRAPPED_BYTES: usize = 1024;

const FIRST_VERSION: u64 = 1;

/// Maximum wait for a stale standby: ten seconds, where standbys lag by less than one.
const CATCH_UP_TRIES: u32 = 100;
const CATCH_UP_WAIT: Duration = Duration::from_millis(100);

/// A Transit key. It is `derived`, so that each binding has its own key.
///
/// The binding is Transit's `context`, and not its `associated_data`, with which
/// `rewrap` fails: <https://github.com/hashicorp/vault/issues/29532>.
///
/// # Security
///
/// The key is read before the first wrap, once per process. With a token that may
/// create keys, Transit would otherwise create a missing key, and not a derived one:
/// <https://github.com/hashicorp/vault/pull/18272>.
#[derive(Debug)]
pub struct TransitKek {
    client: OpenBaoClient,
    transit: Transit,
    key: String,
    id: KekId,
    owner: Owner,
    looked_at: OnceCell<()>,
}

/// The owner of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The platform: nobody outside the server may have a copy of the key.
    Platform,
    /// Another party, who may have imported the key and may keep a copy.
    Somebody,
}

impl TransitKek {
    /// Uses an organization's own key on its platform, `planton-{organization}`.
    #[must_use]
    pub fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        Self::new(client, scope.transit_key(), Owner::Platform)
    }

    /// Uses a key of another owner, in the client's Transit mount.
    #[must_use]
    pub fn existing(client: &OpenBaoClient, key: impl Into<String>) -> Self {
        Self::new(client, key.into(), Owner::Somebody)
    }

    //= docs/format.md#14-transit-kek
    //# A writer MUST write `transit` as `provider`, and as `kek_id` the engine's mount, `/`
    //# and the key's name, without a version.
    fn new(client: &OpenBaoClient, key: String, owner: Owner) -> Self {
        let transit = client.transit();
        let id = KekId {
            provider: PROVIDER.to_owned(),
            id: format!("{}/{key}", transit.mount()),
        };
        Self {
            client: client.clone(),
            transit,
            key,
            id,
            owner,
            looked_at: OnceCell::new(),
        }
    }

    /// Reads and checks the key, once per process.
    async fn look(&self) -> Result<(), KekError> {
        let look = || async {
            let key = self
                .key_fenced()
                .await
                .map_err(|error| self.explain(error))?;
            match key {
                Some(key) => self.check(&key),
                None => Err(self.missing("read key")),
            }
        };
        self.looked_at.get_or_try_init(look).await.copied()
    }

    /// Reads the key. If it is absent, reads it again behind a fence.
    async fn key_fenced(&self) -> Result<Option<TransitKey>, OpenBaoError> {
        let key = self.transit.key(&self.key).await?;
        if key.is_some() {
            return Ok(key);
        }
        self.client.fence().await?.transit().key(&self.key).await
    }

    /// Waits until the addressed node has `version` of the key, if standbys may be
    /// stale.
    ///
    /// An unwrap cannot use the fenced route, which wraps responses: the server would
    /// store the data key.
    async fn await_version(&self, version: u64) -> Result<(), OpenBaoError> {
        let fenced = self.client.fence().await?;
        if !self.client.lets_standbys_lag() {
            return Ok(());
        }
        let Some(key) = fenced.transit().key(&self.key).await? else {
            return Ok(());
        };
        let version = version.min(key.latest_version);
        for _ in 0..CATCH_UP_TRIES {
            let known = self.transit.key(&self.key).await?;
            if known.is_some_and(|known| known.latest_version >= version) {
                break;
            }
            tokio::time::sleep(CATCH_UP_WAIT).await;
        }
        Ok(())
    }

    async fn encrypt(&self, dek: &DataKey, binding: &WrapBinding) -> Result<String, OpenBaoError> {
        let (key, context) = (&self.key, binding.as_bytes());
        let outcome = self.transit.encrypt(key, dek.expose(), context).await;
        // A stale standby without the new key handles this request as its creation,
        // which requires another permission.
        if outcome.is_err() && self.client.lets_standbys_lag() {
            self.await_version(FIRST_VERSION).await?;
            return self.transit.encrypt(key, dek.expose(), context).await;
        }
        outcome
    }

    //= docs/format.md#14-transit-kek
    //# A writer MUST refuse a key that is not of type `aes256-gcm96`, not `derived`, or
    //# exportable.
    //= docs/format.md#14-transit-kek
    //# For the built-in backend, a writer MUST also refuse a key that was imported or that
    //# allows plaintext backups.
    fn check(&self, key: &TransitKey) -> Result<(), KekError> {
        let is_platforms = self.owner == Owner::Platform;
        let remedy = if !key.derived {
            "is not derived, so its wraps could be moved between secrets"
        } else if key.cipher != CIPHER {
            "is not of the type aes256-gcm96"
        } else if key.exportable {
            "is exportable, so it may be known outside of the server"
        } else if is_platforms && key.allow_plaintext_backup {
            "allows plaintext backups, so it may be known outside of the server"
        } else if is_platforms && key.imported_key {
            "was imported, so it is known outside of the server"
        } else {
            return Ok(());
        };
        let remedy = format!(
            "The key {:?} {remedy}. A key cannot be changed in this: create another one, with \
             type=aes256-gcm96, derived=true, exportable=false and \
             allow_plaintext_backup=false.",
            self.id.id
        );
        Err(self
            .error(KekErrorKind::Misconfigured, "read key")
            .with_remedy(remedy))
    }

    fn missing(&self, operation: &'static str) -> KekError {
        let remedy = format!(
            "Check address, namespace and mount, or restore the key {:?} from a backup. None is \
             created in its place.",
            self.key
        );
        self.error(KekErrorKind::NotFound, operation)
            .with_remedy(remedy)
    }

    /// Returns a rule for this key at one of Transit's APIs.
    fn rule(&self, api: &str, capabilities: &[&str]) -> String {
        let path = format!("{}/{api}/{}", self.transit.mount(), self.key);
        policy_rule(&path, capabilities)
    }

    fn error(&self, kind: KekErrorKind, operation: &'static str) -> KekError {
        KekError::new(kind, operation, &self.id.id)
    }

    async fn explain_creation(&self, error: OpenBaoError) -> KekError {
        if error.kind() != OpenBaoErrorKind::PermissionDenied {
            return self.explain(error);
        }
        let command = self.client.vendor().await.command();
        let mount = self.transit.mount();
        let key = &self.key;
        let policy = self.rule("keys", &["create", "read", "update"]);
        error
            .with_remedy(format!(
                "Have an administrator create the key, once:\n  {command} write {mount}/keys/{key} \
                 type=aes256-gcm96 derived=true exportable=false\nOr grant to the role in \
                 use:\n{policy}"
            ))
            .into()
    }

    fn explain(&self, error: OpenBaoError) -> KekError {
        match error.kind() {
            OpenBaoErrorKind::PermissionDenied => {
                // Only the denied request: a role that only unwraps must not be given
                // the right to create keys.
                let policy = match error.operation() {
                    "encrypt" => self.rule("encrypt", &["update"]),
                    "decrypt" => self.rule("decrypt", &["update"]),
                    "read key" => self.rule("keys", &["read"]),
                    // A fence, whose last path segment differs each time.
                    _ => {
                        let folder = error.path().rsplit_once('/').map_or("", |(up, _)| up);
                        policy_rule(&format!("{folder}/*"), &["create", "update"])
                    }
                };
                error
                    .with_remedy(format!("Grant to the role in use:\n{policy}"))
                    .into()
            }
            OpenBaoErrorKind::NotFound => self.missing("use key").with_source(error),
            _ => error.into(),
        }
    }
}

#[async_trait]
impl KeyEncryptionKey for TransitKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    //= docs/format.md#14-transit-kek
    //# A writer MUST write the `ciphertext` that the engine returns as `wrapped`, unchanged.
    async fn wrap(&self, dek: &DataKey, binding: &WrapBinding) -> Result<WrappedKey, KekError> {
        self.look().await?;
        let wrapped = self.encrypt(dek, binding).await;
        let wrapped = wrapped.map_err(|error| self.explain(error))?;
        if !is_wrap(wrapped.as_bytes()) {
            return Err(self
                .error(KekErrorKind::Misconfigured, "encrypt")
                .with_remedy("The answer is none of Transit's: check the mount."));
        }
        Ok(WrappedKey::new(wrapped.into_bytes()))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, KekError> {
        let refused = || self.error(KekErrorKind::Refused, "decrypt");
        let ciphertext = std::str::from_utf8(wrapped.as_bytes()).map_err(|_| refused())?;
        if !is_wrap(ciphertext.as_bytes()) {
            return Err(refused());
        }
        let context = binding.as_bytes();
        let mut outcome = self.transit.decrypt(&self.key, ciphertext, context).await;
        let may_lag = |error: &OpenBaoError| {
            // A stale standby lacks a new key or a new version of it.
            matches!(
                error.kind(),
                OpenBaoErrorKind::NotFound | OpenBaoErrorKind::Refused
            )
        };
        if outcome.as_ref().is_err_and(may_lag) && !self.client.is_fenced() {
            let caught_up = self.await_version(version_of(ciphertext)).await;
            caught_up.map_err(|error| self.explain(error))?;
            outcome = self.transit.decrypt(&self.key, ciphertext, context).await;
        }
        let plaintext = outcome.map_err(|error| self.explain(error))?;
        let key = plaintext.expose().try_into().map_err(|_| refused())?;
        Ok(DataKey::copy_of(key))
    }
}

#[async_trait]
impl ProvisionKek for TransitKek {
    async fn provision(&self) -> Result<(), KekError> {
        // An administrator may have created it, where no role has that permission. No
        // fence: a creation does not change an existing key.
        let key = self.transit.key(&self.key).await;
        if let Some(key) = key.map_err(|error| self.explain(error))? {
            self.check(&key)?;
            // Another task may have checked the key in the meantime.
            let _ = self.looked_at.set(());
            return Ok(());
        }
        // Creation is idempotent: a second one changes nothing and also succeeds.
        let created = self.transit.create_derived_key(&self.key).await;
        if let Err(error) = created {
            return Err(self.explain_creation(error).await);
        }
        self.look().await
    }
}

/// Returns the version of the key in a wrap.
fn version_of(wrap: &str) -> u64 {
    let version = wrap
        .strip_prefix("vault:v")
        .and_then(|rest| rest.split(':').next());
    let version = version.and_then(|version| version.parse().ok());
    version.unwrap_or(FIRST_VERSION)
}

/// Returns true for `vault:v1:…`: the form of both vendors, with the key's version.
//= docs/format.md#14-transit-kek
//# A reader MUST refuse a `wrapped` of another form without sending it to the engine.
fn is_wrap(wrapped: &[u8]) -> bool {
    let Some((version, ciphertext)) = wrapped
        .strip_prefix(b"vault:v")
        .and_then(|rest| rest.split_at_checked(rest.iter().position(|&b| b == b':')?))
    else {
        return false;
    };
    wrapped.len() <= MAX_WRAPPED_BYTES
        && !version.is_empty()
        && version[0] != b'0'
        && version.iter().all(u8::is_ascii_digit)
        && ciphertext.len() > 1
        && ciphertext.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transits_own_form_is_taken_for_a_wrap() {
        assert!(is_wrap(b"vault:v1:AAAA"));
        assert!(is_wrap(b"vault:v12:AAAA"));
        let long = [b"vault:v1:".as_slice(), &[b'A'; 1024]].concat();
        for bad in [
            b"".as_slice(),
            b"vault:v1",
            b"vault:v1:",
            b"vault:v0:AAAA",
            b"vault:v:AAAA",
            b"vault:vx:AAAA",
            b"AAAA",
            &long,
        ] {
            assert!(!is_wrap(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
