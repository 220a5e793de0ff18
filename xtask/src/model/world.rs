//! The folders of a sequence over one platform. Runs and judges each step.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::command::Command;
use super::config::{Config, Name};
use super::edit;
use super::generate::FOLDERS;
use super::kill;
use super::ledger::Ledger;
use super::reader::Reader;
use super::state::State;
use super::steps::{Kill, Step};
use super::transcript::Transcript;
use super::violation::{Checked, Rule, broken};
use crate::terraform::{Outcome, Terraform, Workspace};

/// The platform that a sequence's folders share.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) organization: String,
    /// The platform's lines in the provider block.
    pub(crate) lines: String,
    /// The folder of the embedded platform.
    pub(crate) folder: Option<PathBuf>,
}

/// The result of a run of Terraform.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    /// Whether the run was killed as requested.
    pub(crate) killed: bool,
    pub(super) text: String,
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

    /// Returns the output on one line, without Terraform's frames.
    pub(crate) fn flat(&self) -> String {
        let words = self.text.split_whitespace().filter(|it| *it != "│");
        words.collect::<Vec<_>>().join(" ")
    }

    /// Returns the value for `PLANTON_RESUME` in a diagnostic.
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
        let from = lines
            .len()
            .saturating_sub(if self.success { 12 } else { 45 });
        write!(f, "the run {end}:\n{}", lines[from..].join("\n"))
    }
}

/// A folder with a configuration and a state.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) workspace: Workspace,
    pub(super) config: Config,
    written: Option<String>,
    pub(super) saved: Option<Saved>,
}

/// A saved plan.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) command: Command,
    /// Whether Terraform has run in any folder since.
    pub(super) is_old: bool,
}

/// The state of a sequence.
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
    /// The value for `PLANTON_RESUME` in the last diagnostic.
    pub(super) resume: Option<String>,
    /// The number of Terraform runs, without the reader's.
    pub(crate) runs: usize,
}

impl World {
    pub(crate) fn new(terraform: &Terraform, binary: &Path, platform: &Platform) -> Result<Self> {
        let mut folders = Vec::new();
        // The end of a sequence uses one folder more.
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

    /// Returns the number of Terraform runs.
    pub(crate) fn all_runs(&self) -> usize {
        self.runs + self.reader.runs
    }

    /// Carries out and judges a step.
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

    /// Runs the command, judges its effects, and checks the reason for a failure.
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
        // Terraform's own error, before it calls any provider: a dependent leaves the
        // configuration together with its create_before_destroy.
        let is_cycle = ran.flat().contains("Error: Cycle: ");
        if !ran.success && !ran.killed && !is_cycle && excuse.is_none() {
            return broken(
                Rule::Refused,
                format!("`{}` in folder {folder}: {ran}", arguments.join(" ")),
            );
        }
        Ok(ran)
    }

    pub(super) fn run(
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

    pub(super) fn write(&mut self, folder: usize) -> Result<()> {
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

    /// Returns whether the platform may have changed since the last reading.
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
