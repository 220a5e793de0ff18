//! Selects the credential of a GCP backend.

use crate::gcp::client::{GcpCredential, ServiceAccountKey};
use planton_core::store::{StoreCredential, StoreError};

const SETTING: &str = "service_account_key_json";

/// Returns the key in `service_account_key_json`, or Application Default Credentials
/// without one.
///
/// # Errors
///
/// `Misconfigured` if the text is not a service account's key file. The message states
/// the problem, and quotes nothing of the text.
pub fn read_credential(credential: &StoreCredential) -> Result<GcpCredential, StoreError> {
    let Some(json) = credential.get(SETTING) else {
        return Ok(GcpCredential::ApplicationDefault);
    };
    let key = ServiceAccountKey::parse(json).map_err(|error| {
        let remedy = format!(
            "{SETTING}_wo is not the key file of a service account: {error}. Set it to the whole JSON \
             file that `gcloud iam service-accounts keys create` writes."
        );
        StoreError::unusable_setting(format!("{SETTING}_wo"), remedy)
    })?;
    Ok(GcpCredential::ServiceAccount(key))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use planton_core::store::StoreErrorKind;

    #[test]
    fn without_a_key_file_the_environment_serves() {
        let ambient = read_credential(&StoreCredential::new()).unwrap();
        assert!(matches!(ambient, GcpCredential::ApplicationDefault));
    }

    #[test]
    fn a_bad_key_file_is_explained_and_not_repeated() {
        for bad in [
            "",
            "hunter2",
            r#"{"type":"service_account","private_key":"hunter2"}"#,
            r#"{"type":"authorized_user","refresh_token":"hunter2"}"#,
        ] {
            let credential = [(SETTING.to_owned(), bad.into())].into();
            let error = read_credential(&credential).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert!(
                error
                    .remedy()
                    .unwrap()
                    .contains("gcloud iam service-accounts")
            );
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
