//! Reads a run's output: the diagnostics as Terraform prints them, without its line
//! breaks, and the requests that the provider sent.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use xtask::terraform::{Variables, Workspace};

/// The terraform block that every configuration needs.
pub(crate) const REQUIRED: &str = "terraform {\n  required_providers {\n    planton = { source = \"plantonhq/planton\" }\n  }\n}\n";

/// The diagnostics of one run.
#[derive(Debug)]
pub(crate) struct Told {
    all: Vec<Value>,
    hidden: Vec<(String, &'static str)>,
    /// Whether the run succeeded.
    pub(crate) success: bool,
}

impl Told {
    /// Runs `plan`, with further arguments.
    pub(crate) fn by_plan(workspace: &Workspace, variables: Variables<'_>, more: &[&str]) -> Self {
        Self::by(workspace, variables, &[&["plan"], more].concat())
    }

    /// Runs `apply`, with further arguments.
    pub(crate) fn by_apply(workspace: &Workspace, variables: Variables<'_>, more: &[&str]) -> Self {
        let command = ["apply", "-auto-approve"];
        Self::by(workspace, variables, &[&command, more].concat())
    }

    fn by(workspace: &Workspace, variables: Variables<'_>, command: &[&str]) -> Self {
        let command = [command, &["-json", "-input=false"]].concat();
        let outcome = workspace.run_with(&command, variables).unwrap();
        let mut all: Vec<Value> = outcome
            .stdout()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["type"] == "diagnostic")
            .map(|mut line| line["diagnostic"].take())
            .filter(|diagnostic| {
                diagnostic["summary"] != "Provider development overrides are in effect"
            })
            .collect();
        // Terraform walks its graph in no fixed order.
        all.sort_by_key(rendered);
        all.dedup();
        assert!(outcome.success() || !all.is_empty(), "{outcome:?}");
        Self {
            all,
            hidden: vec![(workspace.root().display().to_string(), "<workspace>")],
            success: outcome.success(),
        }
    }

    /// Replaces `text` by `name` in the diagnostics.
    pub(crate) fn hide(mut self, text: impl ToString, name: &'static str) -> Self {
        self.hidden.push((text.to_string(), name));
        self
    }

    /// Returns the diagnostics of the block with this name: a resource, an ephemeral
    /// resource, or an aliased provider.
    #[track_caller]
    pub(crate) fn at(&self, name: &str) -> String {
        let ending = format!(".{name}");
        let told = |diagnostic: &&Value| {
            let address = diagnostic["address"].as_str().unwrap_or_default();
            address.ends_with(&ending)
        };
        let found: Vec<_> = self.all.iter().filter(told).collect();
        assert!(!found.is_empty(), "nothing at {name}: {self:#?}");
        self.render(&found)
    }

    /// Returns all diagnostics.
    pub(crate) fn everything(&self) -> String {
        self.render(&self.all.iter().collect::<Vec<_>>())
    }

    /// Returns the provider's text, without the configuration lines that Terraform
    /// quotes.
    pub(crate) fn words(&self) -> String {
        let text = |one: &Value, what: &str| one[what].as_str().unwrap_or_default().to_owned();
        let words = self
            .all
            .iter()
            .map(|one| [text(one, "summary"), text(one, "detail")].join("\n"));
        words.collect::<Vec<_>>().join("\n")
    }

    /// Returns the number of diagnostics.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn render(&self, diagnostics: &[&Value]) -> String {
        let texts: Vec<_> = diagnostics.iter().map(|one| rendered(one)).collect();
        let mut text = texts.join("\n\n");
        for (hidden, name) in &self.hidden {
            text = text.replace(hidden, name);
        }
        text
    }
}

/// Installs filters for text that differs between runs.
pub(crate) fn filters() -> impl Drop {
    let mut settings = insta::Settings::clone_current();
    for (pattern, replacement) in [
        (
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "<uuid>",
        ),
        (r"127\.0\.0\.1:[0-9]{4,5}", "127.0.0.1:<port>"),
        ("/[0-9]+-[0-9a-f]{8}\"", "/<version>-<attempt>\""),
        ("/[0-9]+-[0-9a-f]{8}:", "/<version>-<attempt>:"),
        ("-[0-9a-f]{16}([/\")])", "-<16 hex>$1"),
        ("-[0-9a-f]{8}([/\")])", "-<8 hex>$1"),
        ("fence/[0-9a-f]{2}", "fence/<2 hex>"),
        ("secrets/[0-9a-f]{15}", "secrets/<15 hex>"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.bind_to_scope()
}

fn rendered(diagnostic: &Value) -> String {
    let text = |pointer: &str| diagnostic.pointer(pointer).and_then(Value::as_str);
    let severity = match text("/severity") {
        Some("error") => "Error",
        _ => "Warning",
    };
    let mut all = format!("{severity}: {}", text("/summary").unwrap_or_default());
    if let Some(context) = text("/snippet/context") {
        all.push_str(&format!("\n  in {context}"));
    }
    if let Some(code) = text("/snippet/code") {
        all.push_str(&format!("\n  at {}", code.trim()));
    }
    if let Some(detail) = text("/detail").filter(|detail| !detail.is_empty()) {
        all.push_str(&format!("\n\n{}", detail.trim_end()));
    }
    all
}

/// The file to which the provider's processes write their requests.
#[derive(Debug)]
pub(crate) struct Requests(PathBuf);

impl Requests {
    /// Records the requests of every later run in `workspace`.
    pub(crate) fn of(workspace: &mut Workspace) -> Self {
        let file = workspace.root().join("requests.log");
        workspace.env("PLANTON_HTTP_REQUEST_LOG", &file);
        Self(file)
    }

    /// Returns the requests since the last call by purpose, in order: organization, key,
    /// record, object, fence, …
    pub(crate) fn take(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        if !text.is_empty() {
            fs::remove_file(&self.0).unwrap();
        }
        text.lines().map(kind).collect()
    }
}

/// Counts the requests of each kind.
pub(crate) fn tally(requests: &[String]) -> Vec<(&str, usize)> {
    let mut kinds: Vec<&str> = requests.iter().map(String::as_str).collect();
    kinds.sort_unstable();
    let runs = kinds.chunk_by(|one, other| one == other);
    runs.map(|run| (run[0], run.len())).collect()
}

/// Returns the purpose of `METHOD PATH STATUS`.
fn kind(line: &str) -> String {
    let (request, status) = line.rsplit_once(' ').unwrap();
    let (method, path) = request.split_once(' ').unwrap();
    let inner = path.trim_start_matches("/v1/").trim_start_matches('/');
    let parts: Vec<_> = inner.split('/').collect();
    let subject = match parts.as_slice() {
        [_, api, "catalog", _, "organization"] => format!("organization {api}"),
        [_, api, "catalog", _, "default"] => format!("default backend {api}"),
        [_, api, "catalog", _, "fence", _] => format!("fence {api}"),
        [_, api, "catalog", _, "secrets", _] => format!("record {api}"),
        [_, api, "catalog", _, "secrets"] => format!("records {api}"),
        [_, api, "catalog", _, "backends", _] => format!("backend record {api}"),
        [_, api, "catalog", _, "entries", _] => format!("entries {api}"),
        [_, api, "catalog", _, "entries", _, _] => format!("entry {api}"),
        [_, api, "planton", ..] => format!("version {api}"),
        [_, api @ ("encrypt" | "decrypt" | "rewrap" | "keys"), _] => format!("transit {api}"),
        ["auth", _, "login"] => "login".to_owned(),
        ["secrets", ..] if status == "401" => return "challenge 401".to_owned(),
        [_, "oauth2", "v2.0", "token"] => "token".to_owned(),
        ["secrets", _] => "secret".to_owned(),
        ["secrets", _, "versions"] => "secret versions".to_owned(),
        ["secrets", _, _] => "secret version".to_owned(),
        ["deletedsecrets", _] => "deleted secret".to_owned(),
        ["projects", _, "secrets"] => "secrets".to_owned(),
        ["projects", _, "secrets", secret] => with_verb("secret", secret),
        ["projects", _, "secrets", _, "versions", version] => with_verb("secret version", version),
        _ => path.to_owned(),
    };
    format!("{method} {subject} {status}")
}

/// Returns the custom method in a Google path: `name:verb`.
fn with_verb(subject: &str, name: &str) -> String {
    match name.split_once(':') {
        Some((_, verb)) => format!("{subject}:{verb}"),
        None => subject.to_owned(),
    }
}
