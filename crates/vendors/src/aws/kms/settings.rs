//! The settings of a key in AWS KMS.

use planton_core::kek::{KekError, KekErrorKind, KekSettings};
use planton_core::store::StoreCredential;
use serde_json::Value;

use super::key::KmsKey;
use crate::aws::connection::{AwsConnection, is_region};
use crate::aws::credential::AwsCredential;
use crate::registration::of_setting;

/// The parsed settings of a key in AWS KMS. They contain no credential.
#[derive(Clone, Debug)]
pub struct AwsKmsConfig {
    pub(super) connection: AwsConnection,
    /// The key as configured: key ID, alias, or the ARN of either.
    pub(super) key_id: String,
    /// The Regions of a multi-Region key besides the connection's, in ascending order.
    pub(super) regions: Vec<String>,
}

impl AwsKmsConfig {
    /// Parses the settings of a key of type `aws_kms`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the setting's name as the path.
    pub fn from_settings(settings: &KekSettings) -> Result<Self, KekError> {
        let connection = AwsConnection::from_configuration(&settings.configuration, "kms");
        let connection =
            connection.map_err(|error| of_setting(KekErrorKind::Misconfigured, error))?;
        let key_id = settings.text("key_id").filter(|id| is_key(id));
        let key_id = key_id.ok_or_else(|| {
            unusable(
                "key_id",
                "It is a key ID, an alias as alias/name, or the ARN of either.",
            )
        })?;
        let region = region_of(key_id);
        if let (Some(wanted), Some(region)) = (&connection.region, region)
            && wanted != region
            && !is_multi_region(key_id)
        {
            return Err(unusable(
                "region",
                format!(
                    "It is {wanted}, and the key of key_id is in {region}. Omit one of the two."
                ),
            ));
        }
        let region = connection.region.as_deref().or(region);
        let mut regions = regions(settings)?;
        if !regions.is_empty() && !may_be_multi_region(key_id) {
            return Err(not_multi_region());
        }
        regions.retain(|other| Some(other.as_str()) != region);
        regions.sort();
        regions.dedup();
        Ok(Self {
            connection: AwsConnection {
                region: region.map(str::to_owned),
                ..connection
            },
            key_id: key_id.to_owned(),
            regions,
        })
    }

    /// Combines the secret parts of a credential with the settings.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, with the name of the missing part as the path.
    pub fn credential(&self, parts: &StoreCredential) -> Result<AwsCredential, KekError> {
        let credential = self.connection.credential(parts);
        credential.map_err(|error| of_setting(KekErrorKind::Unauthenticated, error))
    }

    /// Returns whether `key_id` may name `key`. An alias names a key of its own account, and
    /// without an ARN any key.
    pub(super) fn may_name(&self, key: &KmsKey) -> bool {
        let text = self.key_id.as_str();
        let is_in = |region: Option<&str>| {
            let here = key.region().zip(region);
            here.is_none_or(|(of_key, configured)| of_key == configured)
        };
        if let Some(named) = KmsKey::from_arn(text) {
            return named == *key;
        }
        if let Some((partition, region, account)) = alias_arn(text) {
            return key.is_of(partition, account) && is_in(Some(region));
        }
        is_in(self.connection.region.as_deref()) && (is_alias(text) || key.id() == text)
    }

    /// Returns true if `key_id` may name another key later.
    pub(super) fn may_move(&self) -> bool {
        is_alias(&self.key_id)
    }

    /// Returns how to reach the key `key`: a multi-Region key in all Regions, in the order
    /// in which they are tried, and another key in its own.
    pub(super) fn connections(&self, key: Option<&KmsKey>) -> Vec<AwsConnection> {
        let at = |region: Option<&str>| AwsConnection {
            region: region.map(str::to_owned),
            ..self.connection.clone()
        };
        if let Some(region) = key.and_then(KmsKey::region) {
            return vec![at(Some(region))];
        }
        let first = self.connection.region.as_deref();
        let others = self.regions.iter().map(|region| Some(region.as_str()));
        std::iter::once(first).chain(others).map(at).collect()
    }
}

/// Returns the error of an unusable setting. It omits the value, which may be a misplaced
/// credential, unless the value was parsed.
fn unusable(setting: &'static str, remedy: impl Into<String>) -> KekError {
    KekError::new(KekErrorKind::Misconfigured, "configure", setting).with_remedy(remedy)
}

/// Returns the error of Regions for a key that has only one.
pub(super) fn not_multi_region() -> KekError {
    unusable(
        "regions",
        "The key is in one Region only. Omit regions, or use a multi-Region key, whose key ID \
         begins with mrk-.",
    )
}

fn regions(settings: &KekSettings) -> Result<Vec<String>, KekError> {
    let Some(value) = settings.configuration.get("regions") else {
        return Ok(Vec::new());
    };
    let region = |value: &Value| {
        value
            .as_str()
            .filter(|text| is_region(text))
            .map(str::to_owned)
    };
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let regions: Option<Vec<String>> = values.iter().map(region).collect();
    regions
        .filter(|regions| !regions.is_empty())
        .ok_or_else(|| {
            unusable(
                "regions",
                "They are the names of one or more regions: eu-central-1.",
            )
        })
}

/// Returns true for a key ID, an alias, or the ARN of either:
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>
fn is_key(text: &str) -> bool {
    let is_name = |name: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"/_-".contains(&b);
        !name.is_empty() && name.bytes().all(known)
    };
    let name = match text.strip_prefix("arn:") {
        Some(_) => {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let [_, partition, "kms", region, account, name] = parts[..] else {
                return false;
            };
            if ![partition, region, account].into_iter().all(is_region) {
                return false;
            }
            match name.strip_prefix("key/") {
                Some(id) => id,
                None if name.starts_with("alias/") => name,
                None => return false,
            }
        }
        None => text,
    };
    match name.strip_prefix("alias/") {
        Some(alias) => is_name(alias),
        None => is_name(name) && !name.contains('/'),
    }
}

/// Returns the Region in an ARN.
fn region_of(key_id: &str) -> Option<&str> {
    key_id.strip_prefix("arn:")?.split(':').nth(2)
}

fn is_multi_region(key_id: &str) -> bool {
    key_id
        .rsplit('/')
        .next()
        .is_some_and(|id| id.starts_with("mrk-"))
        && !is_alias(key_id)
}

/// Returns false for the key ID or ARN of a single-Region key. An alias may name either.
fn may_be_multi_region(key_id: &str) -> bool {
    is_multi_region(key_id) || is_alias(key_id)
}

fn is_alias(key_id: &str) -> bool {
    key_id.starts_with("alias/") || key_id.contains(":alias/")
}

/// Returns partition, Region and account of an alias's ARN.
fn alias_arn(key_id: &str) -> Option<(&str, &str, &str)> {
    let (head, _) = key_id.split_once(":alias/")?;
    let parts: Vec<&str> = head.split(':').collect();
    match parts[..] {
        ["arn", partition, "kms", region, account] => Some((partition, region, account)),
        _ => None,
    }
}

/// Returns an alias's ARN in another Region, and any other text as it is. Each Region has
/// aliases of its own, so an ARN is unknown in another one:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-manage.html>.
pub(super) fn alias_in(key_id: &str, region: &str) -> String {
    match (alias_arn(key_id), key_id.split_once(":alias/")) {
        (Some((partition, _, account)), Some((_, name))) => {
            format!("arn:{partition}:kms:{region}:{account}:alias/{name}")
        }
        _ => key_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use planton_core::kek::KekErrorKind;
    use serde_json::json;

    use super::*;

    const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
    const MULTI: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";

    fn parse(settings: Value) -> Result<AwsKmsConfig, KekError> {
        AwsKmsConfig::from_settings(&KekSettings {
            kind: "aws_kms".to_owned(),
            configuration: serde_json::from_value(settings).expect("settings"),
        })
    }

    fn arn(region: &str, name: &str) -> String {
        format!("arn:aws:kms:{region}:123456789012:{name}")
    }

    fn tried(settings: Value, key: Option<&str>) -> Vec<Option<String>> {
        let key = key.map(|arn| KmsKey::from_arn(arn).expect("an ARN"));
        let connections = parse(settings).expect("valid").connections(key.as_ref());
        connections.into_iter().map(|at| at.region).collect()
    }

    #[test]
    fn settings_that_cannot_be_used_are_named_and_never_quoted() {
        let single = arn("eu-central-1", &format!("key/{KEY}"));
        for (setting, settings) in [
            ("key_id", json!({})),
            ("key_id", json!({"key_id": ""})),
            ("key_id", json!({"key_id": "hunter2 hunter2"})),
            ("key_id", json!({"key_id": "alias/"})),
            ("key_id", json!({"key_id": "key/hunter2"})),
            (
                "key_id",
                json!({"key_id": "arn:aws:s3:eu-west-1:1:key/hunter2"}),
            ),
            (
                "key_id",
                json!({"key_id": "arn:aws:kms:eu-west-1:1:hunter2"}),
            ),
            ("region", json!({"key_id": KEY, "region": "hunter2/eu"})),
            ("region", json!({"key_id": single, "region": "us-east-1"})),
            (
                "regions",
                json!({"key_id": MULTI, "regions": ["hunter2/eu"]}),
            ),
            ("regions", json!({"key_id": MULTI, "regions": []})),
            ("regions", json!({"key_id": KEY, "regions": ["us-east-1"]})),
            ("endpoint", json!({"key_id": KEY, "endpoint": "hunter2"})),
            (
                "external_id",
                json!({"key_id": KEY, "external_id": "hunter2"}),
            ),
        ] {
            let error = parse(settings.clone()).expect_err("refused");
            assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{settings}");
            assert_eq!(error.path(), setting, "{settings}");
            assert!(error.remedy().is_some());
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn part_of_a_credential_is_refused_by_its_name() {
        let config = parse(json!({"key_id": KEY, "access_key_id": "AKIA1"})).expect("valid");
        let error = config
            .credential(&StoreCredential::new())
            .expect_err("refused");
        assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
        assert_eq!(error.path(), "secret_access_key_wo");
    }

    #[test]
    fn regions_are_tried_in_order_and_each_once() {
        let some = |regions: &[&str]| -> Vec<Option<String>> {
            regions.iter().map(|at| Some((*at).to_owned())).collect()
        };
        let multi = arn("us-east-1", &format!("key/{MULTI}"));
        let single = arn("eu-central-1", &format!("key/{KEY}"));
        // The ambient Region.
        assert_eq!(tried(json!({"key_id": KEY}), None), [None]);
        assert_eq!(
            tried(json!({"key_id": single}), None),
            some(&["eu-central-1"])
        );
        assert_eq!(
            tried(
                json!({"key_id": "alias/x", "region": "eu-west-1"}),
                Some(&single)
            ),
            some(&["eu-central-1"])
        );
        let regions = json!(["us-west-2", "eu-west-1", "us-east-1"]);
        assert_eq!(
            tried(json!({"key_id": multi, "regions": regions}), None),
            some(&["us-east-1", "eu-west-1", "us-west-2"])
        );
        assert_eq!(
            tried(
                json!({"key_id": multi, "region": "us-west-2", "regions": regions}),
                Some(&multi)
            ),
            some(&["us-west-2", "eu-west-1", "us-east-1"])
        );
    }

    #[test]
    fn settings_name_a_key_by_its_arn_id_or_account() {
        let arn = |region: &str, account: &str, id: &str| {
            let arn = format!("arn:aws:kms:{region}:{account}:key/{id}");
            KmsKey::from_arn(&arn).expect("an ARN")
        };
        let (here, account) = ("eu-central-1", "123456789012");
        let (key, multi) = (arn(here, account, KEY), arn(here, account, MULTI));
        let alias = format!("arn:aws:kms:{here}:{account}:alias/x");
        let strangers = [
            arn("eu-west-1", account, KEY),
            arn(here, "210987654321", KEY),
            arn(here, account, "1234abcd-12ab-34cd-56ef-000000000000"),
        ];
        let names = |key_id: &str, region: Option<&str>, key: &KmsKey| {
            let mut settings = json!({"key_id": key_id});
            if let Some(region) = region {
                settings["region"] = region.into();
            }
            parse(settings).expect("settings").may_name(key)
        };
        let whole = key.arn_in(here);
        for (key_id, region) in [(whole.as_str(), None), (KEY, Some(here)), (&alias, None)] {
            assert!(names(key_id, region, &key), "{key_id}");
            assert!(!names(key_id, region, &strangers[0]), "{key_id}");
        }
        for stranger in &strangers {
            assert!(!names(&whole, None, stranger), "{stranger}");
        }
        assert!(!names(&alias, None, &strangers[1]));
        assert!(!names(KEY, Some(here), &strangers[2]));
        // A replica is the same key, and a bare alias may name any key of its Region.
        assert!(names(&multi.arn_in("eu-west-1"), None, &multi));
        assert!(names("alias/x", Some(here), &strangers[1]));
        assert!(!names("alias/x", Some(here), &strangers[0]));
        assert!(names("alias/x", None, &strangers[0]));
    }
}
