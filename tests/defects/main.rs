//! `docs/defects.md` names a test for each past defect. Each of these tests exists.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../../docs/defects.md");

/// A test in the table.
#[derive(Debug)]
struct Named<'a> {
    command: &'a str,
    /// The folder with the modules of its binary.
    sources: PathBuf,
    modules: Vec<&'a str>,
    function: &'a str,
}

impl<'a> Named<'a> {
    /// Parses `cargo test [-p <package>] (--lib|--test <binary>) <module>::<test>`.
    fn parse(command: &'a str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut words = command.strip_prefix("cargo test ")?.split(' ').peekable();
        let package = match words.peek() {
            Some(&"-p") => {
                words.next();
                root.join(folder_of(words.next()?)?)
            }
            _ => root.to_owned(),
        };
        let sources = match words.next()? {
            "--lib" => package.join("src"),
            "--test" => package.join("tests").join(words.next()?),
            _ => return None,
        };
        let mut modules: Vec<&str> = words.next()?.split("::").collect();
        let function = modules.pop()?;
        words.next().is_none().then_some(Self {
            command,
            sources,
            modules,
            function,
        })
    }

    /// Returns the files that may contain its module.
    fn files(&self) -> Vec<PathBuf> {
        let inside = self
            .modules
            .iter()
            .fold(self.sources.clone(), |path, part| path.join(part));
        let parent = inside.parent().unwrap().to_owned();
        vec![
            inside.with_extension("rs"),
            inside.join("mod.rs"),
            inside.join("lib.rs"),
            inside.join("main.rs"),
            // `mod tests` at the end of its module's file.
            parent.with_extension("rs"),
            parent.join("mod.rs"),
        ]
    }

    fn exists(&self) -> bool {
        let function = format!("fn {}(", self.function);
        let texts = self
            .files()
            .into_iter()
            .filter_map(|file| fs::read_to_string(file).ok());
        texts.into_iter().any(|text| text.contains(&function))
    }
}

/// Returns the folder of a package of the workspace.
fn folder_of(package: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = format!("name = \"{package}\"");
    let folders = ["crates", "."].map(|folder| fs::read_dir(root.join(folder)));
    let entries = folders.into_iter().flatten().flatten().flatten();
    entries.map(|entry| entry.path()).find(|folder| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml"));
        manifest.is_ok_and(|manifest| manifest.contains(&name))
    })
}

/// Returns the rows below the head of each table.
fn rows() -> Vec<&'static str> {
    let lines = TABLE.lines().filter(|line| line.starts_with("| "));
    lines
        .filter(|line| !line.starts_with("| ---") && !line.starts_with("| Defect"))
        .collect()
}

/// Returns the commands of a row.
fn commands(row: &str) -> Vec<&str> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with("cargo ")).collect()
}

#[test]
fn every_past_defect_names_a_test_that_exists() {
    let rows = rows();
    assert!(!rows.is_empty());
    let mut missing = Vec::new();
    for row in rows {
        let commands = commands(row);
        if commands.is_empty() {
            missing.push(format!("no command: {row}"));
        }
        for command in commands {
            match Named::parse(command) {
                Some(named) if named.exists() => {}
                Some(named) => missing.push(format!("no such test: {}", named.command)),
                None => missing.push(format!("not a command for one test: {command}")),
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_test_that_does_not_exist_is_found_out() {
    let command = |test: &str| format!("cargo test --test acceptance {test}");
    let exists = |test: &str| Named::parse(&command(test)).is_some_and(|named| named.exists());
    assert!(exists(
        "workflows::plans::acc_saved_plan_does_what_it_showed"
    ));
    assert!(!exists(
        "workflows::plans::acc_saved_plan_does_what_it_pleases"
    ));
    assert!(!exists("workflows::acc_saved_plan_does_what_it_showed"));
    assert!(Named::parse("cargo test --test acceptance").is_none());
    assert!(Named::parse("cargo bench --test acceptance a::b").is_none());
}
