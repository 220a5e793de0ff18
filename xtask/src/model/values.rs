//! The value, version and metadata that a secret must have after an apply.

use serde_json::Value;

use super::command::Command;
use super::config::{Declared, Ignored, Source};
use super::ledger::{Known, Ledger};
use super::reader::{Reading, without_nulls};
use super::state::{Instance, State};
use super::violation::{Checked, Rule, broken};
use super::world::Ran;

/// A secret in the folder of the apply.
pub(super) struct Case<'a> {
    pub(super) command: &'a Command,
    pub(super) before: &'a State,
    /// The instance in the state after the apply.
    pub(super) instance: &'a Instance,
    /// The secret before the apply.
    pub(super) known: &'a Known,
    pub(super) ran: &'a Ran,
}

impl Case<'_> {
    pub(super) fn check(&self, reading: &Reading, ledger: &Ledger) -> Checked<()> {
        let Some(declared) = self.command.config.at(&self.instance.address) else {
            return Ok(());
        };
        let predecessor = self
            .before
            .current()
            .find(|it| it.uuid == self.instance.uuid);
        self.value((declared, predecessor), reading, ledger)?;
        let is_complete = self.ran.success && self.command.is_full();
        if let Some(predecessor) = predecessor.filter(|_| is_complete) {
            self.ignored(declared, predecessor)?;
        }
        if is_complete {
            self.metadata((declared, predecessor), reading)?;
        }
        Ok(())
    }

    fn wrong<T>(&self, what: &str) -> Checked<T> {
        let Instance { address, uuid, .. } = self.instance;
        broken(
            Rule::Wrong,
            format!("{address} ({uuid}): {what}; {}", self.ran),
        )
    }

    fn value(
        &self,
        (declared, predecessor): (&Declared, Option<&Instance>),
        reading: &Reading,
        ledger: &Ledger,
    ) -> Checked<()> {
        let now = reading.value.as_ref();
        let given = declared.value();
        let Some(then) = self.known.value.as_ref() else {
            // The secret is new, or was left by a killed run.
            return match declared.source {
                Source::Given(_) if now != given.as_ref() && self.is_fresh() => {
                    self.wrong("it was created with another value than was given")
                }
                Source::Generated if now.is_some_and(|it| it.len() != 24) && self.is_fresh() => {
                    self.wrong("it was not generated")
                }
                _ if self.is_known_elsewhere(now, ledger)
                    && declared.source == Source::Generated =>
                {
                    self.wrong("its value is another secret's")
                }
                _ => Ok(()),
            };
        };
        let is_written = self.is_written((declared, predecessor), then);
        let is_same = now == Some(then);
        let is_open = is_written.is_none() || !self.ran.success || !self.command.is_full();
        let version = reading.standing.as_ref().and_then(|it| it.version);
        let version_before = self.known.record.as_ref().and_then(|it| it.version);
        match (is_written, declared.source) {
            (Some(false), _) if !is_same => {
                self.wrong("its value changed and nothing asked for it")
            }
            (Some(false), _)
                if version.is_some() && version_before.is_some_and(|it| Some(it) != version) =>
            {
                self.wrong("a version was written and nothing asked for it")
            }
            (None, _) | (Some(true), _) if is_open => {
                if is_same || now == given.as_ref() || declared.source == Source::Generated {
                    Ok(())
                } else {
                    self.wrong("its value is neither the old nor the new one")
                }
            }
            (Some(true), Source::Given(_)) if now != given.as_ref() => {
                self.wrong("it does not have the value that was given")
            }
            (Some(true), Source::Generated) if is_same => {
                self.wrong("its trigger changed and it was not generated anew")
            }
            _ => Ok(()),
        }
    }

    /// Returns whether this run created it. An adoption does not count.
    fn is_fresh(&self) -> bool {
        !self.command.resumes && self.known.orphan_of.is_none()
    }

    fn is_known_elsewhere(&self, value: Option<&String>, ledger: &Ledger) -> bool {
        let mut others = ledger.alive.iter();
        others.any(|(uuid, it)| *uuid != self.instance.uuid && it.value.as_ref() == value)
    }

    /// Returns whether the configuration requires a version, given the current value
    /// `then`; `None` if both results are valid.
    fn is_written(
        &self,
        (declared, predecessor): (&Declared, Option<&Instance>),
        then: &str,
    ) -> Option<bool> {
        // The model lacks the state's data of an adopted or imported secret, and a
        // creation ignores nothing.
        let predecessor = predecessor?;
        if declared.ignored == Ignored::Everything {
            return Some(false);
        }
        match declared.trigger {
            Some(_) if declared.ignored == Ignored::Trigger => Some(false),
            // A first trigger takes effect from this apply on.
            Some(number) => {
                let before = predecessor.trigger();
                before.map(|before| before != format!("t{number}"))
            }
            None => Some(declared.value().is_some_and(|given| given != then)),
        }
    }

    fn ignored(&self, declared: &Declared, predecessor: &Instance) -> Checked<()> {
        let arguments: &[&str] = match declared.ignored {
            Ignored::Nothing => &[],
            Ignored::Labels => &["labels"],
            Ignored::Description => &["description"],
            Ignored::Trigger => &["value_wo_version"],
            Ignored::Everything => &["labels", "description", "value_wo_version", "keep_versions"],
        };
        for argument in arguments {
            let then = &predecessor.attributes[*argument];
            let now = &self.instance.attributes[*argument];
            if then != now {
                return broken(
                    Rule::IgnoredChanged,
                    format!(
                        "{}.{argument} was {then} and is {now}; {}",
                        self.instance.address, self.ran
                    ),
                );
            }
        }
        Ok(())
    }

    /// Compares configuration, state and catalog.
    fn metadata(
        &self,
        (declared, predecessor): (&Declared, Option<&Instance>),
        reading: &Reading,
    ) -> Checked<()> {
        let attributes = &self.instance.attributes;
        let ignores = |one: Ignored| {
            predecessor.is_some() && [one, Ignored::Everything].contains(&declared.ignored)
        };
        let description = text("d", declared.description);
        if !ignores(Ignored::Description) && attributes["description"] != description {
            return self.wrong("the state has another description than the configuration");
        }
        let mut labels = serde_json::Map::new();
        if let Some(owner) = self.command.config.default_label.text() {
            labels.insert("owner".to_owned(), Value::from(owner));
        }
        if let Some(number) = declared.label {
            labels.insert("team".to_owned(), Value::from(format!("l{number}")));
        }
        let labels = without_nulls(&Value::Object(labels));
        let all = without_nulls(&attributes["labels_all"]);
        if !ignores(Ignored::Labels) && all != labels {
            return self.wrong("the state has other labels than the configuration");
        }
        let standing = reading.standing.as_ref();
        let Some(standing) = standing.filter(|it| it.uuid == self.instance.uuid) else {
            return Ok(());
        };
        if standing.labels != all {
            return self.wrong("the catalog has other labels than the state");
        }
        if standing.description != attributes["description"] {
            return self.wrong("the catalog has another description than the state");
        }
        if standing.version != self.instance.version() {
            return self.wrong("the catalog has another version than the state");
        }
        Ok(())
    }
}

fn text(prefix: &str, number: Option<u32>) -> Value {
    number.map_or(Value::Null, |number| {
        Value::from(format!("{prefix}{number}"))
    })
}
