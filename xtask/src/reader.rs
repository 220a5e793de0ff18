//! Runs the vendors' official clients (`reader.py`), which read a secret backend as a
//! user of the console does.

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

/// An object as a vendor's client returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The name.
    pub name: String,
    /// Its tags, labels and description.
    pub about: Vec<String>,
    /// The stored payloads, one for each version.
    pub payloads: Vec<Vec<u8>>,
}

/// Everything that a vendor's client returns.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The objects, sorted by name.
    pub objects: Vec<Object>,
    /// The output of the client's script.
    pub printed: String,
}

/// Reads everything with the client of `request["vendor"]`.
///
/// # Errors
///
/// If the client fails; with its output.
pub fn read(tools: &Tools, request: &Value) -> Result<Reading> {
    let printed = ask(tools, request)?;
    let listed: Value = serde_json::from_str(&printed).context("the client's answer is JSON")?;
    let listed = listed.as_array().context("a list of objects")?;
    let mut objects = listed.iter().map(object).collect::<Result<Vec<_>>>()?;
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Reading { objects, printed })
}

/// Runs an action with the client of `request["vendor"]`, and returns its output.
///
/// # Errors
///
/// If the client fails; with its output.
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
