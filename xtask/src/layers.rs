//! Checks that modules use only what stands below them.

mod lexer;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xtask::paths;

/// Who may use whom: the arrows of ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["protocol", "provider", "cli"]),
    ("protocol", &["plugin"]),
    (
        "provider",
        &[
            "resources",
            "data_sources",
            "ephemeral",
            "functions",
            "surface",
            "operations",
            "backends",
            "kek",
            "plugin",
            // It wires them together and turns their errors into diagnostics.
            "catalog",
            "store",
            "envelope",
            "clients",
            "http",
        ],
    ),
    ("cli", &["provider", "surface", "operations", "plugin"]),
    ("resources", &["surface", "operations", "plugin"]),
    ("data_sources", &["surface", "operations", "plugin"]),
    ("ephemeral", &["surface", "operations", "plugin"]),
    ("functions", &["operations", "plugin"]),
    // It turns the errors of all that is below into diagnostics.
    (
        "surface",
        &["operations", "catalog", "store", "kek", "plugin"],
    ),
    ("operations", &["catalog", "store", "envelope", "kek"]),
    ("backends", &["store", "clients", "http"]),
    ("kek", &["envelope", "clients", "http"]),
    // Types only of envelope and store: docs/adr/0005-record-layout.md.
    ("catalog", &["clients", "envelope", "store"]),
    ("clients", &["http"]),
    ("plugin", &[]),
    ("envelope", &[]),
    ("store", &[]),
    ("http", &[]),
    ("limits", &[]),
    ("names", &[]),
    ("secret", &[]),
];

/// Plain types that everybody may use.
const LEAVES: &[&str] = &["limits", "names", "secret"];

/// Words and the only modules whose code may have them.
const RESERVED: &[(&[&str], &[&str])] = &[
    (&["tonic", "tonic_prost", "prost"], &["protocol"]),
    (
        &[
            "aws_config",
            "aws_sdk_kms",
            "aws_sdk_secretsmanager",
            "aws_sdk_sts",
            "azure_core",
            "azure_identity",
            "azure_security_keyvault_keys",
            "azure_security_keyvault_secrets",
            "gcp_auth",
            "google_cloud_auth",
            "vaultrs",
        ],
        &["clients", "backends", "kek"],
    ),
    (&["rusqlite"], &["clients", "backends", "catalog"]),
];

/// Who may spawn tasks: one that is spawned inside a use case would not obey the
/// use case's limits.
const SPAWNING: &[&str] = &["protocol"];

/// Modules that know nothing of Terraform, in code or comment.
const WITHOUT_TERRAFORM: &[&str] = &["operations", "envelope", "store", "kek"];

/// Modules without input and output, and what would give them some.
const PURE: (&[&str], &[&str]) = (
    &["envelope", "names", "secret"],
    &[
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "tokio::",
        "reqwest::",
    ],
);

/// Checks every file of the provider's crate.
///
/// # Errors
///
/// When one breaks a rule; the message has all that do.
pub(crate) fn check() -> Result<()> {
    let source = paths::repository().join("src");
    let mut violations = Vec::new();
    for file in rust_files(&source)? {
        let relative = file.strip_prefix(&source).context("a file below src")?;
        let text = fs::read_to_string(&file).with_context(|| relative.display().to_string())?;
        violations.extend(violations_of(relative, &text));
    }
    ensure!(violations.is_empty(), "layers:\n{}", violations.join("\n"));
    Ok(())
}

/// Returns one line for each rule that a file breaks. Tests may use what they
/// like: they stand last in a file, or in files of their own.
fn violations_of(file: &Path, text: &str) -> Vec<String> {
    let path = module_path(file);
    let Some(module) = path.first().map(String::as_str) else {
        return Vec::new(); // lib.rs only declares.
    };
    if path.iter().any(|part| part == "tests") {
        return Vec::new();
    }
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let code = lexer::code_of(text);
    let mut violations = Vec::new();
    let mut violate = |what: String| violations.push(format!("  {}: {what}", file.display()));

    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
        violate(format!(
            "`{module}` is not among the layers of xtask/src/layers.rs"
        ));
        return violations;
    };
    let depth = if module == "main" { 0 } else { path.len() };
    for used in lexer::modules_used(&code, depth) {
        let known = ARROWS.iter().any(|(name, _)| *name == used);
        let fine = used == module || LEAVES.contains(&used.as_str());
        if known && !fine && !allowed.contains(&used.as_str()) {
            violate(format!("`{module}` may not use `{used}`"));
        }
    }
    for (words, modules) in RESERVED {
        for word in *words {
            if !modules.contains(&module) && lexer::has_path(&code, word) {
                violate(format!("only {modules:?} may use `{word}`"));
            }
        }
    }
    if !SPAWNING.contains(&module) && lexer::calls(&code, "spawn") {
        violate(format!("only {SPAWNING:?} may spawn tasks"));
    }
    let prose = text.replace("terraform_provider_planton", "");
    if WITHOUT_TERRAFORM.contains(&module) && prose.to_lowercase().contains("terraform") {
        violate(format!("`{module}` may not mention Terraform"));
    }
    if PURE.0.contains(&module) {
        for word in PURE.1.iter().filter(|word| code.contains(**word)) {
            violate(format!("`{module}` does no I/O, but has `{word}`"));
        }
    }
    violations
}

/// Returns the module that a file is: `["backends", "aws"]`; empty for the root.
fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        parts.pop();
    }
    parts
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(file: &str, text: &str) -> Vec<String> {
        violations_of(Path::new(file), text)
    }

    #[test]
    fn the_arrows_have_no_cycle_and_name_known_modules() {
        fn walk<'a>(module: &'a str, above: &mut Vec<&'a str>) {
            assert!(!above.contains(&module), "a cycle: {above:?} {module}");
            above.push(module);
            let arrows = ARROWS.iter().find(|(name, _)| *name == module);
            let (_, below) = arrows.unwrap_or_else(|| panic!("{module} has no line"));
            below.iter().for_each(|module| walk(module, above));
            above.pop();
        }
        for (module, _) in ARROWS {
            walk(module, &mut Vec::new());
        }
    }

    #[test]
    fn every_module_of_the_crate_has_its_line() {
        let lib = fs::read_to_string(paths::repository().join("src/lib.rs")).expect("reads");
        let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod "));
        for module in modules.map(|rest| rest.trim_end_matches(';')) {
            assert!(ARROWS.iter().any(|(name, _)| *name == module), "{module}");
        }
    }

    #[test]
    fn arrows_that_are_not_drawn_are_refused_in_every_form() {
        for text in [
            "use crate::operations::rotate;",
            "use crate::{store::Put, operations};",
            "use crate::{\n    store::{Put, Get},\n    operations::{self, rotate},\n};",
            "fn f() { crate::operations::rotate() }",
            "use super::super::operations;",
            "pub use crate::operations as o;",
        ] {
            let found = violations("backends/aws.rs", text);
            assert_eq!(
                found,
                ["  backends/aws.rs: `backends` may not use `operations`"],
                "{text}"
            );
        }
        assert_eq!(violations("store/mod.rs", "use super::kek;").len(), 1);
        let main = "use terraform_provider_planton::{cli, operations};";
        assert_eq!(violations("main.rs", main).len(), 1);
    }

    #[test]
    fn drawn_arrows_leaves_comments_strings_and_tests_are_fine() {
        let text = r##"
            //! See [`crate::operations`].
            use crate::store::Put; /* crate::cli /* crate::main */ crate::cli */
            use crate::{names::Slug, secret::SecretBytes, clients::openbao};
            use super::config;
            use crate::backends::aws;
            const A: &str = "crate::cli::x \" crate::cli";
            const B: &str = r#"crate::cli "crate::cli" "#;
            fn f<'a>(x: &'a str) -> char { '"' }
            pub(crate) fn g() { $crate::cli!() }
        "##;
        assert_eq!(violations("backends/aws.rs", text), [""; 0]);
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::cli;\n}";
        assert_eq!(violations("backends/aws.rs", tests), [""; 0]);
        assert_eq!(
            violations("backends/aws/tests.rs", "use crate::cli;"),
            [""; 0]
        );
        assert_eq!(violations("lib.rs", "pub mod cli;"), [""; 0]);
    }

    #[test]
    fn only_the_protocol_knows_grpc_and_only_few_know_a_vendor() {
        assert_eq!(violations("plugin/mod.rs", "use tonic::Status;").len(), 1);
        assert_eq!(
            violations("plugin/mod.rs", "#[derive(::prost::Message)] struct A;").len(),
            1
        );
        assert_eq!(violations("protocol/mod.rs", "use tonic::Status;"), [""; 0]);
        assert_eq!(
            violations("plugin/mod.rs", "let tonic = 1; protonic::x();"),
            [""; 0]
        );
        assert_eq!(
            violations("operations/a.rs", "use aws_sdk_kms::Client;").len(),
            1
        );
        assert_eq!(
            violations("kek/aws_kms.rs", "use aws_sdk_kms::Client;"),
            [""; 0]
        );
    }

    #[test]
    fn the_core_never_mentions_terraform_and_the_envelope_does_no_io() {
        assert_eq!(violations("store/mod.rs", "// as Terraform does").len(), 1);
        assert_eq!(
            violations("store/mod.rs", "use terraform_provider_planton::x;"),
            [""; 0]
        );
        assert_eq!(violations("envelope/mod.rs", "use std::fs;").len(), 1);
        assert_eq!(violations("envelope/mod.rs", "use std::fmt;"), [""; 0]);
    }

    #[test]
    fn only_the_protocol_spawns_tasks() {
        for text in ["tokio::spawn(async {});", "set.spawn(f());", "spawn (f());"] {
            let found = violations("backends/aws.rs", text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(violations("protocol/a.rs", text), [""; 0], "{text}");
        }
        let other = "task::spawn_blocking(f); respawn(1); let spawn = 1;";
        assert_eq!(violations("clients/sqlite.rs", other), [""; 0]);
    }

    #[test]
    fn a_module_without_a_line_is_refused() {
        assert_eq!(violations("utils/mod.rs", "").len(), 1);
    }
}
