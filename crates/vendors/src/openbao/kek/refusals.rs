//! Keys that are refused, and errors with the policy to grant.

use super::{Owner, TransitKek};
use crate::openbao::client::{
    OpenBaoError, OpenBaoErrorKind, TransitKey, period_text, policy_rule,
};
use planton_core::kek::{KekError, KekErrorKind, Rewrap};
use planton_envelope::WrappedKey;

const CIPHER: &str = "aes256-gcm96";

impl TransitKek {
    //= docs/format.md#14-transit-kek
    //# A writer MUST refuse a key that is not of type `aes256-gcm96`, not `derived`,
    //# convergent, or exportable.
    //= docs/format.md#14-transit-kek
    //# For the built-in backend, a writer MUST also refuse a key that was imported or that
    //# allows plaintext backups.
    pub(super) fn check(&self, key: &TransitKey) -> Result<(), KekError> {
        let is_platforms = matches!(self.owner, Owner::Platform { .. });
        let remedy = if !key.derived {
            "is not derived, so its wraps could be moved between secrets"
        } else if key.cipher != CIPHER {
            "is not of the type aes256-gcm96"
        } else if key.convergent_encryption {
            "is convergent, so equal wraps would show equal data keys"
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
            self.name()
        );
        Err(self
            .error(KekErrorKind::Misconfigured, "read key")
            .with_remedy(remedy))
    }

    pub(super) fn missing(&self, operation: &'static str) -> KekError {
        let settings = match self.owner {
            Owner::Platform { .. } => "address, namespace and mount",
            Owner::Customer => "address, namespace, mount_path and key_name",
        };
        let remedy = format!(
            "Check {settings}, or restore the key {:?} from a backup. None is created in its place.",
            self.key
        );
        self.error(KekErrorKind::NotFound, operation)
            .with_remedy(remedy)
    }

    /// Returns mount and name of the key.
    fn name(&self) -> String {
        format!("{}/{}", self.transit.mount(), self.key)
    }

    /// Returns a rule for this key at one of Transit's APIs.
    fn rule(&self, api: &str, capabilities: &[&str]) -> String {
        let path = format!("{}/{api}/{}", self.transit.mount(), self.key);
        policy_rule(&path, capabilities)
    }

    pub(super) fn error(&self, kind: KekErrorKind, operation: &'static str) -> KekError {
        KekError::new(kind, operation, &self.id.id)
    }

    /// Fails each of `wraps` with the same error.
    pub(in crate::openbao) fn all_failed(
        wraps: &[Rewrap<'_>],
        error: &KekError,
    ) -> Vec<Result<WrappedKey, KekError>> {
        let again = || {
            let again = KekError::new(error.kind(), error.operation(), error.path());
            match error.remedy() {
                Some(remedy) => again.with_remedy(remedy),
                None => again,
            }
        };
        wraps.iter().map(|_| Err(again())).collect()
    }

    pub(super) async fn explain_creation(&self, error: OpenBaoError) -> KekError {
        let Owner::Platform { first_use, .. } = &self.owner else {
            return self.explain(error);
        };
        if error.kind() != OpenBaoErrorKind::PermissionDenied {
            return self.explain(error);
        }
        let command = self.client.vendor().await.command();
        let mount = self.transit.mount();
        let key = &self.key;
        let period = period_text(self.rotation_period);
        error
            .with_remedy(format!(
                "The first use of an organization creates its keys, and requires the init policy. \
                 Use a token with that policy once. Or have an administrator create this \
                 key:\n  {command} write {mount}/keys/{key} type=aes256-gcm96 derived=true \
                 exportable=false auto_rotate_period={period}\nOr grant to the role in use, until \
                 the first use is done:\n{first_use}"
            ))
            .into()
    }

    pub(super) fn explain(&self, error: OpenBaoError) -> KekError {
        match error.kind() {
            OpenBaoErrorKind::PermissionDenied => {
                let remedy = self.denied(&error);
                error.with_remedy(remedy).into()
            }
            OpenBaoErrorKind::NotFound => self.missing("use key").with_source(error),
            OpenBaoErrorKind::KeyDisabled => {
                let remedy = format!(
                    "The version of the key that encrypted this is retired. Lower \
                     min_decryption_version of the key {:?}, run the command rewrap, and raise it \
                     again.",
                    self.name()
                );
                error.with_remedy(remedy).into()
            }
            _ => error.into(),
        }
    }

    /// Returns the remedy for a denied request. It covers that request only: a role that
    /// only unwraps must not be given the right to create keys.
    fn denied(&self, error: &OpenBaoError) -> String {
        let policy = match error.operation() {
            operation @ ("encrypt" | "decrypt" | "rewrap") => self.rule(operation, &["update"]),
            "read key" => self.rule("keys", &["read"]),
            // A fence, whose last path segment differs each time.
            _ => {
                let folder = error.path().rsplit_once('/').map_or("", |(up, _)| up);
                policy_rule(&format!("{folder}/*"), &["create", "update"])
            }
        };
        let is_first_use = error.operation() == "encrypt"
            && matches!(
                self.owner,
                Owner::Platform {
                    is_for_mac_key: true,
                    ..
                }
            );
        if is_first_use {
            return format!(
                "The first use of an organization encrypts its MAC key, and requires the init \
                 policy. Use a token with that policy once. Or grant to the role in use, until \
                 the first use is done:\n{policy}"
            );
        }
        format!("Grant to the role in use:\n{policy}")
    }
}
