//! Compares the effects of a command with its permitted effects.

use std::collections::BTreeMap;

use super::command::{Command, Kind};
use super::ledger::{Known, Ledger, Record};
use super::reader::{Asked, Reading};
use super::state::{Instance, State};
use super::values;
use super::violation::{Checked, Rule, broken};
use super::world::{Ran, World};

/// The expected reading of one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Unchanged.
    Untouched,
    /// Present, possibly changed by its owner.
    Kept,
    /// Destroyed intentionally.
    Destroyed,
    /// Unclear: the run was killed while it changed the secret.
    Open,
}

impl World {
    /// Judges a command in its folder.
    pub(super) fn judge(
        &mut self,
        command: &Command,
        (before, after): (&State, &State),
        ran: &Ran,
    ) -> Checked<()> {
        defects(ran)?;
        self.ledger.enter(command, (before, after), ran)?;
        let fates = self.ledger.fates(command, (before, after), ran)?;
        self.ledger.let_go(command, after, &fates);
        if ran.killed {
            self.look_for_orphans(command, after)?;
        }
        // A reading costs a run of Terraform, and most read-only commands change
        // nothing.
        if !self.has_changed() {
            return Ok(());
        }
        let readings = self.readings(&fates)?;
        // The reader's own changes are not the command's.
        self.has_changed();
        for (uuid, fate) in &fates {
            if let Some(reading) = readings.get(uuid) {
                let left = (before, after, ran);
                self.ledger.hold(command, (uuid, *fate), left, reading)?;
            }
        }
        Ok(())
    }

    fn readings(&mut self, fates: &BTreeMap<String, Fate>) -> Checked<BTreeMap<String, Reading>> {
        let mut asked = Vec::new();
        let mut uuids = Vec::new();
        for (uuid, known) in &self.ledger.alive {
            uuids.push(uuid.clone());
            let is_open = fates.get(uuid) == Some(&Fate::Open);
            asked.push(Asked {
                uuid: Some(uuid.clone()),
                name: (!known.is_displaced || is_open).then(|| known.name.clone()),
            });
        }
        let readings = self.reader.read(&asked)?;
        Ok(uuids.into_iter().zip(readings).collect())
    }

    /// Finds secrets that a killed run committed and no state holds.
    fn look_for_orphans(&mut self, command: &Command, after: &State) -> Checked<()> {
        if command.kind != Kind::Apply {
            return Ok(());
        }
        let mut names: Vec<_> = command.config.secrets.iter().map(|it| &it.name).collect();
        names.sort();
        names.dedup();
        let asked: Vec<_> = names
            .iter()
            .map(|name| Asked {
                uuid: None,
                name: Some((*name).clone()),
            })
            .collect();
        let readings = self.reader.read(&asked)?;
        for (name, reading) in names.into_iter().zip(readings) {
            let Some(standing) = reading.standing else {
                continue;
            };
            if self.ledger.alive.contains_key(&standing.uuid) || after.has(&standing.uuid) {
                continue;
            }
            for (_, namesake) in self.ledger.alive.iter_mut() {
                namesake.is_displaced |= namesake.name == *name;
            }
            let mut known = Known::new(name.clone());
            known.orphan_of = Some(command.folder);
            self.ledger.alive.insert(standing.uuid, known);
        }
        Ok(())
    }
}

impl Ledger {
    /// Adds new secrets of the state to the ledger.
    pub(super) fn enter(
        &mut self,
        command: &Command,
        (before, after): (&State, &State),
        ran: &Ran,
    ) -> Checked<()> {
        let folder = command.folder;
        for instance in &after.instances {
            let uuid = &instance.uuid;
            let holding = after.current().filter(|it| it.uuid == *uuid);
            if command.kind == Kind::Apply && holding.count() > 1 {
                return broken(
                    Rule::TakenOver,
                    format!("{uuid} stands at two addresses of the state; {ran}"),
                );
            }
            if before.has(uuid) {
                continue;
            }
            if self.gone.contains(uuid) {
                return broken(
                    Rule::Left,
                    format!("{} is {uuid}, which was destroyed", instance.address),
                );
            }
            let Some(known) = self.alive.get_mut(uuid) else {
                let mut known = Known::new(instance.name.clone());
                known.owners.insert(folder);
                self.alive.insert(uuid.clone(), known);
                continue;
            };
            let is_named = match &command.kind {
                Kind::Import(named) => named.as_ref() == Some(uuid),
                Kind::Apply => command.resumes,
                _ => false,
            };
            if !is_named && !known.is_owned_by(folder) {
                let whose = match (known.owners.first(), known.orphan_of) {
                    (Some(owner), _) => format!("folder {owner}'s"),
                    (None, Some(owner)) => format!("the killed run's in folder {owner}"),
                    (None, None) => "nobody's since a state let go of it".to_owned(),
                };
                return broken(
                    Rule::TakenOver,
                    format!("{} holds {uuid}, which is {whose}; {ran}", instance.address),
                );
            }
            if command.kind == Kind::Apply {
                // The adoption ended the ownership of the previous state.
                known.owners.clear();
            }
            known.orphan_of = None;
            known.owners.insert(folder);
        }
        Ok(())
    }

    pub(super) fn fates(
        &self,
        command: &Command,
        (before, after): (&State, &State),
        ran: &Ran,
    ) -> Checked<BTreeMap<String, Fate>> {
        let doomed = command.doomed(before);
        let mut fates = BTreeMap::new();
        for (uuid, known) in &self.alive {
            let dooms = doomed.iter().find(|it| it.uuid == *uuid);
            let is_held = after.has(uuid);
            let may_adopt = command.kind == Kind::Apply && command.resumes;
            let fate = if may_adopt && known.orphan_of.is_some() {
                Fate::Open
            } else if !known.is_owned_by(command.folder) || command.kind.changes_nothing() {
                Fate::Untouched
            } else if is_held && ran.killed && dooms.is_some() {
                Fate::Open
            } else if is_held {
                Fate::Kept
            } else if !before.has(uuid) {
                Fate::Untouched
            } else {
                match dooms {
                    None => {
                        return broken(
                            Rule::Lost,
                            format!(
                                "{uuid} has left the state of folder {}; {ran}",
                                command.folder
                            ),
                        );
                    }
                    Some(instance) if instance.is_protected() && known.is_protected => {
                        return broken(
                            Rule::ProtectionBroken,
                            format!("{uuid}, protected, has left the state; {ran}"),
                        );
                    }
                    Some(instance) if instance.is_retained() => Fate::Untouched,
                    Some(_) if ran.killed => Fate::Open,
                    Some(_) => Fate::Destroyed,
                }
            };
            fates.insert(uuid.clone(), fate);
        }
        Ok(fates)
    }

    /// Removes destroyed secrets from the ledger, and the owner from forgotten ones.
    pub(super) fn let_go(
        &mut self,
        command: &Command,
        state: &State,
        fates: &BTreeMap<String, Fate>,
    ) {
        for (uuid, fate) in fates {
            if *fate == Fate::Destroyed {
                self.bury(uuid);
            } else if !state.has(uuid)
                && let Some(known) = self.alive.get_mut(uuid)
            {
                known.owners.remove(&command.folder);
            }
        }
    }

    /// Compares one secret with its expected reading, and records the reading.
    pub(super) fn hold(
        &mut self,
        command: &Command,
        (uuid, fate): (&String, Fate),
        (before, after, ran): (&State, &State, &Ran),
        reading: &Reading,
    ) -> Checked<()> {
        let Some(known) = self.alive.get(uuid).cloned() else {
            return Ok(());
        };
        let harmed = match command.kind {
            Kind::Test => Rule::TestHarmed,
            // A secret that its own state just dropped has no owner.
            _ if known.is_owned_by(command.folder) => Rule::Wrong,
            _ if known.owners.is_empty() && before.has(uuid) => Rule::Wrong,
            _ => Rule::ForeignHarmed,
        };
        if reading.value.is_none() {
            return self.unreadable((uuid, fate), harmed, ran);
        }
        let is_new = known.value.is_none();
        let standing = reading.standing.as_ref();
        let is_displaced = standing.is_some_and(|it| it.uuid != *uuid);
        if fate == Fate::Untouched && !is_new {
            untouched((uuid, &known), reading, (harmed, ran))?;
        }
        if fate != Fate::Untouched || is_new {
            let instance = after.current().find(|it| it.uuid == *uuid);
            if let (Some(instance), Kind::Apply) = (instance, &command.kind) {
                let values = values::Case {
                    command,
                    before,
                    instance,
                    known: &known,
                    ran,
                };
                values.check(reading, self)?;
            }
        }
        let instance: Option<&Instance> = after.instances.iter().find(|it| it.uuid == *uuid);
        let entry = self.alive.get_mut(uuid).expect("it was there above");
        entry.learn(uuid, reading);
        entry.is_displaced = is_displaced || (known.is_displaced && standing.is_none());
        if let Some(instance) = instance.filter(|_| entry.is_owned_by(command.folder)) {
            entry.is_protected = instance.is_protected();
            entry.is_retained = instance.is_retained();
        }
        Ok(())
    }

    /// Judges a secret that cannot be read.
    fn unreadable(
        &mut self,
        (uuid, fate): (&String, Fate),
        harmed: Rule,
        ran: &Ran,
    ) -> Checked<()> {
        let known = &self.alive[uuid];
        if fate == Fate::Open {
            self.bury(uuid);
            return Ok(());
        }
        let rule = match harmed {
            Rule::Wrong if known.is_protected || known.is_retained => Rule::ProtectionBroken,
            Rule::Wrong => Rule::Lost,
            other => other,
        };
        let name = known.name.import_id();
        broken(rule, format!("{name} ({uuid}) can't be read; {ran}"))
    }
}

/// Compares a secret that must be unchanged with the ledger.
fn untouched(
    (uuid, known): (&str, &Known),
    reading: &Reading,
    (harmed, ran): (Rule, &Ran),
) -> Checked<()> {
    if reading.value != known.value {
        return broken(harmed, format!("the value of {uuid} changed; {ran}"));
    }
    let standing = reading.standing.as_ref();
    let record = standing.filter(|it| it.uuid == *uuid).map(Record::of);
    match (&record, &known.record) {
        (Some(now), Some(then)) if now != then => broken(
            harmed,
            format!("the record of {uuid} was {then:?} and is {now:?}; {ran}"),
        ),
        _ => Ok(()),
    }
}

/// Finds the texts of a provider defect in the output.
pub(super) fn defects(ran: &Ran) -> Checked<()> {
    const WORDS: [&str; 6] = [
        "Provider produced in",
        "Provider returned invalid",
        "Provider Defect",
        "panicked at",
        "Plugin did not respond",
        "Request cancelled",
    ];
    let words: &[&str] = if ran.killed { &WORDS[..4] } else { &WORDS };
    for word in words {
        if ran.flat().contains(word) {
            return broken(Rule::Defect, format!("{ran}"));
        }
    }
    Ok(())
}
