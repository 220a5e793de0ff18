//! Carries out each step.

use std::collections::BTreeSet;

use anyhow::Context;

use super::command::{Command, Kind};
use super::config::{Declared, Ignored, Name};
use super::judge;
use super::state::Instance;
use super::steps::{Apply, Kill};
use super::violation::{Broken, Checked, Rule, broken};
use super::world::{Saved, World};

impl World {
    fn declared(&self, folder: usize, slot: Option<u8>) -> Option<String> {
        let secrets = &self.folders[folder].config.secrets;
        let slot = usize::from(slot?);
        (!secrets.is_empty()).then(|| secrets[slot % secrets.len()].address.clone())
    }

    pub(super) fn apply(&mut self, folder: usize, apply: &Apply) -> Checked<()> {
        let mut command = Command::new(folder, Kind::Apply, &self.folders[folder].config);
        command.replace = self.declared(folder, apply.replace).filter(|address| {
            let mut held = self.states[folder].current();
            held.any(|it| command.config.moved_from(&it.address) == *address)
        });
        command.target = self.declared(folder, apply.target);
        command.without_refresh = apply.without_refresh;
        // A declaration of a secret that the state already holds resumes nothing.
        let is_clear = !command.declares_what_is_held(&self.states[folder], &self.ledger);
        command.resumes = apply.resumes && self.resume.is_some() && is_clear;
        if !command.resumes {
            return self.planned(&command, None, apply.kill.as_ref());
        }
        // Each interrupted run needs a resume command of its own.
        for _ in 0..3 {
            let line = self.resume.clone();
            let result = self.planned(&command, line.as_deref(), apply.kill.as_ref());
            if line == self.resume || apply.kill.is_some() {
                return result;
            }
            if let Err(Broken::Rule(violation)) = &result
                && violation.rule != Rule::Refused
            {
                return result;
            }
        }
        self.planned(&command, self.resume.clone().as_deref(), None)
    }

    /// Applies, and checks that the next plan is empty.
    fn planned(
        &mut self,
        command: &Command,
        resume: Option<&str>,
        kill: Option<&Kill>,
    ) -> Checked<()> {
        let mut arguments = vec!["apply".to_owned(), "-auto-approve".to_owned()];
        let address = |address: &String| format!("planton_secret.{address}");
        let replace = command.replace.as_ref().map(address);
        arguments.extend(replace.map(|it| format!("-replace={it}")));
        let target = command.target.as_ref().map(address);
        arguments.extend(target.map(|it| format!("-target={it}")));
        if command.without_refresh {
            arguments.push("-refresh=false".to_owned());
        }
        let ran = self.judged(command, &arguments, (resume, kill))?;
        if ran.success && command.is_full() {
            self.converged(command)?;
        }
        Ok(())
    }

    /// Compares the state with the configuration, and plans.
    fn converged(&mut self, command: &Command) -> Checked<()> {
        let folder = command.folder;
        let state = &self.states[folder];
        if let Some(left) = state
            .instances
            .iter()
            .find(|it| it.is_deposed || it.is_tainted)
        {
            let address = &left.address;
            return broken(
                Rule::NotConverged,
                format!("{address} is deposed or tainted after an apply that went well"),
            );
        }
        let held: BTreeSet<_> = state.current().map(|it| it.address.as_str()).collect();
        let secrets = &command.config.secrets;
        let declared: BTreeSet<_> = secrets.iter().map(|it| it.address.as_str()).collect();
        if held != declared {
            return broken(
                Rule::NotConverged,
                format!("declared are {declared:?}, the state has {held:?}"),
            );
        }
        for instance in state.current() {
            let declared = command.config.at(&instance.address);
            let is_meant = declared
                .is_none_or(|it| it.ignored == Ignored::Everything || it.name == instance.name);
            if !is_meant {
                return broken(
                    Rule::NotConverged,
                    format!("{} has another name in the state", instance.address),
                );
            }
        }
        if self.folders[folder].config != command.config {
            return Ok(());
        }
        // A displaced secret is planned to take its name back.
        let alive = &self.ledger.alive;
        let is_displaced = |it: &Instance| alive.get(&it.uuid).is_some_and(|it| it.is_displaced);
        if state.current().any(is_displaced) {
            return Ok(());
        }
        let arguments = ["plan", "-detailed-exitcode"].map(str::to_owned);
        let ran = self.run(folder, &arguments, (None, None))?;
        judge::defects(&ran)?;
        if !ran.success {
            return broken(
                Rule::NotConverged,
                format!("after an apply that went well, `plan` in folder {folder}: {ran}"),
            );
        }
        self.folders[folder].config.moved.clear();
        Ok(())
    }

    pub(super) fn destroy(
        &mut self,
        folder: usize,
        target: Option<u8>,
        kill: Option<&Kill>,
    ) -> Checked<()> {
        let mut command = Command::new(folder, Kind::Destroy, &self.folders[folder].config);
        command.target = self.declared(folder, target);
        let mut arguments = vec!["destroy".to_owned(), "-auto-approve".to_owned()];
        let target = command.target.as_ref();
        arguments.extend(target.map(|it| format!("-target=planton_secret.{it}")));
        let ran = self.judged(&command, &arguments, (None, kill))?;
        if ran.success && command.is_full() && !self.states[folder].is_empty {
            return broken(
                Rule::NotConverged,
                format!("`destroy` left something; {ran}"),
            );
        }
        Ok(())
    }

    pub(super) fn plan(&mut self, folder: usize) -> Checked<()> {
        let command = Command::new(folder, Kind::Plan, &self.folders[folder].config);
        self.judged(&command, &["plan".to_owned()], (None, None))?;
        Ok(())
    }

    pub(super) fn save_plan(&mut self, folder: usize, replace: Option<u8>) -> Checked<()> {
        let mut command = Command::new(folder, Kind::Plan, &self.folders[folder].config);
        command.replace = self.declared(folder, replace).filter(|address| {
            let mut held = self.states[folder].current();
            held.any(|it| command.config.moved_from(&it.address) == *address)
        });
        let mut arguments = vec!["plan".to_owned(), "-out=saved".to_owned()];
        let replace = command.replace.as_ref();
        arguments.extend(replace.map(|it| format!("-replace=planton_secret.{it}")));
        let ran = self.judged(&command, &arguments, (None, None))?;
        command.kind = Kind::Apply;
        self.folders[folder].saved = ran.success.then_some(Saved {
            command,
            is_old: false,
        });
        Ok(())
    }

    pub(super) fn apply_saved(&mut self, folder: usize) -> Checked<()> {
        let Some(mut saved) = self.folders[folder].saved.take() else {
            return Ok(());
        };
        saved.command.may_be_stale = saved.is_old;
        let arguments = ["apply", "saved"].map(str::to_owned);
        let ran = self.judged(&saved.command, &arguments, (None, None))?;
        if ran.success {
            self.converged(&saved.command)?;
        }
        Ok(())
    }

    pub(super) fn of_state(&mut self, subcommand: &str, folder: usize, slot: u8) -> Checked<()> {
        let held: Vec<_> = self.states[folder].current().collect();
        if held.is_empty() {
            return Ok(());
        }
        let address = held[usize::from(slot) % held.len()].address.clone();
        self.of_address(subcommand, folder, &address)
    }

    pub(super) fn of_address(
        &mut self,
        subcommand: &str,
        folder: usize,
        address: &str,
    ) -> Checked<()> {
        let kind = match subcommand {
            "state rm" => Kind::Remove(address.to_owned()),
            _ => Kind::Mark,
        };
        let command = Command::new(folder, kind, &self.folders[folder].config);
        let words = subcommand.split(' ').map(str::to_owned);
        let mut arguments: Vec<_> = words.collect();
        arguments.push(format!("planton_secret.{address}"));
        self.judged(&command, &arguments, (None, None))?;
        Ok(())
    }

    pub(super) fn import(&mut self, folder: usize, slot: u8) -> Checked<()> {
        let Some(address) = self.declared(folder, Some(slot)) else {
            return Ok(());
        };
        let config = &self.folders[folder].config;
        let name = config.at(&address).map(|it| it.name.clone());
        let name = name.context("a declared secret has a name")?;
        if self.states[folder].at(&address).is_some() {
            return Ok(());
        }
        let mut standing = self.ledger.under(&name).filter(|(_, it)| !it.is_displaced);
        let named = standing.next().map(|(uuid, _)| uuid.clone());
        drop(standing);
        // The configuration declares one secret at two addresses.
        if named
            .as_ref()
            .is_some_and(|uuid| self.states[folder].has(uuid))
        {
            return Ok(());
        }
        let kind = Kind::Import(named);
        let command = Command::new(folder, kind, config);
        let arguments = [
            "import".to_owned(),
            format!("planton_secret.{address}"),
            name.import_id(),
        ];
        self.judged(&command, &arguments, (None, None))?;
        Ok(())
    }

    pub(super) fn test(&mut self, folder: usize) -> Checked<()> {
        let config = &self.folders[folder].config;
        // A test cannot destroy the protected secrets that it creates.
        let is_free = |name: &Name| self.ledger.under(name).next().is_none();
        let is_made = |it: &Declared| is_free(&it.name) || it.takes_over.is_some();
        let mut secrets = config.secrets.iter();
        if secrets.any(|it| (it.is_protected || it.is_retained) && is_made(it)) {
            return Ok(());
        }
        let command = Command::new(folder, Kind::Test, config);
        const FILE: &str = "a.tftest.hcl";
        const TEXT: &str = "run \"applies\" {}\n";
        self.write(folder)?;
        self.folders[folder].workspace.write(FILE, TEXT)?;
        self.transcript.wrote(folder, FILE, TEXT);
        self.judged(&command, &["test".to_owned()], (None, None))?;
        let file = self.folders[folder].workspace.path().join(FILE);
        std::fs::remove_file(file).context("removing a test file")?;
        self.transcript.removed(folder, FILE);
        Ok(())
    }
}
