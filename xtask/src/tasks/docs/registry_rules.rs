//! The rules of the Terraform registry for documentation pages: those of
//! `tfplugindocs validate`, and the headings that every page in this repository has.
//!
//! <https://developer.hashicorp.com/terraform/registry/providers/docs>,
//! <https://github.com/hashicorp/terraform-plugin-docs/tree/main/internal/check>

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// The registry's maximum number of files in one version of a provider.
const MAX_FILES: usize = 2000;
const MAX_FILE_BYTES: usize = 500_000;

/// The keys of a front matter that the registry shows. It rejects `layout` and
/// `sidebar_current`, and ignores other keys.
const KEYS: [&str; 3] = ["page_title", "subcategory", "description"];

/// The folders below docs/ that the registry reads, with the sections of their pages, in
/// this order.
const FOLDERS: [(&str, &[&str]); 6] = [
    ("resources", &["Example Usage", "Schema"]),
    ("data-sources", &["Example Usage", "Schema"]),
    ("ephemeral-resources", &["Example Usage", "Schema"]),
    ("list-resources", &["Example Usage", "Schema"]),
    ("functions", &["Example Usage", "Signature", "Arguments"]),
    ("guides", &[]),
];

/// Checks all pages below `docs`, and returns one line for each violation.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn violations(docs: &Path) -> Result<Vec<String>> {
    let mut pages = vec![(PathBuf::from("index.md"), FOLDERS[0].1)];
    for (folder, sections) in FOLDERS {
        let path = docs.join(folder);
        if !path.is_dir() {
            continue; // The provider has nothing of this kind.
        }
        for entry in fs::read_dir(&path).with_context(|| format!("{}", path.display()))? {
            let name = entry.context("a page's entry")?.file_name();
            pages.push((Path::new(folder).join(name), sections));
        }
    }
    pages.sort_unstable();

    let mut violations = Vec::new();
    for (page, sections) in &pages {
        if let Err(error) = check(docs, page, sections) {
            violations.push(format!("docs/{}: {error:#}", page.display()));
        }
    }
    if pages.len() > MAX_FILES {
        violations.push(format!("{} pages, above {MAX_FILES}", pages.len()));
    }
    Ok(violations)
}

fn check(docs: &Path, page: &Path, sections: &[&str]) -> Result<()> {
    let name = page.file_name().unwrap_or_default().to_string_lossy();
    let stem = name
        .strip_suffix(".md")
        .context("the name must end in .md")?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    ensure!(
        !stem.is_empty() && stem.chars().all(fits),
        "the name must consist of lower-case letters, digits, - and _"
    );
    let text = fs::read_to_string(docs.join(page))?;
    ensure!(
        text.len() < MAX_FILE_BYTES,
        "{} bytes; the registry takes less than {MAX_FILE_BYTES}",
        text.len()
    );

    let (matter, body) = split(&text)?;
    let matter = front_matter(matter)?;
    for required in ["page_title", "description"] {
        let value = matter.get(required).map_or("", String::as_str);
        ensure!(!value.is_empty(), "the front matter needs a {required}");
    }
    ensure!(
        page != Path::new("index.md") || !matter.contains_key("subcategory"),
        "the index must have no subcategory in its front matter"
    );
    let title = page.starts_with("guides").then(|| &*matter["page_title"]);
    headings(body, title, sections)
}

/// Separates the front matter from the page.
fn split(text: &str) -> Result<(&str, &str)> {
    let inside = text.strip_prefix("---\n");
    inside
        .and_then(|inside| inside.split_once("\n---\n"))
        .context("the page must begin with a front matter between two lines of ---")
}

/// Parses keys and values. Supports only the YAML that these pages use: quoted strings,
/// and blocks below `|-`.
fn front_matter(text: &str) -> Result<BTreeMap<&str, String>> {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut last = "";
    for line in text.lines() {
        if line.starts_with("  ") {
            let value = values.get_mut(last).context("a value without a key")?;
            value.push_str(line.trim());
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .with_context(|| format!("`{line}` is no key of a front matter"))?;
        ensure!(KEYS.contains(&key), "the registry has no key `{key}`");
        let value = match value.trim() {
            "|-" => "",
            quoted => quoted
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .with_context(|| format!("the value of {key} must be quoted"))?,
        };
        let earlier = values.insert(key, value.to_owned());
        ensure!(earlier.is_none(), "the front matter has two {key}");
        last = key;
    }
    Ok(values)
}

/// Checks that a page begins with its only first-level heading, and that its sections are
/// in order.
fn headings(body: &str, title: Option<&str>, sections: &[&str]) -> Result<()> {
    let mut fenced = false;
    let prose = body.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let lines: Vec<_> = prose.filter(|line| !line.trim().is_empty()).collect();
    let first = lines.first().and_then(|line| line.strip_prefix("# "));
    let first = first.context("the page must begin with a heading of the first level")?;
    let others = lines.iter().skip(1).filter(|line| line.starts_with("# "));
    ensure!(
        others.count() == 0,
        "the page has two headings of the first level"
    );
    if let Some(title) = title {
        ensure!(
            first == title,
            "the heading `{first}` must be the page_title"
        );
    }
    let mut found = lines.iter().filter_map(|line| line.strip_prefix("## "));
    for section in sections {
        if !found.any(|heading| heading == *section) {
            bail!("the section `{section}` is missing, or not in its place");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOURCE: &str = "---\npage_title: \"a Resource\"\nsubcategory: \"\"\n\
        description: |-\n  A thing.\n---\n\n# a (Resource)\n\nA thing.\n\n\
        ## Example Usage\n\n```terraform\n# A comment.\n```\n\n## Schema\n";
    const INDEX: &str = "---\npage_title: \"A Provider\"\ndescription: |-\n  Keeps.\n---\n\n\
        # A Provider\n\n## Example Usage\n\n## Schema\n";
    const GUIDE: &str = "---\npage_title: \"How to\"\nsubcategory: \"\"\n\
        description: |-\n  How.\n---\n\n# How to\n";

    /// Returns the violations of pages that are valid except for `page`.
    fn with(page: &str, text: &str) -> Vec<String> {
        let docs = tempfile::tempdir().expect("temp dir");
        let valid = [
            ("index.md", INDEX),
            ("resources/a.md", RESOURCE),
            ("guides/how-to.md", GUIDE),
        ];
        // Folders that the registry does not read.
        let others = [("adr/0001-Own.md", "No front matter."), ("note.md", "")];
        for (path, text) in valid.into_iter().chain(others).chain([(page, text)]) {
            let path = docs.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
            fs::write(path, text).expect("writes");
        }
        violations(docs.path()).expect("readable")
    }

    #[track_caller]
    fn assert_violates(page: &str, text: &str, rule: &str) {
        let violations = with(page, text);
        let [one] = &violations[..] else {
            panic!("{violations:?}");
        };
        assert!(one.starts_with(&format!("docs/{page}: ")), "{one}");
        assert!(one.contains(rule), "{one}");
    }

    #[test]
    fn pages_in_the_registrys_form_pass() {
        assert_eq!(with("index.md", INDEX), [""; 0]);
    }

    #[test]
    fn an_index_has_no_subcategory() {
        let text = INDEX.replace("description", "subcategory: \"\"\ndescription");
        assert_violates("index.md", &text, "no subcategory");
    }

    #[test]
    fn a_front_matter_has_the_keys_that_the_registry_knows() {
        let page = "resources/a.md";
        let text = RESOURCE.replace("subcategory", "layout");
        assert_violates(page, &text, "no key `layout`");
        let text = RESOURCE.replace("page_title: \"a Resource\"\n", "");
        assert_violates(page, &text, "needs a page_title");
        let text = RESOURCE.replace("  A thing.\n---", "---");
        assert_violates(page, &text, "needs a description");
        let text = RESOURCE.replace("\"a Resource\"", "a: Resource");
        assert_violates(page, &text, "must be quoted");
        let text = RESOURCE.replace("subcategory: \"\"", "page_title: \"b\"");
        assert_violates(page, &text, "two page_title");
        assert_violates(page, "# a (Resource)\n", "begin with a front matter");
    }

    #[test]
    fn a_page_has_its_heading_and_its_sections() {
        let page = "resources/a.md";
        let text = RESOURCE.replace("# a (Resource)\n", "");
        assert_violates(page, &text, "heading of the first level");
        let text = format!("{RESOURCE}\n# Another\n");
        assert_violates(page, &text, "two headings");
        let text = RESOURCE.replace("## Schema", "## Arguments");
        assert_violates(page, &text, "`Schema` is missing");
        assert_violates("functions/f.md", RESOURCE, "`Signature` is missing");
        let text = GUIDE.replace("# How to", "# How");
        assert_violates("guides/how-to.md", &text, "must be the page_title");
    }

    #[test]
    fn a_page_has_a_name_and_a_size_that_the_registry_takes() {
        assert_violates("resources/a.html", RESOURCE, "end in .md");
        assert_violates("resources/A.md", RESOURCE, "lower-case");
        let text = format!("{RESOURCE}{}", "x".repeat(MAX_FILE_BYTES));
        assert_violates("resources/a.md", &text, "500000");
    }
}
