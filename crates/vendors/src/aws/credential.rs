//! The credential of an AWS backend.

use super::settings::AwsConfig;
use crate::aws::client::StaticCredential;
use planton_core::store::{StoreCredential, StoreError};

/// A static access key, or the ambient credential chain.
///
/// # Security
///
/// The secret parts are zeroized, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub enum AwsCredential {
    /// An access key.
    Static(StaticCredential),
    /// The ambient chain: environment, shared files, SSO, web identity, containers,
    /// instances.
    Ambient,
}

impl AwsCredential {
    /// Combines the secret parts with the configured `access_key_id`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the name of the missing part as the path.
    pub fn from_parts(config: &AwsConfig, parts: &StoreCredential) -> Result<Self, StoreError> {
        config.connection.credential(parts)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::aws::connection::AwsConnection;
    use crate::aws::settings::Recovery;
    use planton_core::store::StoreErrorKind;

    fn parse(id: Option<&str>, parts: &[&str]) -> Result<AwsCredential, StoreError> {
        let config = AwsConfig {
            connection: AwsConnection {
                region: None,
                access_key_id: id.map(str::to_owned),
                profile: None,
                assume_role: None,
                endpoint: None,
            },
            at_rest_kms_key_id: None,
            recovery: Recovery::Default,
        };
        let parts = parts
            .iter()
            .map(|name| ((*name).to_owned(), "hunter2".into()));
        AwsCredential::from_parts(&config, &parts.collect())
    }

    #[test]
    fn a_static_key_is_whole_or_none_and_never_shown() {
        let whole = parse(Some("AKIA1"), &["secret_access_key", "session_token"]).unwrap();
        assert!(matches!(whole, AwsCredential::Static(_)));
        assert!(!format!("{whole:?}").contains("hunter2"), "{whole:?}");
        assert!(matches!(parse(None, &[]).unwrap(), AwsCredential::Ambient));
        for (id, parts, missing) in [
            (None, &["secret_access_key"][..], "access_key_id"),
            (Some("AKIA1"), &[], "secret_access_key_wo"),
            (Some("AKIA1"), &["session_token"], "secret_access_key_wo"),
            (None, &["session_token"], "session_token_wo"),
        ] {
            let error = parse(id, parts).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert_eq!(error.path(), missing);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
