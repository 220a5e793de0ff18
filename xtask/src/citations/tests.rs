use super::*;

const TEXT: &str = "\
# Title

The words \"MUST\" and \"MUST NOT\" are RFC 2119's.

## 1. First things

A writer MUST write `a. b` first. It
MAY write more. A reader
MUST NOT skip it.

- A reader MUST refuse nothing, or \"x\".
- This explains.
";

fn document(text: &str) -> Document {
    let (document, problems) = document::parse(text);
    assert_eq!(problems, [""; 0]);
    document
}

/// Returns a source file with `//` before each line that begins with `=` or `#`. This
/// file itself therefore contains no citation.
fn source(lines: &[&str]) -> String {
    let lines = lines
        .iter()
        .map(|line| match line.strip_prefix(['=', '#']) {
            Some(rest) if rest.starts_with(' ') => format!("    //{line}\n"),
            _ => format!("    {line}\n"),
        });
    lines.collect()
}

fn cited(lines: &[&str]) -> (Vec<Citation>, Vec<String>) {
    comments::parse("a.rs", &source(lines), Language::Rust)
}

#[test]
fn requirements_are_the_sentences_with_key_words() {
    let document = document(TEXT);
    let found: Vec<_> = document
        .requirements()
        .map(|sentence| {
            (
                sentence.line,
                sentence.section.as_str(),
                sentence.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (7, "1-first-things", "A writer MUST write `a. b` first."),
            (7, "1-first-things", "A reader MUST NOT skip it."),
            (
                11,
                "1-first-things",
                "A reader MUST refuse nothing, or \"x\"."
            ),
        ]
    );
}

#[test]
fn requirement_that_no_citation_can_reach_is_a_problem() {
    for text in [
        "| a | MUST |",
        "# This MUST hold",
        "```\nit MUST\n```",
        "It MUST hold. It MUST hold.",
    ] {
        let (_, problems) = document::parse(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    }
}

#[test]
fn requirement_is_cited_by_code_and_by_a_test_or_excepted() {
    let document = document(TEXT);
    let (citations, problems) = cited(&[
        "= docs/format.md#1-first-things",
        "# A writer MUST write `a. b`",
        "# first.",
        "= docs/format.md#1-first-things",
        "# It MAY write more.",
        "/// Writes.",
        "fn write() {}",
        "",
        "= docs/format.md#1-first-things",
        "= type=exception",
        "= reason=Nobody skips.",
        "# A reader MUST NOT skip it.",
        "fn read() {}",
        "= docs/format.md#1-first-things",
        "= type=test",
        "# A writer MUST write `a. b` first.",
        "#[tokio::test]",
        "async fn writes() {}",
    ]);
    assert_eq!(problems, [""; 0]);
    let (counts, problems) = compare(&document, &citations);
    assert_eq!(
        problems,
        [
            "docs/format.md:11: neither code nor a test cites #1-first-things: A reader MUST \
             refuse nothing, or \"x\"."
        ]
    );
    let expected = Counts {
        requirements: 3,
        by_code: 1,
        by_tests: 1,
        exceptions: 1,
    };
    assert_eq!(counts, expected);
}

#[test]
fn one_citation_of_the_two_is_not_enough() {
    let document = document("# A\n\nIt MUST hold.");
    let code = ["= docs/format.md#a", "# It MUST hold.", "fn hold() {}"];
    let test = [
        "= docs/format.md#a",
        "= type=test",
        "# It MUST hold.",
        "#[test]",
        "fn holds() {}",
    ];
    for (lines, missing) in [(&code[..], "no test cites"), (&test[..], "no code cites")] {
        let (citations, _) = cited(lines);
        let (_, problems) = compare(&document, &citations);
        assert_eq!(
            problems,
            [format!("docs/format.md:3: {missing} #a: It MUST hold.")]
        );
    }
}

#[test]
fn words_that_the_section_does_not_say_are_a_problem() {
    let document = document("# A\n\nIt MAY hold.\n\n# B\n\nIt MAY not.");
    for (section, words) in [("a", "It MAY"), ("a", "It MAY not."), ("c", "It MAY hold.")] {
        let target = format!("= docs/format.md#{section}");
        let (citations, broken) = cited(&[&target, &format!("# {words}"), "fn hold() {}"]);
        assert_eq!(broken, [""; 0]);
        let (_, problems) = compare(&document, &citations);
        let expected = format!("a.rs:1: docs/format.md#{section} does not say: {words}");
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn broken_citation_is_a_problem() {
    let at = "= docs/format.md#a";
    for lines in [
        &["# It MUST hold.", "fn hold() {}"][..],
        &["= docs/other.md#a", "# It MUST hold.", "fn hold() {}"],
        &["= docs/format.md", "# It MUST hold.", "fn hold() {}"],
        &[at, "fn hold() {}"],
        &[at, "# It MUST hold."],
        &[at, "# It MUST hold.", "", "fn hold() {}"],
        &[at, "= type=todo", "# It MUST hold.", "fn hold() {}"],
        &[at, "= type=test", "# It MUST hold.", "fn hold() {}"],
        &[at, "# It MUST hold.", "#[test]", "fn holds() {}"],
        &[at, "= type=exception", "# It MUST hold.", "fn hold() {}"],
        &[at, "= reason=So.", "# It MUST hold.", "fn hold() {}"],
    ] {
        let (citations, problems) = cited(lines);
        assert_eq!(
            (citations.len(), problems.len()),
            (0, 1),
            "{lines:?}: {problems:?}"
        );
    }
}

#[test]
fn python_cites_with_marks_of_its_own() {
    let lines = [
        "##= docs/format.md#a",
        "##= type=test",
        "##% It MUST hold.",
        "def check_a():",
        "    ##= docs/format.md#a",
        "    ##% It MUST",
        "    ##% hold.",
        "    return 1",
    ];
    let (citations, problems) = comments::parse("a.py", &lines.join("\n"), Language::Python);
    assert_eq!(problems, [""; 0]);
    let (counts, problems) = compare(&document("# A\n\nIt MUST hold."), &citations);
    assert_eq!((counts.by_code, counts.by_tests), (1, 1));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn every_source_is_read_and_no_build_output() {
    let files = sources(paths::repository()).expect("a repository");
    let has = |end: &str| files.iter().any(|(file, _)| file.ends_with(end));
    assert!(has("xtask/src/citations.rs") && has("tests/vectors/open_envelope.py"));
    let target = paths::repository().join("target");
    assert!(!files.iter().any(|(file, _)| file.starts_with(&target)));
}
