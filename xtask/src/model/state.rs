//! Reads the secrets in a folder's state file.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::config::Name;

/// An instance of `planton_secret`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instance {
    pub(crate) address: String,
    pub(crate) is_deposed: bool,
    pub(crate) is_tainted: bool,
    pub(crate) uuid: String,
    pub(crate) name: Name,
    pub(crate) attributes: Value,
}

impl Instance {
    pub(crate) fn is_current(&self) -> bool {
        !self.is_deposed
    }

    pub(crate) fn is_protected(&self) -> bool {
        self.attributes["deletion_protection"] == true
    }

    pub(crate) fn is_retained(&self) -> bool {
        self.attributes["on_destroy"] == "retain"
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.attributes["version"].as_u64()
    }

    /// Returns the trigger's text.
    pub(crate) fn trigger(&self) -> Option<&str> {
        self.attributes["value_wo_version"].as_str()
    }
}

/// The secrets of one state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) instances: Vec<Instance>,
    /// Whether the state contains nothing.
    pub(crate) is_empty: bool,
}

impl State {
    /// Reads the state file below `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let Ok(text) = std::fs::read_to_string(folder.join("terraform.tfstate")) else {
            return Ok(Self {
                instances: Vec::new(),
                is_empty: true,
            });
        };
        if text.trim().is_empty() {
            return Ok(Self {
                instances: Vec::new(),
                is_empty: true,
            });
        }
        let json: Value = serde_json::from_str(&text).context("reading a state")?;
        let resources = json["resources"].as_array().cloned().unwrap_or_default();
        let mut state = Self {
            instances: Vec::new(),
            is_empty: resources.is_empty(),
        };
        for resource in resources {
            if resource["type"] != "planton_secret" || resource["mode"] != "managed" {
                continue;
            }
            for instance in resource["instances"].as_array().into_iter().flatten() {
                state.instances.extend(parse(&resource, instance));
            }
        }
        Ok(state)
    }

    pub(crate) fn current(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|it| it.is_current())
    }

    pub(crate) fn at(&self, address: &str) -> Option<&Instance> {
        self.current().find(|it| it.address == address)
    }

    pub(crate) fn has(&self, uuid: &str) -> bool {
        self.instances.iter().any(|it| it.uuid == uuid)
    }
}

fn parse(resource: &Value, instance: &Value) -> Option<Instance> {
    let attributes = &instance["attributes"];
    let text = |name: &str| attributes[name].as_str().map(str::to_owned);
    Some(Instance {
        address: resource["name"].as_str()?.to_owned(),
        is_deposed: !instance["deposed"].is_null(),
        is_tainted: instance["status"] == "tainted",
        uuid: text("id")?,
        name: Name {
            environment: text("environment"),
            name: text("name")?,
        },
        attributes: attributes.clone(),
    })
}
