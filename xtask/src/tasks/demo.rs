//! Runs the main workflow once with a real Terraform and the embedded platform, and
//! prints each check.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use xtask::canary::Canary;
use xtask::paths;
use xtask::terraform::{Terraform, Workspace};

use super::{Profile, build_provider, some_terraform, step};

const EXAMPLE: &str = "examples/demo";
const SECRET: &str = "planton_secret.database_password";
const IMPORT_NAME: &str = "prod/database-password";

/// Runs the demo.
///
/// # Errors
///
/// The first step that fails.
pub(crate) fn run() -> Result<()> {
    let terraform = step("Find a Terraform", some_terraform)?;
    say(&format!("This is {terraform}."));
    let provider = step("Build the provider", || build_provider(Profile::Debug))?;
    let demo = Demo::new(&terraform, &provider)?;

    step("Create a secret", || demo.create())?;
    step("Apply again", || demo.apply_again())?;
    step("Rotate it", || demo.rotate())?;
    step("Import it into another workspace", || demo.import())?;
    step("Destroy everything", || demo.destroy())?;
    eprintln!("\nThe demo went well, in a temporary folder that is gone by now.");
    Ok(())
}

/// Two workspaces over one embedded platform.
struct Demo {
    owner: Workspace,
    other: Workspace,
    platform: String,
    passwords: [Canary; 2],
}

impl Demo {
    fn new(terraform: &Terraform, provider: &Path) -> Result<Self> {
        let example = paths::repository().join(EXAMPLE);
        let mut owner = Workspace::new(terraform, provider)?;
        owner.copy_from(&example)?;
        owner.trace();
        let mut other = Workspace::new(terraform, provider)?;
        other.copy_from(&example.join("import"))?;
        other.trace();
        // Inside the first workspace's folder, so that the search below also covers the
        // platform's data.
        let platform = owner.root().join("platform").display().to_string();
        let passwords =
            ["first", "second"].map(|which| Canary::new(&format!("the {which} password")));
        Ok(Self {
            owner,
            other,
            platform,
            passwords,
        })
    }

    fn create(&self) -> Result<()> {
        self.apply(0, "1")?;
        say("Terraform stored the secret, sealed, in the embedded platform.");
        say("An ephemeral resource read it back just in time, as the input of a consumer's");
        say("write-only argument; the consumer got exactly this value.");
        self.search()
    }

    fn apply_again(&self) -> Result<()> {
        self.owner.plan(&self.variables(0, "1"))?.no_changes()?;
        say("The same configuration plans no changes.");
        Ok(())
    }

    fn rotate(&self) -> Result<()> {
        let before = self.version()?;
        self.apply(1, "2")?;
        let after = self.version()?;
        ensure!(after == before + 1, "version {before} became {after}");
        say(&format!(
            "A raised value_wo_version wrote version {after}, and the consumer has it."
        ));
        self.owner.plan(&self.variables(1, "2"))?.no_changes()?;
        self.search()
    }

    fn import(&self) -> Result<()> {
        let variables = [
            ("platform", self.platform.as_str()),
            ("password_version", "2"),
        ];
        self.other.import(SECRET, IMPORT_NAME, &variables)?.ok()?;
        self.other.plan(&variables)?.no_changes()?;
        let id = |workspace: &Workspace| -> Result<String> {
            let secret = workspace
                .resource(SECRET)?
                .context("the secret is in state")?;
            Ok(secret["id"].as_str().context("it has an id")?.to_owned())
        };
        ensure!(
            id(&self.owner)? == id(&self.other)?,
            "another secret was imported"
        );
        say(&format!(
            "`terraform import {SECRET} {IMPORT_NAME}` was followed by an empty plan."
        ));
        self.search()
    }

    fn destroy(&self) -> Result<()> {
        self.owner.destroy(&self.variables(1, "2"))?.ok()?;
        ensure!(
            self.owner.resource(SECRET)?.is_none(),
            "the secret is still in state"
        );
        let variables = [
            ("platform", self.platform.as_str()),
            ("password_version", "2"),
        ];
        let plan = self.other.plan_with(&variables, &["-refresh-only"])?;
        plan.changes()
            .context("the other workspace was to see that the secret is gone")?;
        say("The secrets are gone; the other workspace's refresh tells so.");
        self.search()
    }

    fn apply(&self, password: usize, version: &str) -> Result<()> {
        let variables = self.variables(password, version);
        self.owner
            .plan_with(&variables, &["-out=plan"])?
            .changes()?;
        let outcome = self.owner.apply_with(&variables, &["plan"])?.ok()?;
        for canary in &self.passwords {
            canary.absent_from("Terraform's output and TRACE log", &outcome.everything())?;
        }
        let url = format!("postgres://app:{}@db/app", self.passwords[password].value());
        let digest = fs::read_to_string(self.owner.path().join("read-back.sha256"))
            .context("the consumer left no digest")?;
        ensure!(
            digest == hex::encode(Sha256::digest(url)),
            "another value came back"
        );
        Ok(())
    }

    fn version(&self) -> Result<u64> {
        let outputs = self.owner.outputs()?;
        outputs["version"]["value"]
            .as_u64()
            .context("the version is a number")
    }

    fn variables<'a>(&'a self, password: usize, version: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("platform", &self.platform),
            ("password", self.passwords[password].value()),
            ("password_version", version),
        ]
    }

    /// Searches all data at rest: state and its backup, plan files, TRACE logs, temporary
    /// files, and the platform's database.
    fn search(&self) -> Result<()> {
        for canary in &self.passwords {
            canary.absent_below(self.owner.root())?;
            canary.absent_below(self.other.root())?;
        }
        say(
            "No file has a plaintext in any encoding: not state, plan file, TRACE log or platform.",
        );
        Ok(())
    }
}

fn say(text: &str) {
    eprintln!("    {text}");
}
