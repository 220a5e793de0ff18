//! The settings of an AWS backend.

use url::{Host, Url};

use crate::aws::client::AssumeRole;
use planton_core::store::{StoreError, StoreSettings};

/// The parsed settings of an AWS backend. They contain no credential.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The region; absent for the ambient one.
    pub region: Option<String>,
    /// The access key ID of a static key; the secret part is in the credential.
    pub access_key_id: Option<String>,
    /// The profile in AWS's shared files.
    pub profile: Option<String>,
    /// The role to assume.
    pub assume_role: Option<AssumeRole>,
    /// The address of Secrets Manager, instead of AWS's own.
    pub endpoint: Option<Url>,
    /// The KMS key that Secrets Manager uses at rest; absent for the AWS managed key.
    pub at_rest_kms_key_id: Option<String>,
    /// The recovery window of a deletion.
    pub recovery: Recovery,
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
        let text = |name: &str| settings.text(name).map(str::to_owned);
        let region = text("region");
        let plain = |text: &String| {
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !text.is_empty() && text.bytes().all(known)
        };
        if region.as_ref().is_some_and(|region| !plain(region)) {
            return Err(unusable("region", "It is a region's name: eu-central-1."));
        }
        let access_key_id = text("access_key_id");
        let key_name =
            |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if access_key_id.as_ref().is_some_and(|id| !key_name(id)) {
            return Err(unusable("access_key_id", "It has letters and digits only."));
        }
        let endpoint = settings.text("endpoint").map(endpoint).transpose()?;
        Ok(Self {
            region,
            access_key_id,
            profile: text("profile"),
            assume_role: assume_role(settings)?,
            endpoint,
            at_rest_kms_key_id: text("at_rest_kms_key_id"),
            recovery: recovery(settings)?,
        })
    }
}

/// Returns the error of an unusable setting. It omits the value, which may be a
/// misplaced credential.
pub(super) fn unusable(setting: &'static str, remedy: &str) -> StoreError {
    StoreError::unusable_setting(setting, remedy)
}

fn assume_role(settings: &StoreSettings) -> Result<Option<AssumeRole>, StoreError> {
    let external_id = settings.text("external_id").map(str::to_owned);
    match settings.text("assume_role_arn") {
        Some(arn) if arn.starts_with("arn:") && arn.contains(":role/") => Ok(Some(AssumeRole {
            arn: arn.to_owned(),
            external_id,
        })),
        Some(_) => Err(unusable(
            "assume_role_arn",
            "It is a role's ARN: arn:aws:iam::123456789012:role/name.",
        )),
        None if external_id.is_some() => Err(unusable(
            "external_id",
            "It goes with assume_role_arn, which is not set.",
        )),
        None => Ok(None),
    }
}

/// Parses `endpoint`, which must use TLS unless its host is this machine. A plain
/// connection would reveal the session token, and its responses could be forged.
fn endpoint(text: &str) -> Result<Url, StoreError> {
    let refused = || {
        unusable(
            "endpoint",
            "It is a URL as https://secretsmanager.eu-central-1.amazonaws.com: https (http for \
             this machine only), a host, and neither a user, a query nor a fragment.",
        )
    };
    let url = Url::parse(text.trim()).map_err(|_| refused())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(refused()),
    };
    if plain && (url.scheme() == "https" || url.scheme() == "http" && here) {
        Ok(url)
    } else {
        Err(refused())
    }
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
            "It is 7 to 30 days, or 0 to delete at once and for ever.",
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
        assert!(config.region.is_none() && config.assume_role.is_none());
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
