//! A temporary folder with a configuration, where a real Terraform runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::{Outcome, PlanOutcome, Terraform};
use crate::process::Running;

const BINARY: &str = "terraform-provider-planton";
const DEFAULT_BOUND: Duration = Duration::from_secs(180);
const COMMON: [&str; 2] = ["-no-color", "-input=false"];

/// Values for the configuration's variables: names and texts, or HCL
/// expressions where a variable's type is not string.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A folder of its own for each test: configuration, state, home, temporary
/// files and logs, all of which are gone when it is dropped.
///
/// The environment of every run is empty but for what [`env`](Self::env) set,
/// PATH, and HOME and TMPDIR inside this folder: nothing of the practitioner's
/// own (`TF_*`, `PLANTON_*`, `BAO_*`, `VAULT_*`, the data folder) reaches a test.
#[derive(Debug)]
pub struct Workspace {
    terraform: Terraform,
    root: TempDir,
    folder: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    bound: Duration,
    trace: bool,
    runs: AtomicUsize,
}

impl Workspace {
    /// Makes an empty folder where `terraform` finds `provider_binary` as
    /// `plantonhq/planton`, without an init.
    ///
    /// # Errors
    ///
    /// If the folder can't be made.
    pub fn new(terraform: &Terraform, provider_binary: &Path) -> Result<Self> {
        // Short: the provider's socket stands below it, in at most 104 bytes.
        let root = tempfile::Builder::new().prefix("ptf").tempdir();
        let root = root.context("creating a workspace")?;
        for name in ["w", "home", "tmp", "logs", "providers"] {
            fs::create_dir(root.path().join(name)).context("creating a workspace's folders")?;
        }
        // A link in a folder of its own: next to the binary stands a `.d` file
        // that Terraform would take for a provider too.
        let providers = root.path().join("providers");
        let target = std::path::absolute(provider_binary).context("the provider's path")?;
        std::os::unix::fs::symlink(&target, providers.join(BINARY))
            .context("linking the provider")?;
        let providers = providers.display();
        let config = format!(
            "disable_checkpoint = true\n\
             provider_installation {{\n  dev_overrides {{\n    \
             \"registry.terraform.io/plantonhq/planton\" = \"{providers}\"\n    \
             \"registry.opentofu.org/plantonhq/planton\" = \"{providers}\"\n  }}\n}}\n"
        );
        fs::write(root.path().join("cli.tfrc"), config).context("writing the CLI configuration")?;
        Ok(Self {
            terraform: terraform.clone(),
            folder: root.path().join("w"),
            root,
            environment: BTreeMap::new(),
            bound: DEFAULT_BOUND,
            trace: false,
            runs: AtomicUsize::new(0),
        })
    }

    /// Sets a variable for every later run.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Unsets a variable again.
    pub fn env_remove(&mut self, name: &str) -> &mut Self {
        self.environment.remove(std::ffi::OsStr::new(name));
        self
    }

    /// Logs every later run at level TRACE, into [`Outcome::log`].
    pub fn trace(&mut self) -> &mut Self {
        self.trace = true;
        self
    }

    /// Bounds every later run; 3 minutes at first. What takes longer is killed.
    pub fn bound(&mut self, bound: Duration) -> &mut Self {
        self.bound = bound;
        self
    }

    /// Returns the Terraform that runs here.
    #[must_use]
    pub fn terraform(&self) -> &Terraform {
        &self.terraform
    }

    /// Returns the folder of the configuration and the state.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder that holds all of this: configuration, state, home,
    /// temporary files and logs. It is what to search for planted values.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns HOME of every run.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Keeps the folder on disk when this is dropped.
    pub fn keep(&mut self) -> &mut Self {
        self.root.disable_cleanup(true);
        self
    }

    /// Writes a file of the configuration.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn write(&self, name: &str, text: &str) -> Result<&Self> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        Ok(self)
    }

    /// Copies the files of `folder`, as an example has them.
    ///
    /// # Errors
    ///
    /// If one can't be copied.
    pub fn copy_from(&self, folder: &Path) -> Result<&Self> {
        let reading = || format!("copying {}", folder.display());
        for entry in fs::read_dir(folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            if entry.file_type().with_context(reading)?.is_file() {
                fs::copy(entry.path(), self.folder.join(entry.file_name()))
                    .with_context(reading)?;
            }
        }
        Ok(self)
    }

    /// Applies without asking.
    ///
    /// # Errors
    ///
    /// If Terraform can't be run within its bound; not for its exit code.
    pub fn apply(&self, variables: Variables<'_>) -> Result<Outcome> {
        self.apply_with(variables, &[])
    }

    /// Applies with further arguments: `-replace=…`, `-parallelism=…`, or the
    /// name of a plan file.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_with(&self, variables: Variables<'_>, arguments: &[&str]) -> Result<Outcome> {
        self.run_with(
            &[&["apply", "-auto-approve"], &COMMON[..], arguments].concat(),
            variables,
        )
    }

    /// Plans.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn plan(&self, variables: Variables<'_>) -> Result<PlanOutcome> {
        self.plan_with(variables, &[])
    }

    /// Plans with further arguments: `-out=…`, `-refresh-only`, `-destroy`.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn plan_with(&self, variables: Variables<'_>, arguments: &[&str]) -> Result<PlanOutcome> {
        let command = ["plan", "-detailed-exitcode"];
        let outcome = self.run_with(&[&command, &COMMON[..], arguments].concat(), variables)?;
        Ok(PlanOutcome::of(outcome))
    }

    /// Destroys everything without asking.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn destroy(&self, variables: Variables<'_>) -> Result<Outcome> {
        self.run_with(
            &[&["destroy", "-auto-approve"], &COMMON[..]].concat(),
            variables,
        )
    }

    /// Imports `id` as the resource at `address`.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn import(&self, address: &str, id: &str, variables: Variables<'_>) -> Result<Outcome> {
        self.run_with(
            &[&["import"], &COMMON[..], &[address, id]].concat(),
            variables,
        )
    }

    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn validate(&self) -> Result<Outcome> {
        self.run(&["validate", "-no-color"])
    }

    /// Returns the state as `show -json` has it.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn show_state(&self) -> Result<Value> {
        self.json(&["show", "-json"])
    }

    /// Returns a plan file as `show -json` has it.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn show_plan(&self, file: &str) -> Result<Value> {
        self.json(&["show", "-json", file])
    }

    /// Returns the values of all outputs.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn outputs(&self) -> Result<Value> {
        self.json(&["output", "-json"])
    }

    /// Returns the schemas of all providers of the configuration.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn schemas(&self) -> Result<Value> {
        self.json(&["providers", "schema", "-json"])
    }

    /// Returns the attributes of the resource at `address`; `None` where state
    /// has none. Of the root module only.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn resource(&self, address: &str) -> Result<Option<Value>> {
        let state = self.show_state()?;
        let resources = state.pointer("/values/root_module/resources");
        let found = resources.and_then(Value::as_array).and_then(|resources| {
            resources
                .iter()
                .find(|resource| resource["address"] == *address)
        });
        Ok(found.map(|resource| resource["values"].clone()))
    }

    /// Returns the state's text; empty where there is no state.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn state_text(&self) -> Result<String> {
        Ok(self.run(&["state", "pull"])?.ok()?.process.stdout)
    }

    /// Returns what a command with `-json` prints.
    ///
    /// # Errors
    ///
    /// If Terraform fails or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let outcome = self.run(arguments)?.ok()?;
        serde_json::from_str(outcome.stdout())
            .with_context(|| format!("no JSON from {arguments:?}: {outcome:?}"))
    }

    /// Runs any command line.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn run(&self, arguments: &[&str]) -> Result<Outcome> {
        self.run_with(arguments, &[])
    }

    /// Runs any command line with values for variables.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn run_with(&self, arguments: &[&str], variables: Variables<'_>) -> Result<Outcome> {
        self.spawn(arguments, variables)?.wait()
    }

    /// Starts any command line, to be interrupted or killed.
    ///
    /// # Errors
    ///
    /// If Terraform can't be started.
    pub fn spawn(&self, arguments: &[&str], variables: Variables<'_>) -> Result<WorkspaceRun> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let log = self.root.path().join(format!("logs/{number}.log"));
        let mut command = self.command(variables);
        command.args(arguments);
        if self.trace {
            command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", &log);
        }
        Ok(WorkspaceRun {
            running: Running::spawn(&mut command)?,
            folder: self.root.path().to_owned(),
            log,
            bound: self.bound,
        })
    }

    /// Returns a command without arguments that runs Terraform here.
    #[must_use]
    pub fn command(&self, variables: Variables<'_>) -> Command {
        let mut command = self.terraform.command();
        command
            .current_dir(&self.folder)
            .env("HOME", self.home())
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("TF_CLI_CONFIG_FILE", self.root.path().join("cli.tfrc"))
            .envs(&self.environment);
        // Not as -var: Terraform logs its command line at level INFO.
        for (name, value) in variables {
            command.env(format!("TF_VAR_{name}"), value);
        }
        command
    }
}

/// A run of Terraform that goes on.
#[derive(Debug)]
pub struct WorkspaceRun {
    /// The process: to await its output, to signal it, to learn its id.
    pub running: Running,
    folder: PathBuf,
    log: PathBuf,
    bound: Duration,
}

impl WorkspaceRun {
    /// Returns the log as it is by now; empty where none was asked for.
    #[must_use]
    pub fn log(&self) -> String {
        read_lossy(&self.log)
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// If the workspace's bound was over first.
    pub fn wait(self) -> Result<Outcome> {
        let process = self.running.wait(self.bound)?;
        Ok(Outcome {
            process,
            log: read_lossy(&self.log),
            folder: self.folder,
        })
    }
}

fn read_lossy(file: &Path) -> String {
    fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
