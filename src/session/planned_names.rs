//! What the plans of this process do to existing secrets and backends, and the names that their
//! replacements need.
//!
//! Terraform plans the resources of a run in any order, and several at once. So a plan that
//! needs a name learns the fate of its present holder, or the plan of that holder learns later
//! that its name is needed. Other states, other aliases of the provider (their own processes)
//! and resources outside of `-target` never appear here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// What the plan of this process does to an existing secret or backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It, or its replacement, has the same name after the apply.
    KeepsName,
    /// It is destroyed, or replaced under another name.
    GivesNameUp,
}

/// The plans of one process under one provider configuration.
#[derive(Debug, Default)]
pub(crate) struct PlannedNames(Mutex<Planned>);

#[derive(Debug, Default)]
struct Planned {
    refreshed: BTreeSet<Uuid>,
    /// What each new secret or backend replaces, by the type of the resource and its name.
    created: BTreeMap<(&'static str, String), Option<Uuid>>,
    fates: BTreeMap<Uuid, Fate>,
    needed: Vec<Needed>,
}

/// A name that a replacement needs.
#[derive(Clone, Debug)]
struct Needed {
    /// What has the name now.
    holder: Uuid,
    /// Name of what is replaced.
    replaced: String,
}

impl PlannedNames {
    /// Records that a state of this process has `uuid`.
    pub(crate) fn refresh(&self, uuid: Uuid) {
        self.planned().refreshed.insert(uuid);
    }

    /// Returns whether a state of this process has `uuid`, as far as it was refreshed.
    pub(crate) fn is_refreshed(&self, uuid: Uuid) -> bool {
        self.planned().refreshed.contains(&uuid)
    }

    /// Returns whether the plan of `uuid` came before, and gives its name up.
    pub(crate) fn gives_up(&self, uuid: Uuid) -> bool {
        self.planned().fates.get(&uuid) == Some(&Fate::GivesNameUp)
    }

    /// Records that a resource of this type creates an object of this name, perhaps in place of
    /// `replaced`. Returns whether another one was planned to create it before, and one of them
    /// replaces an object. Of two ordinary creations, the apply does the first one, and loses
    /// nothing.
    pub(crate) fn create(
        &self,
        resource: &'static str,
        name: String,
        replaced: Option<Uuid>,
    ) -> bool {
        let before = self.planned().created.insert((resource, name), replaced);
        // A host may plan a replacement again.
        before.is_some_and(|before| before != replaced)
    }

    /// Records that `uuid` gives its name up.
    pub(crate) fn give_up(&self, uuid: Uuid) {
        self.planned().fates.insert(uuid, Fate::GivesNameUp);
    }

    /// Records that `uuid` keeps its name. Returns the name of another one whose replacement
    /// needs that name, if it was planned before.
    pub(crate) fn keep(&self, uuid: Uuid) -> Option<String> {
        let mut planned = self.planned();
        planned.fates.insert(uuid, Fate::KeepsName);
        let mut needed = planned.needed.iter();
        let needed = needed.find(|needed| needed.holder == uuid)?;
        Some(needed.replaced.clone())
    }

    /// Records that the replacement of `replaced` needs the name that `holder` has. Returns the
    /// fate of the holder, if it was planned before.
    pub(crate) fn need(&self, holder: Uuid, replaced: String) -> Option<Fate> {
        let mut planned = self.planned();
        planned.needed.push(Needed { holder, replaced });
        planned.fates.get(&holder).copied()
    }

    /// Forgets what was planned: an apply has begun. Whatever is planned later, be it for the same
    /// change, is another plan.
    pub(crate) fn end(&self) {
        *self.planned() = Planned::default();
    }

    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_needed_name_that_is_kept_is_found_in_either_order() {
        let names = PlannedNames::default();
        assert_eq!(names.keep(HOLDER), None);
        assert_eq!(names.need(HOLDER, "a".to_owned()), Some(Fate::KeepsName));

        let names = PlannedNames::default();
        assert_eq!(names.need(HOLDER, "a".to_owned()), None);
        assert_eq!(names.keep(Uuid::from_u128(2)), None);
        assert_eq!(names.keep(HOLDER), Some("a".to_owned()));
    }

    #[test]
    fn a_name_for_which_something_is_replaced_is_created_once() {
        let names = PlannedNames::default();
        let create = |resource, name: &str, replaced: Option<u128>| {
            let replaced = replaced.map(Uuid::from_u128);
            names.create(resource, name.to_owned(), replaced)
        };
        assert!(!create("secret", "a", None));
        assert!(!create("backend", "a", None));
        assert!(!create("secret", "b", Some(1)));
        assert!(!create("secret", "b", Some(1)));
        assert!(create("secret", "b", Some(2)));
        assert!(create("secret", "a", Some(3)));
        assert!(!create("backend", "a", None));
    }

    #[test]
    fn an_apply_ends_the_plan_before_it() {
        let names = PlannedNames::default();
        names.create("secret", "a".to_owned(), None);
        names.keep(HOLDER);
        names.end();
        let replaced = Some(Uuid::from_u128(2));
        assert!(!names.create("secret", "a".to_owned(), replaced));
        assert_eq!(names.need(HOLDER, "a".to_owned()), None);
    }

    #[test]
    fn a_name_that_is_given_up_may_be_needed() {
        let names = PlannedNames::default();
        names.give_up(HOLDER);
        assert_eq!(names.need(HOLDER, "a".to_owned()), Some(Fate::GivesNameUp));
    }
}
