//! Citations in the comments of a source file.
//!
//! ```text
//! meta     where the words stand, then `type=test`, or `type=exception` and `reason=…`
//! content  the exact words, over as many lines as they need
//! ```

use std::path::Path;

use super::DOCUMENT;

/// The language of a source file. Each has duvet's own comment marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Language {
    Rust,
    Python,
}

/// The kind of a citation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The code below implements the requirement.
    Implementation,
    /// The test below fails if the requirement is not met.
    Test,
    /// The requirement is not implemented, for a reason.
    Exception,
}

/// A citation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Citation {
    /// File and line.
    pub(super) place: String,
    /// The anchor of the section.
    pub(super) section: String,
    /// Its kind.
    pub(super) kind: Kind,
    /// The cited words, separated by one space each.
    pub(super) words: String,
}

impl Language {
    /// Returns the language of a file that may contain citations.
    pub(super) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "rs" => Some(Self::Rust),
            "py" => Some(Self::Python),
            _ => None,
        }
    }

    /// Returns the prefixes of meta lines and of content lines.
    fn marks(self) -> (&'static str, &'static str) {
        match self {
            Self::Rust => ("//=", "//#"),
            Self::Python => ("##=", "##%"),
        }
    }

    /// Returns whether a line belongs to the item below it, as a comment or an attribute.
    fn is_above(self, line: &str) -> bool {
        match self {
            Self::Rust => ["//", "#["].iter().any(|mark| line.starts_with(mark)),
            Self::Python => ["#", "@"].iter().any(|mark| line.starts_with(mark)),
        }
    }

    /// Returns whether a line marks a test: an attribute, or a function's name.
    fn is_test(self, line: &str) -> bool {
        match self {
            Self::Rust => ["#[test]", "#[tokio::test"]
                .iter()
                .any(|mark| line.starts_with(mark)),
            Self::Python => line.starts_with("def check"),
        }
    }
}

/// Parses the citations of a file. Also returns one line for each broken citation.
pub(super) fn parse(file: &str, text: &str, language: Language) -> (Vec<Citation>, Vec<String>) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (meta_mark, content_mark) = language.marks();
    let (mut citations, mut problems) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        let began = at;
        let metas = marked(&lines, &mut at, meta_mark);
        let contents = marked(&lines, &mut at, content_mark);
        if at == began {
            at += 1;
            continue;
        }
        let place = format!("{file}:{}", began + 1);
        let words = contents
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        match read(&metas, words, &place).and_then(|citation| {
            check_place(citation.kind, &lines[at..], language)?;
            Ok(citation)
        }) {
            Ok(citation) => citations.push(citation),
            Err(why) => problems.push(format!("{place}: {why}")),
        }
    }
    (citations, problems)
}

/// Returns the lines from `at` on that begin with `mark`, without the mark.
fn marked<'a>(lines: &[&'a str], at: &mut usize, mark: &str) -> Vec<&'a str> {
    let mut taken = Vec::new();
    while let Some(rest) = lines.get(*at).and_then(|line| line.strip_prefix(mark)) {
        taken.push(rest.trim());
        *at += 1;
    }
    taken
}

fn read(metas: &[&str], words: String, place: &str) -> Result<Citation, String> {
    let (target, settings) = metas.split_first().ok_or("words of no section")?;
    let section = target
        .strip_prefix(DOCUMENT)
        .and_then(|rest| rest.strip_prefix('#'))
        .ok_or_else(|| format!("cites {target}, and not a section of {DOCUMENT}"))?;
    let (mut kind, mut reason) = (Kind::Implementation, false);
    for setting in settings {
        match setting.split_once('=') {
            Some(("type", "test")) => kind = Kind::Test,
            Some(("type", "exception")) => kind = Kind::Exception,
            Some(("reason", text)) if !text.is_empty() => reason = true,
            _ => return Err(format!("unknown setting {setting}")),
        }
    }
    if (kind == Kind::Exception) != reason {
        return Err("an exception, and nothing else, has a reason".to_owned());
    }
    if words.is_empty() {
        return Err("cites no words".to_owned());
    }
    Ok(Citation {
        place: place.to_owned(),
        section: section.to_owned(),
        kind,
        words,
    })
}

/// Checks that a test citation is above a test, and any other citation above other code.
fn check_place(kind: Kind, below: &[&str], language: Language) -> Result<(), &'static str> {
    let above = below
        .iter()
        .take_while(|line| language.is_above(line))
        .count();
    let item = below.get(above).filter(|line| !line.is_empty());
    let item = item.ok_or("stands above no code")?;
    let mut lines = below[..above].iter().chain([item]);
    let is_test = lines.any(|line| language.is_test(line));
    match (kind, is_test) {
        (Kind::Test, false) => Err("stands above no test"),
        (Kind::Implementation, true) => Err("stands above a test, without type=test"),
        _ => Ok(()),
    }
}
