//! The permitted effects of a command, and the permitted reasons for its failure.

use std::collections::BTreeSet;

use super::config::{Config, Declared, Ignored};
use super::ledger::Ledger;
use super::state::{Instance, State};

/// The kind of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Apply,
    Destroy,
    Test,
    /// Imports the secret with this uuid, if the name has one.
    Import(Option<String>),
    /// Removes an address from the state.
    Remove(String),
    /// Changes nothing.
    Plan,
    /// Taints or untaints. Only the state changes.
    Mark,
}

impl Kind {
    /// Returns whether all secrets stay unchanged.
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(self, Self::Test | Self::Plan | Self::Mark | Self::Remove(_))
    }
}

/// A command in a folder, with everything that its effect depends on.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) folder: usize,
    pub(crate) kind: Kind,
    /// The configuration at the time of the plan.
    pub(crate) config: Config,
    pub(crate) replace: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) without_refresh: bool,
    pub(crate) resumes: bool,
    /// Whether the plan may be older than the state.
    pub(crate) may_be_stale: bool,
}

impl Command {
    pub(crate) fn new(folder: usize, kind: Kind, config: &Config) -> Self {
        Self {
            folder,
            kind,
            config: config.clone(),
            replace: None,
            target: None,
            without_refresh: false,
            resumes: false,
            may_be_stale: false,
        }
    }

    /// Returns whether it plans and applies everything.
    pub(crate) fn is_full(&self) -> bool {
        self.target.is_none() && !self.without_refresh
    }

    /// Returns the declaration of an instance in the state.
    pub(crate) fn declaration_of(&self, instance: &Instance) -> Option<&Declared> {
        self.config.at(&self.config.moved_from(&instance.address))
    }

    fn is_replaced(&self, instance: &Instance) -> bool {
        let Some(declared) = self.declaration_of(instance) else {
            return false;
        };
        let is_renamed = declared.name != instance.name && declared.ignored != Ignored::Everything;
        is_renamed || instance.is_tainted || self.replace.as_ref() == Some(&declared.address)
    }

    /// Returns the instances that it destroys or plans to destroy.
    pub(crate) fn doomed<'a>(&self, before: &'a State) -> Vec<&'a Instance> {
        let instances = before.instances.iter();
        match self.kind {
            Kind::Destroy => instances
                .filter(|it| {
                    self.target
                        .as_ref()
                        .is_none_or(|target| it.address == *target)
                })
                .collect(),
            Kind::Apply | Kind::Plan => instances
                .filter(|it| {
                    it.is_deposed || self.declaration_of(it).is_none() || self.is_replaced(it)
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns whether it would create a secret twice, or under a name that its own
    /// state holds at another address.
    pub(crate) fn declares_what_is_held(&self, before: &State, ledger: &Ledger) -> bool {
        let mut names = BTreeSet::new();
        self.config.secrets.iter().any(|declared| {
            let mut standing = ledger.under(&declared.name);
            let is_elsewhere = standing.any(|(uuid, _)| {
                let mut held = before.instances.iter().filter(|it| it.uuid == *uuid);
                held.any(|it| self.config.moved_from(&it.address) != declared.address)
            });
            is_elsewhere || !names.insert(&declared.name)
        })
    }

    /// Returns a permitted reason for its failure.
    pub(crate) fn excuse(&self, before: &State, ledger: &Ledger) -> Option<String> {
        match self.kind {
            Kind::Apply | Kind::Plan => self
                .excuse_of_holding(before, ledger)
                .or_else(|| self.excuse_of_destroying(before, ledger))
                .or_else(|| self.excuse_of_creating(before, ledger)),
            Kind::Destroy => self.excuse_of_destroying(before, ledger),
            Kind::Test => self
                .excuse_of_creating(&State::default(), ledger)
                .or_else(|| self.excuse_of_protection_in_a_test()),
            Kind::Import(_) | Kind::Remove(_) | Kind::Mark => Some("not judged".to_owned()),
        }
    }

    fn excuse_of_protection_in_a_test(&self) -> Option<String> {
        let mut secrets = self.config.secrets.iter();
        let found = secrets.find(|it| it.is_protected || it.is_retained)?;
        Some(format!("{} is protected or retained", found.address))
    }

    fn excuse_of_holding(&self, before: &State, ledger: &Ledger) -> Option<String> {
        if self.may_be_stale {
            return Some("the plan may be stale".to_owned());
        }
        if self.target.is_some() && !self.config.moved.is_empty() {
            return Some("Terraform wants all that moved among the targets".to_owned());
        }
        for instance in &before.instances {
            let address = &instance.address;
            match ledger.alive.get(&instance.uuid) {
                None if self.without_refresh => return Some(format!("{address} is gone")),
                None => {}
                Some(known) if !known.is_owned_by(self.folder) => {
                    return Some(format!("{address} is another state's"));
                }
                Some(known) if known.is_displaced => {
                    return Some(format!("{address} is displaced"));
                }
                Some(_) => {}
            }
        }
        None
    }

    fn excuse_of_destroying(&self, before: &State, ledger: &Ledger) -> Option<String> {
        for instance in self.doomed(before) {
            let address = &instance.address;
            let known = ledger.alive.get(&instance.uuid);
            if instance.is_protected() || known.is_some_and(|it| it.is_protected) {
                return Some(format!("{address} is protected"));
            }
            let is_retained = instance.is_retained() || known.is_some_and(|it| it.is_retained);
            if is_retained && self.declaration_of(instance).is_some() && self.kind != Kind::Destroy
            {
                return Some(format!("{address} is retained"));
            }
        }
        None
    }

    fn excuse_of_creating(&self, before: &State, ledger: &Ledger) -> Option<String> {
        if self.config.consumer.as_ref().is_some_and(|it| it.fails) {
            return Some("the consumer fails".to_owned());
        }
        let mut names = BTreeSet::new();
        for declared in &self.config.secrets {
            let address = &declared.address;
            if !names.insert(&declared.name) {
                return Some(format!("{address} is declared twice"));
            }
            let instance = before
                .current()
                .find(|it| self.config.moved_from(&it.address) == *address);
            // A secret that was removed outside this state is created again.
            let held = instance.filter(|it| ledger.alive.contains_key(&it.uuid));
            if held.is_some_and(|it| !self.is_replaced(it)) {
                continue;
            }
            if held.is_some() && declared.ignored == Ignored::Everything {
                return Some(format!(
                    "{address} is replaced and ignores its configuration"
                ));
            }
            if let Some(excuse) = self.excuse_of_name(declared, held, ledger) {
                return Some(excuse);
            }
        }
        None
    }

    /// Returns why `declared` cannot be created as a replacement of `held`.
    fn excuse_of_name(
        &self,
        declared: &Declared,
        held: Option<&Instance>,
        ledger: &Ledger,
    ) -> Option<String> {
        let creates_first = self.config.creates_first(&declared.address);
        let mut takes_over = declared.takes_over.as_ref();
        for (uuid, known) in ledger.under(&declared.name) {
            let goes_before = held.is_some_and(|it| it.uuid == *uuid) && !creates_first;
            if goes_before && known.owners.len() == 1 {
                continue;
            }
            if takes_over == Some(uuid) && !known.is_displaced {
                takes_over = None;
                continue;
            }
            if self.resumes && known.orphan_of == Some(self.folder) {
                continue;
            }
            return Some(format!("{} stands already", declared.name.import_id()));
        }
        takes_over.map(|_| format!("{} takes over what is not there", declared.address))
    }
}
