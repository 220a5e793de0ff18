//! Folders over one platform, and how a step is carried out.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::command::{Command, Kind};
use super::config::{Config, Ignored, Name};
use super::edit;
use super::generate::FOLDERS;
use super::kill;
use super::ledger::Ledger;
use super::reader::Reader;
use super::state::State;
use super::steps::{Apply, Kill, Step};
use super::transcript::Transcript;
use super::violation::{Checked, Rule, broken};
use crate::terraform::{Outcome, Terraform, Workspace};

/// A platform that the folders of a sequence share.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) organization: String,
    /// Lines of the provider block.
    pub(crate) lines: String,
    /// Of the embedded platform.
    pub(crate) folder: Option<PathBuf>,
}

/// How a run of Terraform went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    /// Whether the run was killed, as asked for.
    pub(crate) killed: bool,
    text: String,
}

impl Ran {
    pub(super) fn of(outcome: &Outcome, is_to_be_killed: bool) -> Self {
        let text = format!("{}\n{}", outcome.stdout(), outcome.stderr());
        let died = ["Plugin did not respond", "Request cancelled"];
        let killed = is_to_be_killed
            && !outcome.success()
            && (outcome.code().is_none() || died.iter().any(|words| text.contains(words)));
        Self {
            success: outcome.success(),
            killed,
            text,
        }
    }

    /// Returns what was printed, on one line, without Terraform's frames.
    pub(crate) fn flat(&self) -> String {
        let words = self.text.split_whitespace().filter(|it| *it != "│");
        words.collect::<Vec<_>>().join(" ")
    }

    /// Returns what a diagnostic gave for `PLANTON_RESUME`.
    fn resume(&self) -> Option<String> {
        let flat = self.flat();
        let (_, rest) = flat.split_once("PLANTON_RESUME=")?;
        let line = rest.split(' ').next()?;
        line.contains('@').then(|| line.to_owned())
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match (self.success, self.killed) {
            (true, _) => "went well",
            (false, true) => "was killed",
            (false, false) => "failed",
        };
        let lines: Vec<&str> = self.text.trim().lines().collect();
        let from = lines.len().saturating_sub(if self.success { 12 } else { 45 });
        write!(f, "the run {end}:\n{}", lines[from..].join("\n"))
    }
}

/// A folder with a configuration and a state.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) workspace: Workspace,
    pub(super) config: Config,
    written: Option<String>,
    saved: Option<Saved>,
}

#[derive(Debug)]
struct Saved {
    command: Command,
    is_old: bool,
}

/// All that a sequence works on.
#[derive(Debug)]
pub(crate) struct World {
    pub(super) folders: Vec<Folder>,
    pub(super) states: Vec<State>,
    pub(super) ledger: Ledger,
    pub(super) reader: Reader,
    pub(super) names: BTreeSet<Name>,
    pub(crate) transcript: Transcript,
    platform: Platform,
    digest: Option<Vec<u8>>,
    resume: Option<String>,
    /// How often Terraform ran, the reader's runs aside.
    pub(crate) runs: usize,
}

impl World {
    pub(crate) fn new(terraform: &Terraform, binary: &Path, platform: &Platform) -> Result<Self> {
        let mut folders = Vec::new();
        // One more than the sequences use, for the end.
        for _ in 0..=FOLDERS {
            folders.push(Folder {
                workspace: Workspace::new(terraform, binary)?,
                config: Config::empty(),
                written: None,
                saved: None,
            });
        }
        let address = (platform.organization.as_str(), platform.lines.as_str());
        Ok(Self {
            states: vec![State::default(); folders.len()],
            folders,
            ledger: Ledger::default(),
            reader: Reader::new(terraform, binary, address)?,
            names: BTreeSet::new(),
            transcript: Transcript::new(platform),
            platform: platform.clone(),
            digest: None,
            resume: None,
            runs: 0,
        })
    }

    /// Returns how often Terraform ran.
    pub(crate) fn all_runs(&self) -> usize {
        self.runs + self.reader.runs
    }

    /// Carries out a step and judges it.
    pub(crate) fn take(&mut self, step: &Step) -> Checked<()> {
        let is_saved = matches!(step, Step::ApplySaved(_));
        for folder in &mut self.folders {
            if let Some(saved) = &mut folder.saved {
                saved.is_old |= step.runs() && !is_saved;
            }
        }
        match step {
            Step::Edit(folder, change) => {
                edit::change(&mut self.folders[*folder].config, change, &self.states);
                Ok(())
            }
            Step::Copy { from, to } => {
                self.folders[*to].config = self.folders[*from].config.clone();
                Ok(())
            }
            Step::Apply(folder, apply) => self.apply(*folder, apply),
            Step::Destroy {
                folder,
                target,
                kill,
            } => self.destroy(*folder, *target, kill.as_ref()),
            Step::Plan(folder) => self.plan(*folder),
            Step::SavePlan(folder, replace) => self.save_plan(*folder, *replace),
            Step::ApplySaved(folder) => self.apply_saved(*folder),
            Step::Taint(folder, slot) => self.of_state("taint", *folder, *slot),
            Step::Untaint(folder, slot) => self.of_state("untaint", *folder, *slot),
            Step::Import(folder, slot) => self.import(*folder, *slot),
            Step::Remove(folder, slot) => self.of_state("state rm", *folder, *slot),
            Step::Test(folder) => self.test(*folder),
        }
    }

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
        command.resumes = apply.resumes && self.resume.is_some();
        if !command.resumes {
            return self.planned(&command, None, apply.kill.as_ref());
        }
        // Each interrupted run has a line of its own.
        for _ in 0..3 {
            let line = self.resume.clone();
            let result = self.planned(&command, line.as_deref(), apply.kill.as_ref());
            if line == self.resume || apply.kill.is_some() {
                return result;
            }
            if let Err(super::violation::Broken::Rule(violation)) = &result {
                if violation.rule != Rule::Refused {
                    return result;
                }
            }
        }
        self.planned(&command, self.resume.clone().as_deref(), None)
    }

    /// Applies, and checks that nothing is left to do.
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

    /// Runs, judges the effects, and asks for a reason where it failed.
    pub(super) fn judged(
        &mut self,
        command: &Command,
        arguments: &[String],
        (resume, kill): (Option<&str>, Option<&Kill>),
    ) -> Checked<Ran> {
        let folder = command.folder;
        let before = self.states[folder].clone();
        let excuse = command.excuse(&before, &self.ledger);
        let ran = self.run(folder, arguments, (resume, kill))?;
        let after = State::read(self.folders[folder].workspace.path())?;
        self.states[folder] = after.clone();
        self.judge(command, (&before, &after), &ran)?;
        if !ran.success && !ran.killed && excuse.is_none() {
            return broken(
                Rule::Refused,
                format!("`{}` in folder {folder}: {ran}", arguments.join(" ")),
            );
        }
        Ok(ran)
    }

    fn run(
        &mut self,
        folder: usize,
        arguments: &[String],
        (resume, kill): (Option<&str>, Option<&Kill>),
    ) -> Result<Ran> {
        self.write(folder)?;
        let Folder { workspace, .. } = &mut self.folders[folder];
        if let Some(line) = resume {
            workspace.env("PLANTON_RESUME", line);
        }
        self.transcript.ran(folder, arguments, (resume, kill));
        let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if !["taint", "untaint", "state", "test"].contains(&all[0]) {
            all.insert(1, "-input=false");
        }
        if all[0] != "state" && all[0] != "taint" && all[0] != "untaint" {
            all.insert(1, "-no-color");
        }
        self.runs += 1;
        let outcome = kill::run(workspace, &all, kill);
        workspace.env_remove("PLANTON_RESUME");
        let ran = Ran::of(&outcome?, kill.is_some());
        self.resume = ran.resume().or_else(|| self.resume.take());
        self.transcript.ended(&ran);
        Ok(ran)
    }

    fn write(&mut self, folder: usize) -> Result<()> {
        let Folder {
            workspace,
            config,
            written,
            ..
        } = &mut self.folders[folder];
        let text = config.text(&self.platform.organization, &self.platform.lines);
        self.names
            .extend(config.secrets.iter().map(|it| it.name.clone()));
        if written.as_ref() != Some(&text) {
            workspace.write("main.tf", &text)?;
            self.transcript.wrote(folder, "main.tf", &text);
            *written = Some(text);
        }
        Ok(())
    }

    /// Holds the state against the configuration, and plans.
    fn converged(&mut self, command: &Command) -> Checked<()> {
        let folder = command.folder;
        let state = &self.states[folder];
        if let Some(left) = state.instances.iter().find(|it| it.is_deposed || it.is_tainted) {
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
            let is_meant = declared.is_none_or(|it| {
                it.ignored == Ignored::Everything || it.name == instance.name
            });
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
        let arguments = ["plan", "-detailed-exitcode"].map(str::to_owned);
        let ran = self.run(folder, &arguments, (None, None))?;
        super::judge::defects(&ran)?;
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
            return broken(Rule::NotConverged, format!("`destroy` left something; {ran}"));
        }
        Ok(())
    }

    fn plan(&mut self, folder: usize) -> Checked<()> {
        let command = Command::new(folder, Kind::Plan, &self.folders[folder].config);
        self.judged(&command, &["plan".to_owned()], (None, None))?;
        Ok(())
    }

    fn save_plan(&mut self, folder: usize, replace: Option<u8>) -> Checked<()> {
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

    fn apply_saved(&mut self, folder: usize) -> Checked<()> {
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

    fn of_state(&mut self, subcommand: &str, folder: usize, slot: u8) -> Checked<()> {
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

    fn import(&mut self, folder: usize, slot: u8) -> Checked<()> {
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
        let kind = Kind::Import(standing.next().map(|(uuid, _)| uuid.clone()));
        drop(standing);
        let command = Command::new(folder, kind, config);
        let arguments = [
            "import".to_owned(),
            format!("planton_secret.{address}"),
            name.import_id(),
        ];
        self.judged(&command, &arguments, (None, None))?;
        Ok(())
    }

    fn test(&mut self, folder: usize) -> Checked<()> {
        let config = &self.folders[folder].config;
        // What a test makes under protection it can't take away again.
        let is_free = |name: &Name| self.ledger.under(name).next().is_none();
        let mut secrets = config.secrets.iter();
        if secrets.any(|it| (it.is_protected || it.is_retained) && is_free(&it.name)) {
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

    /// Returns whether the platform may hold something else than when it was
    /// read last.
    pub(super) fn has_changed(&mut self) -> bool {
        let Some(folder) = &self.platform.folder else {
            return true;
        };
        let mut hash = Sha256::new();
        for name in ["planton.db", "planton.db-wal"] {
            hash.update(std::fs::read(folder.join(name)).unwrap_or_default());
        }
        let digest = hash.finalize().to_vec();
        let is_new = self.digest.as_ref() != Some(&digest);
        self.digest = Some(digest);
        is_new
    }
}
