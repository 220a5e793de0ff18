//! The scenes, with an embedded platform in the owner's folder. One workspace owns the
//! secrets, one reads them, and one belongs to another user.

use std::fs;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::cleanup;
use super::place::Place;
use super::{NAME_PREFIX, Options};
use crate::canary::Canary;
use crate::terraform::Workspace;

const DIGEST: &str = "read-back.sha256";

const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = "unused"
}
variable "rotation" { default = "1" }
variable "protected" { default = true }

resource "planton_secret" "given" {
  name                = "given"
  backend             = planton_secret_backend.smoke.name
  value_wo            = var.value
  value_wo_version    = var.rotation
  keep_versions       = 2
  deletion_protection = var.protected
}
resource "planton_secret" "generated" {
  name             = "generated"
  environment      = "prod"
  backend          = planton_secret_backend.smoke.name
  generate         = { length = 24 }
  value_wo_version = var.rotation
}
resource "planton_secret" "pair" {
  name             = "pair"
  backend          = planton_secret_backend.smoke.name
  data_wo          = { user = "app", password = var.value }
  value_wo_version = var.rotation
}

ephemeral "planton_secret" "given" {
  id      = planton_secret.given.id
  version = planton_secret.given.version
}
resource "terraform_data" "consumer" {
  triggers_replace = planton_secret.given.revision
  provisioner "local-exec" {
    command     = "printf %s \"$DIGEST\" > read-back.sha256"
    environment = { DIGEST = sha256(ephemeral.planton_secret.given.value) }
  }
}
"#;

const READER: &str = r#"
ephemeral "planton_secret" "first" {
  name    = "given"
  version = 1
}
ephemeral "planton_secret" "pair" { name = "pair" }
resource "terraform_data" "consumer" {
  provisioner "local-exec" {
    command = "printf %s \"$DIGEST\" > read-back.sha256"
    environment = {
      DIGEST = sha256("${ephemeral.planton_secret.first.value} ${ephemeral.planton_secret.pair.data["user"]}")
    }
  }
}
"#;

const SOMEBODY: &str = "resource \"planton_secret\" \"pair\" {\n  name = \"pair\"\n  backend = \
                        \"smoke\"\n  data_wo = { user = \"app\" }\n  value_wo_version = \"2\"\n}\n";

pub(super) struct Scenes {
    owner: Workspace,
    reader: Workspace,
    somebody: Workspace,
    values: [Canary; 2],
    objects: String,
}

impl Scenes {
    /// Creates the workspaces without sending a request.
    ///
    /// # Errors
    ///
    /// If their folders cannot be created.
    pub(super) fn new(options: &Options, place: &Place, organization: &str) -> Result<Self> {
        let workspace = || -> Result<Workspace> {
            let mut workspace = Workspace::new(&options.terraform, &options.provider)?;
            for (name, value) in &place.environment {
                workspace.env(name, value);
            }
            Ok(workspace)
        };
        let (owner, reader, somebody) = (workspace()?, workspace()?, workspace()?);
        let platform = owner.root().join("platform").display().to_string();
        let provider = format!(
            "terraform {{\n  required_providers {{\n    planton = {{ source = \
             \"plantonhq/planton\" }}\n  }}\n}}\nprovider \"planton\" {{\n  organization = \
             {organization:?}\n  embedded = {{ path = {platform:?} }}\n}}\n"
        );
        let backend = format!(
            "resource \"planton_secret_backend\" \"smoke\" {{\n  name = \"smoke\"\n{}}}\n",
            place.block
        );
        for (workspace, text) in [
            (&owner, [&backend, SECRETS].concat()),
            (&reader, READER.to_owned()),
            (&somebody, SOMEBODY.to_owned()),
        ] {
            workspace.write("provider.tf", &provider)?;
            workspace.write("main.tf", &text)?;
        }
        Ok(Self {
            owner,
            reader,
            somebody,
            values: ["first", "second"].map(|which| Canary::new(&format!("the {which} value"))),
            objects: format!("{NAME_PREFIX}{}{organization}", place.vendor.separator()),
        })
    }

    /// Runs all scenes. At the end no object remains.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub(super) fn play(&self, tell: &mut impl FnMut(&str)) -> Result<()> {
        let mut scene = |name: &str, scene: &dyn Fn(&Self) -> Result<()>| {
            tell(&format!("==> {name}"));
            scene(self).with_context(|| format!("scene `{name}`"))
        };
        scene(
            "Register the backend and create three secrets",
            &Self::create,
        )?;
        scene("Rotate them", &Self::rotate)?;
        scene(
            "Read an earlier version and a key-value secret",
            &Self::read,
        )?;
        scene("Refuse to destroy a protected secret", &Self::protect)?;
        scene("Find a secret destroyed by somebody else", &Self::drift)?;
        scene("Create it again and lift the protection", &Self::recreate)?;
        scene("Destroy everything", &Self::destroy)
    }

    fn create(&self) -> Result<()> {
        self.apply(0, "1", "true")?;
        self.expect_read(&self.owner, self.values[0].value())?;
        self.owner.plan(&self.of(0, "1", "true"))?.no_changes()?;
        self.search()
    }

    fn rotate(&self) -> Result<()> {
        self.apply(1, "2", "true")?;
        self.expect_read(&self.owner, self.values[1].value())?;
        for name in ["given", "generated", "pair"] {
            let secret = self.owner.resource(&format!("planton_secret.{name}"))?;
            let secret = secret.with_context(|| format!("{name} is in the state"))?;
            ensure!(secret["version"] == 2, "{name}: {}", secret["version"]);
        }
        self.search()
    }

    fn read(&self) -> Result<()> {
        self.reader.apply(&[])?.ok()?;
        let read = format!("{} app", self.values[0].value());
        self.expect_read(&self.reader, &read)?;
        self.search()
    }

    fn protect(&self) -> Result<()> {
        let refused = self.owner.destroy(&self.of(1, "2", "true"))?.error()?;
        ensure!(refused.contains("deletion_protection"), "{refused}");
        Ok(())
    }

    fn drift(&self) -> Result<()> {
        self.somebody
            .import("planton_secret.pair", "pair", &[])?
            .ok()?;
        self.somebody.destroy(&[])?.ok()?;
        let plan = self.owner.plan(&self.of(1, "2", "true"))?.changes()?;
        let plan = plan.stdout().to_owned();
        ensure!(
            plan.contains("1 to add, 0 to change, 0 to destroy"),
            "{plan}"
        );
        Ok(())
    }

    fn recreate(&self) -> Result<()> {
        self.apply(1, "2", "false")?;
        self.owner.plan(&self.of(1, "2", "false"))?.no_changes()?;
        Ok(())
    }

    fn destroy(&self) -> Result<()> {
        self.owner.destroy(&self.of(1, "2", "false"))?.ok()?;
        let left = cleanup::left(&self.owner)?;
        ensure!(left.is_empty(), "still in the state: {left:?}");
        self.search()
    }

    /// Destroys the objects that a failure left.
    ///
    /// # Errors
    ///
    /// The objects that still exist.
    pub(super) fn clean_up(&self) -> Result<()> {
        cleanup::destroy_all(&self.owner, &self.of(1, "2", "false"))
    }

    /// Keeps the folders, and prints their paths and the remaining objects.
    pub(super) fn keep(&mut self) -> String {
        self.owner.keep();
        format!(
            "what is left begins with {}; state and platform are kept: {}",
            self.objects,
            self.by_hand()
        )
    }

    /// Returns the command that destroys everything.
    pub(super) fn by_hand(&self) -> String {
        let root = self.owner.root().display();
        format!(
            "TF_VAR_protected=false TF_CLI_CONFIG_FILE={root}/cli.tfrc terraform -chdir={root}/w \
             apply -destroy"
        )
    }

    fn apply(&self, value: usize, rotation: &str, protected: &str) -> Result<()> {
        let outcome = self
            .owner
            .apply(&self.of(value, rotation, protected))?
            .ok()?;
        for value in &self.values {
            value.absent_from("Terraform's output", &outcome.everything())?;
        }
        Ok(())
    }

    fn of<'a>(
        &'a self,
        value: usize,
        rotation: &'a str,
        protected: &'a str,
    ) -> [(&'a str, &'a str); 3] {
        [
            ("value", self.values[value].value()),
            ("rotation", rotation),
            ("protected", protected),
        ]
    }

    fn expect_read(&self, workspace: &Workspace, value: &str) -> Result<()> {
        let read = fs::read_to_string(workspace.path().join(DIGEST));
        let read = read.context("the consumer left no digest")?;
        ensure!(
            read == hex::encode(Sha256::digest(value)),
            "another value came back"
        );
        Ok(())
    }

    /// Searches state, logs and platform for plaintexts.
    fn search(&self) -> Result<()> {
        for value in &self.values {
            for workspace in [&self.owner, &self.reader, &self.somebody] {
                value.absent_below(workspace.root())?;
            }
        }
        Ok(())
    }
}
