//! What the answers of a bucket show of its configuration, as advice to its operator.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::client::Response;
use super::configuration::{Configuration, Effect, Rule, RuleName};
use super::location::{BucketLocation, BucketVendor};

/// How many rules a message names. A bucket of S3 has up to 1,000.
const RULES_NAMED: usize = 5;

/// What to do about a rule. No vendor has a rule that leaves a prefix out.
const LIMIT_THE_RULE: &str = "Limit such a rule to other prefixes, or put the platform into a \
                              bucket without one.";

/// A property of a bucket that its operator should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The property, in a few words.
    pub summary: &'static str,
    /// What it means, and what to do.
    pub detail: String,
}

/// What answers have shown so far.
#[derive(Debug, Default)]
pub(super) struct Observations {
    keeps_versions: AtomicBool,
    archives: AtomicBool,
    soft_deletes: AtomicBool,
    /// Rules that delete objects, by the names in answers about these objects.
    expiring: Mutex<BTreeSet<RuleName>>,
    configuration: OnceLock<Configuration>,
    /// Whether the bucket was probed, and its operator not told yet.
    is_due: AtomicBool,
}

impl Observations {
    /// Reads an answer.
    pub(super) fn note(&self, response: &Response) {
        for (seen, flag) in [
            (response.keeps_versions, &self.keeps_versions),
            (response.is_archived, &self.archives),
            (response.soft_deletes, &self.soft_deletes),
        ] {
            if seen {
                flag.store(true, Ordering::Relaxed);
            }
        }
        if let Some(rule) = &response.expiring_rule {
            let mut rules = self.expiring.lock().unwrap_or_else(PoisonError::into_inner);
            rules.insert(RuleName::quoted(rule));
        }
    }

    /// Records that the bucket is probed.
    pub(super) fn note_probe(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// Returns whether the advice of a probe is due, once.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.swap(false, Ordering::Relaxed)
    }

    /// Records that the bucket keeps replaced objects.
    pub(super) fn note_versions(&self) {
        self.keeps_versions.store(true, Ordering::Relaxed);
    }

    /// Records the configuration of the bucket.
    pub(super) fn note_configuration(&self, configuration: Configuration) {
        if configuration.keeps_versions {
            self.note_versions();
        }
        // A second probe of the process has found the same one.
        let _ = self.configuration.set(configuration);
    }

    /// Returns the advice.
    pub(super) fn advice(&self, location: &BucketLocation) -> Vec<Advice> {
        let all = [
            self.of_deleting_rules(location),
            self.of_archiving_rules(location),
            self.of_archived_objects(location),
            self.of_versions(location),
            self.of_soft_delete(location),
        ];
        all.into_iter().flatten().collect()
    }

    fn rules(&self, effect: Effect) -> impl Iterator<Item = &Rule> {
        let all = self.configuration.get().map(|found| found.rules.as_slice());
        let all = all.unwrap_or_default().iter();
        all.filter(move |rule| rule.effect == effect)
    }

    fn of_deleting_rules(&self, location: &BucketLocation) -> Option<Advice> {
        let known: Vec<&Rule> = self.rules(Effect::Deletes).collect();
        let mut named: Vec<String> = known.iter().map(ToString::to_string).collect();
        // Where the configuration cannot be read, answers about objects name the rule.
        let seen = self.expiring.lock().unwrap_or_else(PoisonError::into_inner);
        let further = seen
            .iter()
            .filter(|name| known.iter().all(|rule| rule.name != **name));
        named.extend(further.map(ToString::to_string));
        let rules = subject(&named, "deletes", "delete")?;
        Some(Advice {
            summary: "Lifecycle Rule Deletes Objects",
            detail: format!(
                "{rules} objects below {location}. Records and sealed versions would be lost. \
                 {LIMIT_THE_RULE}"
            ),
        })
    }

    fn of_archiving_rules(&self, location: &BucketLocation) -> Option<Advice> {
        let named: Vec<String> = self.rules(Effect::Archives).map(Rule::to_string).collect();
        let rules = subject(&named, "moves", "move")?;
        Some(Advice {
            summary: "Lifecycle Rule Archives Objects",
            detail: format!(
                "{rules} objects below {location} to an archive tier, from which they cannot be \
                 read at once. Secrets could be neither read nor changed. {LIMIT_THE_RULE}"
            ),
        })
    }

    fn of_archived_objects(&self, location: &BucketLocation) -> Option<Advice> {
        self.archives.load(Ordering::Relaxed).then(|| Advice {
            summary: "Objects in an Archive Tier",
            detail: format!(
                "Objects below {location} are in an archive tier, from which they cannot be read \
                 at once. A refresh reports them as present. Restore them, and exclude that \
                 prefix from the lifecycle rule."
            ),
        })
    }

    fn of_versions(&self, location: &BucketLocation) -> Option<Advice> {
        let named: Vec<String> = self
            .rules(Effect::DeletesOldVersions)
            .map(Rule::to_string)
            .collect();
        let end = match subject(&named, "deletes", "delete") {
            Some(rules) => format!("{rules} them."),
            None => "Expire noncurrent versions with a lifecycle rule if they must not be kept."
                .to_owned(),
        };
        self.keeps_versions.load(Ordering::Relaxed).then(|| Advice {
            summary: "Bucket Keeps Old Versions",
            detail: format!(
                "The bucket keeps each deleted or replaced object below {location}, sealed \
                 versions among them. They stay sealed, and can be restored. {end}"
            ),
        })
    }

    fn of_soft_delete(&self, location: &BucketLocation) -> Option<Advice> {
        let configured = self.configuration.get();
        let days = configured.and_then(|found| found.soft_delete_days);
        let time = match days {
            Some(1) => "a day".to_owned(),
            Some(days) => format!("{days} days"),
            None if self.soft_deletes.load(Ordering::Relaxed) => "some days".to_owned(),
            None => return None,
        };
        let setting = match location.vendor() {
            BucketVendor::Azure => "the data protection of the storage account",
            BucketVendor::S3 | BucketVendor::Gcs => "the soft delete policy of the bucket",
        };
        Some(Advice {
            summary: "Bucket Keeps Deleted Objects",
            detail: format!(
                "Soft delete keeps each deleted or replaced object below {location} for {time}, \
                 sealed versions among them. They stay sealed, and can be restored. Change \
                 {setting} if they must not be kept."
            ),
        })
    }
}

/// Returns the subject of a sentence about rules, and its verb; `None` without rules.
fn subject(rules: &[String], of_one: &str, of_several: &str) -> Option<String> {
    let (noun, verb) = match rules {
        [] => return None,
        [_] => ("rule", of_one),
        [_, ..] => ("rules", of_several),
    };
    let mut text = format!("The bucket's lifecycle {noun} ");
    for (index, rule) in rules.iter().take(RULES_NAMED).enumerate() {
        let between = match index {
            0 => "",
            last if last + 1 == rules.len() => " and ",
            _ => ", ",
        };
        text.push_str(between);
        text.push_str(rule);
    }
    if rules.len() > RULES_NAMED {
        // A write to a text does not fail.
        let _ = write!(text, " and {} more", rules.len() - RULES_NAMED);
    }
    text.push(' ');
    text.push_str(verb);
    Some(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn told(observations: &Observations, url: &str) -> Vec<(&'static str, String)> {
        let advice = observations.advice(&BucketLocation::parse(url).unwrap());
        let told = advice.into_iter().map(|one| (one.summary, one.detail));
        told.collect()
    }

    fn rule(name: &str, days: u64, effect: Effect) -> Rule {
        Rule {
            name: RuleName::quoted(name),
            after_days: Some(days),
            effect,
        }
    }

    #[test]
    fn advice_is_given_about_what_was_seen_only() {
        let observations = Observations::default();
        assert_eq!(told(&observations, "s3://acme"), []);
        observations.note_versions();
        let [(_, detail)] = &told(&observations, "s3://acme")[..] else {
            panic!("one advice")
        };
        assert!(detail.contains("s3://acme"), "{detail}");
        assert!(detail.contains("Expire noncurrent versions"), "{detail}");
    }

    #[test]
    fn each_effect_of_a_rule_has_an_advice_of_its_own() {
        let observations = Observations::default();
        observations.note_configuration(Configuration {
            rules: vec![
                rule("short", 1, Effect::Deletes),
                rule("cold", 30, Effect::Archives),
                rule("long", 365, Effect::Deletes),
                rule("tidy", 7, Effect::DeletesOldVersions),
            ],
            keeps_versions: true,
            soft_delete_days: Some(7),
        });
        let told = told(&observations, "gs://acme/tf").into_iter();
        let told: Vec<_> = told
            .map(|(summary, detail)| format!("{summary}: {detail}"))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        Lifecycle Rule Deletes Objects: The bucket's lifecycle rules "short" (after 1 day) and "long" (after 365 days) delete objects below gs://acme/tf. Records and sealed versions would be lost. Limit such a rule to other prefixes, or put the platform into a bucket without one.
        Lifecycle Rule Archives Objects: The bucket's lifecycle rule "cold" (after 30 days) moves objects below gs://acme/tf to an archive tier, from which they cannot be read at once. Secrets could be neither read nor changed. Limit such a rule to other prefixes, or put the platform into a bucket without one.
        Bucket Keeps Old Versions: The bucket keeps each deleted or replaced object below gs://acme/tf, sealed versions among them. They stay sealed, and can be restored. The bucket's lifecycle rule "tidy" (after 7 days) deletes them.
        Bucket Keeps Deleted Objects: Soft delete keeps each deleted or replaced object below gs://acme/tf for 7 days, sealed versions among them. They stay sealed, and can be restored. Change the soft delete policy of the bucket if they must not be kept.
        "#);
    }

    #[test]
    fn rules_that_delete_old_versions_are_no_news_where_no_version_is_kept() {
        let observations = Observations::default();
        observations.note_configuration(Configuration {
            rules: vec![rule("tidy", 7, Effect::DeletesOldVersions)],
            ..Configuration::default()
        });
        assert_eq!(told(&observations, "s3://acme"), []);
    }

    #[test]
    fn many_rules_are_counted_rather_than_listed() {
        let rules: Vec<String> = (1..=8).map(|number| number.to_string()).collect();
        assert_eq!(
            subject(&rules, "deletes", "delete").unwrap(),
            "The bucket's lifecycle rules 1, 2, 3, 4, 5 and 3 more delete"
        );
        assert_eq!(
            subject(&rules[..2], "deletes", "delete").unwrap(),
            "The bucket's lifecycle rules 1 and 2 delete"
        );
    }
}
