//! What a bucket's configuration does to the objects of a platform: lifecycle rules, kept
//! versions and soft delete.
//!
//! Only the first use of an organization reads it, to tell its operator. A role that may not
//! read it uses the platform like any other.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{Client, FoundConfiguration};
use super::location::{BucketVendor, Places};

/// Size below which S3 moves no object by default, in the newer of its two defaults, and above
/// which no object of a platform is.
const SMALL_BYTES: u64 = 128 * 1024;

/// Longest name of a rule in a message. S3 allows 255 characters.
const MAX_NAME: usize = 64;

/// The configuration of a bucket, as far as it concerns the objects of one organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) rules: Vec<Rule>,
    pub(super) keeps_versions: bool,
    /// How long soft delete keeps a deleted object.
    pub(super) soft_delete_days: Option<u64>,
}

/// A lifecycle rule that is enabled, and covers objects of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: RuleName,
    /// Age at which it acts. `None` if it depends on something else.
    pub(super) after_days: Option<u64>,
    pub(super) effect: Effect,
}

/// What a rule does to the objects that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Deletes them.
    Deletes,
    /// Moves them to a storage class from which they cannot be read at once.
    Archives,
    /// Deletes the versions that a change or a deletion has left.
    DeletesOldVersions,
}

/// The name of a rule, as a message has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleName(String);

impl RuleName {
    /// Quotes the identifier of a rule, which is any text.
    pub(super) fn quoted(id: &str) -> Self {
        if id.is_empty() {
            return Self("without a name".to_owned());
        }
        let shown = |c: char| if c.is_control() { '?' } else { c };
        let mut text: String = id.chars().take(MAX_NAME).map(shown).collect();
        if text.len() < id.len() {
            text.push('…');
        }
        Self(format!("{text:?}"))
    }

    /// Names a rule without an identifier by its number, from 1.
    fn numbered(index: usize) -> Self {
        Self(format!("number {}", index + 1))
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        match self.after_days {
            Some(1) => f.write_str(" (after 1 day)"),
            Some(days) => write!(f, " (after {days} days)"),
            None => Ok(()),
        }
    }
}

/// Reads the configuration of the bucket, and notes what it does to the objects of the
/// organization. A configuration that cannot be read is logged, and nothing else.
pub(super) async fn inspect(client: &Client, places: &Places) {
    let found = match client.configuration().await {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(fault) => {
            tracing::debug!(error = %fault, "the configuration of the bucket cannot be read");
            return;
        }
    };
    match read(client.settings().location().vendor(), &found, places) {
        Some(configuration) => client.observations().note_configuration(configuration),
        None => tracing::debug!("the configuration of the bucket has another form than expected"),
    }
}

fn read(
    vendor: BucketVendor,
    found: &FoundConfiguration,
    places: &Places,
) -> Option<Configuration> {
    match vendor {
        BucketVendor::S3 => of_s3(&found.body, found.spares_small_objects, places),
        BucketVendor::Gcs => of_gcs(&found.body, places),
        // Its rules are not on the data plane.
        BucketVendor::Azure => None,
    }
}

/// Returns true if a rule for keys with this prefix covers objects of the organization. A rule
/// for what a killed probe leaves is welcome.
fn covers(places: &Places, prefix: &str) -> bool {
    let folder = format!("{}/", places.root());
    match prefix.strip_prefix(&folder) {
        Some(rest) => !rest.starts_with("probe"),
        None => folder.starts_with(prefix),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
#[derive(Deserialize)]
struct S3Lifecycle {
    #[serde(default, rename = "Rule")]
    rules: Vec<S3Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Rule {
    #[serde(rename = "ID")]
    id: Option<String>,
    status: String,
    /// In configurations from before filters.
    prefix: Option<String>,
    filter: Option<S3Filter>,
    expiration: Option<S3Expiration>,
    #[serde(default, rename = "Transition")]
    transitions: Vec<S3Transition>,
    noncurrent_version_expiration: Option<S3NoncurrentExpiration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Filter {
    prefix: Option<String>,
    #[serde(default, rename = "Tag")]
    tags: Vec<IgnoredAny>,
    object_size_greater_than: Option<u64>,
    object_size_less_than: Option<u64>,
    /// Several conditions.
    and: Option<Box<Self>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Expiration {
    days: Option<u64>,
    date: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Transition {
    days: Option<u64>,
    storage_class: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3NoncurrentExpiration {
    noncurrent_days: Option<u64>,
}

impl S3Filter {
    /// Returns true if it covers objects of the organization, which have no tags.
    fn covers(&self, places: &Places) -> bool {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let least = self.object_size_greater_than.unwrap_or(0);
        self.tags.is_empty()
            && least < SMALL_BYTES
            && covers(places, prefix)
            && self.and.as_ref().is_none_or(|and| and.covers(places))
    }

    /// Returns true if it has a condition on sizes, which takes the place of S3's default.
    fn has_sizes(&self) -> bool {
        self.object_size_greater_than.is_some()
            || self.object_size_less_than.is_some()
            || self.and.as_ref().is_some_and(|and| and.has_sizes())
    }
}

impl S3Rule {
    fn covers(&self, places: &Places) -> bool {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let filter = self.filter.as_ref();
        self.status == "Enabled"
            && covers(places, prefix)
            && filter.is_none_or(|filter| filter.covers(places))
    }

    /// Returns what it does, and after how many days.
    fn effects(&self, spares_small: bool) -> Vec<(Effect, Option<u64>)> {
        let mut effects = Vec::new();
        if let Some(expiration) = &self.expiration
            && (expiration.days.is_some() || expiration.date.is_some())
        {
            effects.push((Effect::Deletes, expiration.days));
        }
        let moves_small = !spares_small || self.filter.as_ref().is_some_and(S3Filter::has_sizes);
        let archives = self.transitions.iter().find(|transition| {
            // S3 returns an object of any other class at once:
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
            ["GLACIER", "DEEP_ARCHIVE"].contains(&transition.storage_class.as_str())
        });
        if let Some(transition) = archives.filter(|_| moves_small) {
            effects.push((Effect::Archives, transition.days));
        }
        if let Some(expiration) = &self.noncurrent_version_expiration {
            effects.push((Effect::DeletesOldVersions, expiration.noncurrent_days));
        }
        effects
    }
}

fn of_s3(xml: &[u8], spares_small: bool, places: &Places) -> Option<Configuration> {
    let text = std::str::from_utf8(xml).ok()?;
    let lifecycle: S3Lifecycle = quick_xml::de::from_str(text).ok()?;
    let mut configuration = Configuration::default();
    for (index, rule) in lifecycle.rules.iter().enumerate() {
        if !rule.covers(places) {
            continue;
        }
        let name = match &rule.id {
            Some(id) => RuleName::quoted(id),
            None => RuleName::numbered(index),
        };
        for (effect, after_days) in rule.effects(spares_small) {
            let name = name.clone();
            configuration.rules.push(Rule {
                name,
                after_days,
                effect,
            });
        }
    }
    Some(configuration)
}

/// <https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GcsBucket {
    lifecycle: Option<GcsLifecycle>,
    versioning: Option<GcsVersioning>,
    soft_delete_policy: Option<GcsSoftDelete>,
}

#[derive(Deserialize)]
struct GcsLifecycle {
    #[serde(default, rename = "rule")]
    rules: Vec<GcsRule>,
}

#[derive(Deserialize)]
struct GcsVersioning {
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GcsSoftDelete {
    /// 64-bit numbers are text in JSON.
    retention_duration_seconds: Option<String>,
}

#[derive(Deserialize)]
struct GcsRule {
    action: GcsAction,
    #[serde(default)]
    condition: GcsCondition,
}

#[derive(Deserialize)]
struct GcsAction {
    #[serde(rename = "type")]
    kind: String,
}

/// <https://cloud.google.com/storage/docs/lifecycle#conditions>
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GcsCondition {
    age: Option<u64>,
    is_live: Option<bool>,
    num_newer_versions: Option<u64>,
    days_since_noncurrent_time: Option<u64>,
    noncurrent_time_before: Option<IgnoredAny>,
    days_since_custom_time: Option<IgnoredAny>,
    custom_time_before: Option<IgnoredAny>,
    #[serde(default)]
    matches_prefix: Vec<String>,
    #[serde(default)]
    matches_suffix: Vec<String>,
}

impl GcsCondition {
    /// Returns true if objects of the organization may meet it. They have no custom time.
    fn covers(&self, places: &Places) -> bool {
        let prefixes = &self.matches_prefix;
        let suffixes = &self.matches_suffix;
        self.days_since_custom_time.is_none()
            && self.custom_time_before.is_none()
            && (prefixes.is_empty() || prefixes.iter().any(|prefix| covers(places, prefix)))
            && (suffixes.is_empty() || suffixes.iter().any(|suffix| Places::may_end_with(suffix)))
    }

    fn is_of_old_versions(&self) -> bool {
        self.is_live == Some(false)
            || self.num_newer_versions.is_some_and(|newer| newer > 0)
            || self.days_since_noncurrent_time.is_some()
            || self.noncurrent_time_before.is_some()
    }
}

/// A storage class of Google delays no read, so only deletions count:
/// <https://cloud.google.com/storage/docs/storage-classes>
fn of_gcs(json: &[u8], places: &Places) -> Option<Configuration> {
    let bucket: GcsBucket = serde_json::from_slice(json).ok()?;
    let rules = bucket.lifecycle.map(|lifecycle| lifecycle.rules);
    let rules = rules.unwrap_or_default().into_iter().enumerate();
    let deletes =
        rules.filter(|(_, rule)| rule.action.kind == "Delete" && rule.condition.covers(places));
    let rules = deletes.map(|(index, GcsRule { condition, .. })| {
        let (effect, after_days) = match condition.is_of_old_versions() {
            true => (
                Effect::DeletesOldVersions,
                condition.days_since_noncurrent_time,
            ),
            false => (Effect::Deletes, condition.age),
        };
        Rule {
            name: RuleName::numbered(index),
            after_days,
            effect,
        }
    });
    let kept = bucket.soft_delete_policy.and_then(|policy| {
        let seconds: u64 = policy.retention_duration_seconds?.parse().ok()?;
        // Zero is off.
        (seconds > 0).then(|| seconds.div_ceil(24 * 60 * 60))
    });
    Some(Configuration {
        rules: rules.collect(),
        keeps_versions: bucket.versioning.is_some_and(|it| it.enabled),
        soft_delete_days: kept,
    })
}

#[cfg(test)]
mod tests;
