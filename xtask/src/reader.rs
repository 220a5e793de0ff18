//! The vendors' official clients, which see a secret backend as a person with a
//! console does: `reader.py`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::process;
use crate::tools::Tools;

const SCRIPT: &str = include_str!("../reader.py");
const BOUND: Duration = Duration::from_secs(120);

/// An object as a vendor's client shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The name.
    pub name: String,
    /// What people see beside it: tags, labels, a description.
    pub about: Vec<String>,
    /// What is stored, one for each version.
    pub payloads: Vec<Vec<u8>>,
}

/// All that a vendor's client shows of a place.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The objects, in the order of their names.
    pub objects: Vec<Object>,
    /// The same as the client's script printed it.
    pub printed: String,
}

/// Asks the client of `request["vendor"]` for all that is there.
///
/// # Errors
///
/// If the client fails, with what it printed.
pub fn read(tools: &Tools, request: &Value) -> Result<Reading> {
    let printed = ask(tools, request)?;
    let listed: Value = serde_json::from_str(&printed).context("the client's answer is JSON")?;
    let listed = listed.as_array().context("a list of objects")?;
    let mut objects = listed.iter().map(object).collect::<Result<Vec<_>>>()?;
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Reading { objects, printed })
}

/// Has the client of `request["vendor"]` do something; returns what it printed.
///
/// # Errors
///
/// If the client fails, with what it printed.
pub fn ask(tools: &Tools, request: &Value) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("reader").tempdir();
    let folder = folder.context("creating a reader's folder")?;
    let file = folder.path().join("request.json");
    fs::write(&file, request.to_string()).context("writing a reader's request")?;
    let mut python = Command::new(tools.python());
    python
        .args(["-c", SCRIPT])
        .arg(&file)
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(process::run(&mut python, BOUND)?.ok()?.stdout)
}

fn object(listed: &Value) -> Result<Object> {
    let texts = |of: &str| -> Result<Vec<String>> {
        let all = listed[of].as_array().with_context(|| of.to_owned())?;
        let texts = all.iter().map(|text| text.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().context("texts")
    };
    let decode = |text: String| STANDARD.decode(text).context("a payload in Base64");
    Ok(Object {
        name: listed["name"].as_str().context("a name")?.to_owned(),
        about: texts("about")?,
        payloads: texts("payloads")?
            .into_iter()
            .map(decode)
            .collect::<Result<_>>()?,
    })
}
