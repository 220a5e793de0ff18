//! A temporary folder with a configuration, in which a real Terraform runs.

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

use super::{Outcome, PlanOutcome, Terraform, WorkspaceRun};
use crate::process::Running;

const OUR_PROVIDER: &str = "plantonhq/planton";
const DEFAULT_BOUND: Duration = Duration::from_secs(180);
const COMMON: [&str; 2] = ["-no-color", "-input=false"];

/// Values of the configuration's variables: texts, or HCL expressions for variables of
/// other types.
pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A test's folder with configuration, state, home, temporary files and logs. It is
/// removed on drop.
///
/// The environment of every run contains only PATH, HOME and TMPDIR inside this folder,
/// and the variables that [`env`](Self::env) set. The user's own environment (`TF_*`,
/// `PLANTON_*`, `BAO_*`, `VAULT_*`, the data folder) never reaches a test.
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
    /// Creates an empty folder in which `terraform` finds `provider_binary` as
    /// `plantonhq/planton` without an init.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created.
    pub fn new(terraform: &Terraform, provider_binary: &Path) -> Result<Self> {
        Self::with_provider(terraform, OUR_PROVIDER, provider_binary)
    }

    /// Creates an empty folder as [`new`](Self::new) does, for the binary of another provider,
    /// such as `hashicorp/vault`.
    ///
    /// # Errors
    ///
    /// If the name has no `/`, or the folder cannot be created.
    pub fn with_provider(
        terraform: &Terraform,
        provider: &str,
        provider_binary: &Path,
    ) -> Result<Self> {
        let (_, kind) = provider
            .split_once('/')
            .with_context(|| format!("{provider} has no namespace"))?;
        // A short path, because the path of the provider's socket has at most 104 bytes.
        let root = tempfile::Builder::new().prefix("ptf").tempdir();
        let root = root.context("creating a workspace")?;
        for name in ["w", "home", "tmp", "logs", "providers"] {
            fs::create_dir(root.path().join(name)).context("creating a workspace's folders")?;
        }
        // Links the binary in its own folder. Terraform would treat the `.d` file beside
        // the binary as another provider.
        let providers = root.path().join("providers");
        let target = std::path::absolute(provider_binary).context("the provider's path")?;
        std::os::unix::fs::symlink(
            &target,
            providers.join(format!("terraform-provider-{kind}")),
        )
        .context("linking the provider")?;
        let providers = providers.display();
        let config = format!(
            "disable_checkpoint = true\n\
             provider_installation {{\n  dev_overrides {{\n    \
             \"registry.terraform.io/{provider}\" = \"{providers}\"\n    \
             \"registry.opentofu.org/{provider}\" = \"{providers}\"\n  }}\n}}\n"
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

    /// Sets the time limit of every later run. The default is 3 minutes. A run that exceeds
    /// it is killed.
    pub fn bound(&mut self, bound: Duration) -> &mut Self {
        self.bound = bound;
        self
    }

    /// Returns the Terraform in use.
    #[must_use]
    pub fn terraform(&self) -> &Terraform {
        &self.terraform
    }

    /// Returns the folder of the configuration and the state.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder with configuration, state, home, temporary files and logs, to
    /// search for planted values.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns HOME of every run.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Keeps the folder on disk after the drop.
    pub fn keep(&mut self) -> &mut Self {
        self.root.disable_cleanup(true);
        self
    }

    /// Writes a file of the configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<&Self> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        Ok(self)
    }

    /// Copies the files of `folder`, such as an example.
    ///
    /// # Errors
    ///
    /// If one cannot be copied.
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

    /// Applies without a prompt.
    ///
    /// # Errors
    ///
    /// If Terraform does not run within its time limit. A nonzero exit code is not an error.
    pub fn apply(&self, variables: Variables<'_>) -> Result<Outcome> {
        self.apply_with(variables, &[])
    }

    /// Applies with further arguments, such as `-replace=…`, `-parallelism=…` or the name of
    /// a plan file.
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

    /// Plans with further arguments, such as `-out=…`, `-refresh-only` or `-destroy`.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn plan_with(&self, variables: Variables<'_>, arguments: &[&str]) -> Result<PlanOutcome> {
        let command = ["plan", "-detailed-exitcode"];
        let outcome = self.run_with(&[&command, &COMMON[..], arguments].concat(), variables)?;
        Ok(PlanOutcome::of(outcome))
    }

    /// Destroys everything without a prompt.
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

    /// Validates the configuration.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn validate(&self) -> Result<Outcome> {
        self.run(&["validate", "-no-color"])
    }

    /// Returns the state in the form of `show -json`.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn show_state(&self) -> Result<Value> {
        self.json(&["show", "-json"])
    }

    /// Returns a plan file in the form of `show -json`.
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

    /// Returns the attributes of the resource at `address` in the root module, or `None` if
    /// the state has none.
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

    /// Returns the state's text, which is empty without a state.
    ///
    /// # Errors
    ///
    /// If Terraform fails.
    pub fn state_text(&self) -> Result<String> {
        Ok(self.run(&["state", "pull"])?.ok()?.process.stdout)
    }

    /// Returns the output of a command with `-json`.
    ///
    /// # Errors
    ///
    /// If Terraform fails or prints no JSON.
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

    /// Starts any command line, for an interrupt or a kill.
    ///
    /// # Errors
    ///
    /// If Terraform cannot be started.
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

    /// Returns a command without arguments that runs Terraform in this folder.
    #[must_use]
    pub fn command(&self, variables: Variables<'_>) -> Command {
        let mut command = self.terraform.command();
        command
            .current_dir(&self.folder)
            .env("HOME", self.home())
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("TF_CLI_CONFIG_FILE", self.root.path().join("cli.tfrc"))
            .envs(&self.environment);
        // Set in the environment, because Terraform logs -var arguments at level INFO.
        for (name, value) in variables {
            command.env(format!("TF_VAR_{name}"), value);
        }
        command
    }
}
