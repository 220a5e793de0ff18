//! Checks the dependencies between the modules of a crate, by their `crate::` and
//! `super::` paths.

mod drawn;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use drawn::MODULES;

use super::source::{self, File};

/// The modules in a folder, and the sibling modules that each may use.
struct Modules {
    /// The folder, from the root of the repository.
    folder: &'static str,
    /// The path prefixes of these modules in code.
    paths: &'static [&'static str],
    /// Each module with its permitted dependencies.
    arrows: &'static [(&'static str, &'static [&'static str])],
    unlisted: Unlisted,
}

/// The rule for modules without a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unlisted {
    /// Each module needs a line.
    Refused,
    /// They may use no module that has a line.
    Shared,
}

/// Returns one line for each dependency that is not permitted, and for each module
/// without a line.
pub(super) fn violations() -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for modules in MODULES {
        violations.extend(modules.without_a_line()?);
        violations.extend(modules.without_a_module());
        for file in source::files(modules.folder)? {
            violations.extend(modules.violations_of(&file));
        }
    }
    Ok(violations)
}

impl Modules {
    /// Returns the modules that `module` may use, if it has a line.
    fn allowed(&self, module: &str) -> Option<&'static [&'static str]> {
        let (_, allowed) = self.arrows.iter().find(|(name, _)| *name == module)?;
        Some(allowed)
    }

    fn without_a_line(&self) -> Result<Vec<String>> {
        if self.unlisted == Unlisted::Shared {
            return Ok(Vec::new());
        }
        let folder = source::at(self.folder);
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut violations = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.with_extension("");
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            if !["lib", "mod", "tests"].contains(&&*name) && self.allowed(&name).is_none() {
                let folder = self.folder;
                violations.push(format!("{folder}: `{name}` has no line in {}", file!()));
            }
        }
        Ok(violations)
    }

    fn without_a_module(&self) -> Vec<String> {
        let folder = source::at(self.folder);
        let exists = |name: &str| {
            folder.join(name).is_dir() || folder.join(name).with_extension("rs").is_file()
        };
        let missing = self.arrows.iter().filter(|(name, _)| !exists(name));
        let told = missing.map(|(name, _)| format!("{}: no module `{name}`", self.folder));
        told.collect()
    }

    fn violations_of(&self, file: &File) -> Vec<String> {
        let path = Path::new(&file.path).with_extension("");
        let inside = path.strip_prefix(self.folder).unwrap_or(&path);
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let [module, ..] = parts.as_slice() else {
            return Vec::new();
        };
        let depth = parts.iter().filter(|part| *part != "mod").count();
        if ["lib", "mod"].contains(&&**module) || file.is_test() {
            return Vec::new();
        }
        let allowed = self.allowed(module).unwrap_or_default();
        let mut paths = self.paths.to_vec();
        let above = "super::".repeat(depth);
        paths.push(&above);
        let code = file.code();
        let used = paths.iter().flat_map(|path| names_after(path, &code));
        let refused = used
            .filter(|used| used != module && self.allowed(used).is_some())
            .filter(|used| !allowed.contains(used));
        let told = refused.map(|used| format!("{}: `{module}` may not use `{used}`", file.path));
        told.collect()
    }
}

/// Returns the names after `path` in code: one, or those of a group in braces.
fn names_after<'a>(path: &str, code: &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(path) {
        if code[..at].ends_with(|c: char| source::is_of_a_name(c) || ":$".contains(c)) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.starts_with('{') {
            true => names.extend(names_of_group(rest)),
            false => names.push(name_at_start(rest)),
        }
    }
    names
}

/// Returns the first name of each path in a group: `a` and `b` of `{a::{c, d}, b}`.
fn names_of_group(group: &str) -> Vec<&str> {
    let (mut depth, mut is_start, mut names) = (0, false, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => (depth, is_start) = (depth + 1, true),
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' => is_start = true,
            c if c.is_whitespace() => {}
            _ => {
                if is_start && depth == 1 {
                    names.push(name_at_start(&group[at..]));
                }
                is_start = false;
            }
        }
    }
    names
}

fn name_at_start(text: &str) -> &str {
    let end = text.find(|c: char| !source::is_of_a_name(c));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests;
