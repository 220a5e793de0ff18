//! The sentences of a specification in Markdown.

use super::DOCUMENT;

/// The words that make a sentence a requirement (RFC 2119).
const KEY_WORDS: &[&str] = &["MUST", "SHALL", "REQUIRED"];

/// A specification.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The sentences that can be cited, in order.
    pub(super) sentences: Vec<Sentence>,
}

/// A sentence of prose or of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The first line of its paragraph.
    pub(super) line: usize,
    /// The anchor of its section.
    pub(super) section: String,
    /// Its words, separated by one space each.
    pub(super) text: String,
}

impl Document {
    /// Returns the sentences that are requirements.
    pub(super) fn requirements(&self) -> impl Iterator<Item = &Sentence> {
        let sentences = self.sentences.iter();
        sentences.filter(|sentence| is_requirement(&sentence.text))
    }
}

/// Parses the sentences. Also returns one line for each requirement that cannot be cited:
/// in a table, in a heading, in code, or twice in a section.
pub(super) fn parse(text: &str) -> (Document, Vec<String>) {
    let mut parser = Parser::default();
    for (number, line) in (1..).zip(text.lines()) {
        parser.line(number, line);
    }
    parser.end_paragraph();
    let Parser {
        document,
        mut problems,
        ..
    } = parser;
    let requirements: Vec<_> = document.requirements().collect();
    for (index, sentence) in requirements.iter().enumerate() {
        let same =
            |other: &&&Sentence| other.section == sentence.section && other.text == sentence.text;
        if requirements[..index].iter().any(|other| same(&other)) {
            let Sentence { line, text, .. } = sentence;
            problems.push(format!("{DOCUMENT}:{line}: said twice: {text}"));
        }
    }
    (document, problems)
}

#[derive(Default)]
struct Parser {
    document: Document,
    problems: Vec<String>,
    section: String,
    in_code: bool,
    /// The paragraph so far, and its first line.
    paragraph: String,
    began: usize,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) {
        let trimmed = line.trim();
        let is_fence = trimmed.starts_with("```");
        let is_heading = !self.in_code && trimmed.starts_with('#');
        let is_table = !self.in_code && trimmed.starts_with('|');
        if trimmed.is_empty() || is_fence || is_heading || is_table || self.in_code {
            self.end_paragraph();
            if is_requirement(trimmed) {
                let why = "a requirement must be a sentence of prose or of a list";
                self.problems
                    .push(format!("{DOCUMENT}:{number}: {why}: {trimmed}"));
            }
            if is_heading {
                self.section = anchor(trimmed.trim_start_matches('#'));
            }
            self.in_code ^= is_fence;
            return;
        }
        let item = list_item(trimmed);
        if item.is_some() {
            self.end_paragraph();
        }
        if self.paragraph.is_empty() {
            self.began = number;
        } else {
            self.paragraph.push(' ');
        }
        self.paragraph.push_str(item.unwrap_or(trimmed));
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        for text in sentences(&paragraph) {
            self.document.sentences.push(Sentence {
                line: self.began,
                section: self.section.clone(),
                text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
    }
}

/// Returns the text after a list item's mark.
fn list_item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = match digits {
        0 => line.strip_prefix(['-', '*'])?,
        _ => line[digits..].strip_prefix('.')?,
    };
    rest.strip_prefix(' ')
}

/// Splits a paragraph at the full stops outside code.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let (mut start, mut in_code) = (0, false);
    for (at, byte) in paragraph.bytes().enumerate() {
        in_code ^= byte == b'`';
        let is_stop = matches!(byte, b'.' | b'?' | b'!') && !in_code;
        let is_last = matches!(paragraph.as_bytes().get(at + 1), None | Some(b' '));
        if is_stop && is_last {
            sentences.push(paragraph[start..=at].trim());
            start = at + 1;
        }
    }
    let rest = paragraph[start..].trim();
    sentences.extend(Some(rest).filter(|rest| !rest.is_empty()));
    sentences
}

/// Returns whether `text` contains a key word, unquoted and outside code.
fn is_requirement(text: &str) -> bool {
    let prose = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let is_inside = |character: char| character.is_alphanumeric() || matches!(character, '"' | '_');
    KEY_WORDS.iter().any(|word| {
        prose.match_indices(word).any(|(at, _)| {
            let before = prose[..at].chars().next_back();
            let after = prose[at + word.len()..].chars().next();
            !before.is_some_and(is_inside) && !after.is_some_and(is_inside)
        })
    })
}

/// Returns the anchor of a heading on GitHub and in duvet.
fn anchor(heading: &str) -> String {
    let words = heading.trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
