//! The settings of an AWS backend.

use super::connection::AwsConnection;
use planton_core::store::{StoreError, StoreSettings};

/// The parsed settings of an AWS backend. They contain no credential.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// How AWS is reached.
    pub(super) connection: AwsConnection,
    /// The KMS key that Secrets Manager uses at rest; absent for the AWS managed key.
    pub(super) at_rest_kms_key_id: Option<String>,
    /// The recovery window of a deletion.
    pub(super) recovery: Recovery,
}

/// Time for which AWS retains a deleted secret:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// AWS's default: 30 days.
    Default,
    /// This number of days, 7 to 30.
    Days(u8),
    /// No retention.
    None,
}

impl AwsConfig {
    /// Parses the settings of a backend of type `aws_secrets_manager`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the setting's name as the path.
    pub fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let configuration = &settings.configuration;
        Ok(Self {
            connection: AwsConnection::from_configuration(configuration, "secretsmanager")?,
            at_rest_kms_key_id: settings.text("at_rest_kms_key_id").map(str::to_owned),
            recovery: recovery(settings)?,
        })
    }
}

/// Returns the error of an unusable setting. It omits the value, which may be a
/// misplaced credential.
pub(super) fn unusable(setting: &'static str, remedy: &str) -> StoreError {
    StoreError::unusable_setting(setting, remedy)
}

fn recovery(settings: &StoreSettings) -> Result<Recovery, StoreError> {
    const NAME: &str = "recovery_window_days";
    if !settings.has(NAME) {
        return Ok(Recovery::Default);
    }
    match settings.integer(NAME).map(u8::try_from) {
        Some(Ok(0)) => Ok(Recovery::None),
        Some(Ok(days @ 7..=30)) => Ok(Recovery::Days(days)),
        _ => Err(unusable(
            NAME,
            "recovery_window_days must be from 7 to 30, or 0 to delete at once, without recovery.",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use planton_core::store::StoreErrorKind;

    fn parse(settings: Value) -> Result<AwsConfig, StoreError> {
        AwsConfig::from_settings(&StoreSettings {
            kind: "aws_secrets_manager".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: serde_json::from_value(settings).unwrap(),
        })
    }

    #[test]
    fn nothing_set_is_the_ambient_chain_and_the_vendors_defaults() {
        let config = parse(json!({})).unwrap();
        assert!(config.connection.region.is_none() && config.connection.assume_role.is_none());
        assert_eq!(config.recovery, Recovery::Default);
    }

    #[test]
    fn settings_that_cannot_be_used_are_named_and_never_quoted() {
        let role = "arn:aws:iam::123456789012:role/x";
        for (setting, settings) in [
            ("region", json!({"region": ""})),
            ("region", json!({"region": "hunter2/eu"})),
            ("access_key_id", json!({"access_key_id": "AKIA hunter2"})),
            ("assume_role_arn", json!({"assume_role_arn": "hunter2"})),
            ("external_id", json!({"external_id": "hunter2"})),
            ("endpoint", json!({"endpoint": "hunter2"})),
            ("endpoint", json!({"endpoint": "http://aws.example.com"})),
            (
                "endpoint",
                json!({"endpoint": "https://hunter2:x@a.example"}),
            ),
            (
                "endpoint",
                json!({"endpoint": "https://a.example/?hunter2"}),
            ),
            ("recovery_window_days", json!({"recovery_window_days": 6})),
            ("recovery_window_days", json!({"recovery_window_days": 31})),
            ("recovery_window_days", json!({"recovery_window_days": -1})),
            ("recovery_window_days", json!({"recovery_window_days": "7"})),
        ] {
            let error = parse(settings.clone()).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{settings}");
            assert_eq!(error.path(), setting, "{settings}");
            assert!(error.remedy().is_some());
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        for fine in [
            json!({"assume_role_arn": role, "external_id": "x"}),
            json!({"endpoint": "http://127.0.0.1:5000"}),
            json!({"endpoint": "http://localhost:4566/"}),
            json!({"endpoint": "https://vpce.example.com"}),
            json!({"recovery_window_days": 0}),
            json!({"recovery_window_days": 30}),
        ] {
            parse(fine).unwrap();
        }
    }
}
