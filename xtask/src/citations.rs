//! Checks that each requirement of `docs/format.md` is cited by the code that
//! implements it and by a test, in the comments of duvet:
//! <https://awslabs.github.io/duvet/annotations.html>.

mod comments;
mod document;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xtask::paths;

use comments::{Citation, Kind, Language};
use document::{Document, Sentence};

/// The specification, as it is named in citations.
const DOCUMENT: &str = "docs/format.md";

/// Checks the document and every source file below the repository.
///
/// # Errors
///
/// If a requirement lacks a citation, or a citation is wrong. The message names each one.
pub(crate) fn check() -> Result<()> {
    let root = paths::repository();
    let text = fs::read_to_string(root.join(DOCUMENT)).context(DOCUMENT)?;
    let (document, mut problems) = document::parse(&text);
    let mut citations = Vec::new();
    for (file, language) in sources(root)? {
        let name = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .display()
            .to_string();
        let text = fs::read_to_string(&file).with_context(|| name.clone())?;
        let (found, broken) = comments::parse(&name, &text, language);
        citations.extend(found);
        problems.extend(broken);
    }
    let (counts, missing) = compare(&document, &citations);
    problems.extend(missing);
    ensure!(
        problems.is_empty(),
        "citations of {DOCUMENT}:\n  {}",
        problems.join("\n  ")
    );
    println!("{counts}");
    Ok(())
}

/// The number of requirements, and of those that are cited.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    requirements: usize,
    by_code: usize,
    by_tests: usize,
    exceptions: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requirements,
            by_code,
            by_tests,
            exceptions,
        } = self;
        write!(
            f,
            "{requirements} requirements: {by_code} cited by code, {by_tests} by tests, \
             {exceptions} excepted"
        )
    }
}

/// Matches sentences and citations, and returns one line for each without a match.
fn compare(document: &Document, citations: &[Citation]) -> (Counts, Vec<String>) {
    let matches = |citation: &Citation, sentence: &Sentence| {
        citation.section == sentence.section && citation.words == sentence.text
    };
    let mut problems = Vec::new();
    for citation in citations {
        let mut sentences = document.sentences.iter();
        if !sentences.any(|sentence| matches(citation, sentence)) {
            let Citation {
                place,
                section,
                words,
                ..
            } = citation;
            problems.push(format!(
                "{place}: {DOCUMENT}#{section} does not say: {words}"
            ));
        }
    }
    let mut counts = Counts::default();
    for sentence in document.requirements() {
        let cited = |kind| {
            let mut citations = citations.iter().filter(|citation| citation.kind == kind);
            citations.any(|citation| matches(citation, sentence))
        };
        let (code, test) = (cited(Kind::Implementation), cited(Kind::Test));
        let excepted = cited(Kind::Exception);
        counts.requirements += 1;
        counts.by_code += usize::from(code);
        counts.by_tests += usize::from(test);
        counts.exceptions += usize::from(excepted);
        let missing = match (code || excepted, test || excepted) {
            (true, true) => continue,
            (false, true) => "no code cites",
            (true, false) => "no test cites",
            (false, false) => "neither code nor a test cites",
        };
        let Sentence {
            line,
            section,
            text,
        } = sentence;
        problems.push(format!("{DOCUMENT}:{line}: {missing} #{section}: {text}"));
    }
    (counts, problems)
}

/// Returns the files that may contain citations, in order.
fn sources(root: &Path) -> Result<Vec<(PathBuf, Language)>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let (path, name) = (entry.path(), entry.file_name());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if entry.file_type().with_context(reading)?.is_dir() {
                // Hidden folders and Cargo's target folder contain no source files.
                if !is_hidden && name != "target" {
                    folders.push(path);
                }
            } else if let Some(language) = Language::of(&path) {
                files.push((path, language));
            }
        }
    }
    files.sort();
    Ok(files)
}
