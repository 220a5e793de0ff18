//! Reads secrets as a consumer, in a folder that manages none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::config::{Config, Name};
use crate::terraform::{Terraform, Workspace};

/// A secret to read.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The secret whose value to read.
    pub(crate) uuid: Option<String>,
    /// The secret whose record to read.
    pub(crate) name: Option<Name>,
}

/// The result of a reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) value: Option<String>,
    pub(crate) standing: Option<Standing>,
}

/// The catalog's data about the secret of a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) uuid: String,
    pub(crate) version: Option<u64>,
    pub(crate) labels: Value,
    pub(crate) description: Value,
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Reader {
    workspace: Workspace,
    provider: String,
    out: PathBuf,
    /// The number of Terraform runs.
    pub(crate) runs: usize,
}

impl Reader {
    pub(crate) fn new(
        terraform: &Terraform,
        binary: &Path,
        (organization, platform): (&str, &str),
    ) -> Result<Self> {
        let workspace = Workspace::new(terraform, binary)?;
        Ok(Self {
            out: workspace.root().join("values.json"),
            workspace,
            provider: Config::empty().text(organization, platform),
            runs: 0,
        })
    }

    /// Reads the secrets. The result of an absent secret is empty.
    pub(crate) fn read(&mut self, asked: &[Asked]) -> Result<Vec<Reading>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing = BTreeSet::new();
        let count = |one: &Asked| usize::from(one.uuid.is_some()) + usize::from(one.name.is_some());
        let all: usize = asked.iter().map(count).sum();
        while missing.len() < all {
            let failed = match self.run(asked, &missing)? {
                Ok(readings) => return Ok(readings),
                Err(failed) => failed,
            };
            let before = missing.len();
            missing.extend(failed);
            if missing.len() == before {
                bail!("the reader fails for a reason of its own");
            }
        }
        Ok(vec![Reading::default(); asked.len()])
    }

    /// Returns the readings, or the addresses that failed.
    fn run(
        &mut self,
        asked: &[Asked],
        missing: &BTreeSet<String>,
    ) -> Result<Result<Vec<Reading>, Vec<String>>> {
        let mut text = self.provider.clone();
        let mut values = String::new();
        for (number, one) in asked.iter().enumerate() {
            let mut value = "null".to_owned();
            let mut standing = "null".to_owned();
            let address = format!("ephemeral.planton_secret.s{number}");
            if let Some(uuid) = one.uuid.as_ref().filter(|_| !missing.contains(&address)) {
                text.push_str(&format!(
                    "ephemeral \"planton_secret\" \"s{number}\" {{\n  id = {uuid:?}\n}}\n"
                ));
                value = format!("{address}.value");
            }
            let address = format!("data.planton_secret.s{number}");
            if let Some(name) = one.name.as_ref().filter(|_| !missing.contains(&address)) {
                let lines = name.lines();
                text.push_str(&format!(
                    "data \"planton_secret\" \"s{number}\" {{\n{lines}}}\n"
                ));
                standing = address;
            }
            values.push_str(&format!(
                "      {{ value = {value}, standing = {standing} }},\n"
            ));
        }
        let out = &self.out;
        text.push_str(&format!(
            "resource \"terraform_data\" \"read\" {{\n  provisioner \"local-exec\" {{\n    \
             command = \"printf %s \\\"$VALUES\\\" > \\\"$OUT\\\"\"\n    environment = {{\n      OUT = {out:?}\n      \
             VALUES = jsonencode([\n{values}      ])\n    }}\n  }}\n}}\n"
        ));
        self.workspace.write("main.tf", &text)?;
        let _ = std::fs::remove_file(self.workspace.path().join("terraform.tfstate"));
        self.runs += 1;
        let outcome = self.workspace.apply_with(&[], &["-json"])?;
        if !outcome.success() {
            let errors = outcome.structured();
            let failed: Vec<_> = errors.iter().filter_map(|it| it.address.clone()).collect();
            if failed.is_empty() {
                bail!("the reader failed: {outcome:?}");
            }
            return Ok(Err(failed));
        }
        let read = std::fs::read(&self.out).context("what was read")?;
        let read: Vec<Value> = serde_json::from_slice(&read).context("what was read")?;
        Ok(Ok(read.iter().map(parse).collect()))
    }
}

fn parse(json: &Value) -> Reading {
    let standing = &json["standing"];
    Reading {
        value: json["value"].as_str().map(str::to_owned),
        standing: standing["id"].as_str().map(|uuid| Standing {
            uuid: uuid.to_owned(),
            version: standing["version"].as_u64(),
            labels: without_nulls(&standing["labels_all"]),
            description: standing["description"].clone(),
        }),
    }
}

/// Returns a map, and an empty one for null.
pub(crate) fn without_nulls(labels: &Value) -> Value {
    match labels.as_object() {
        Some(map) if !map.is_empty() => labels.clone(),
        _ => Value::Null,
    }
}
