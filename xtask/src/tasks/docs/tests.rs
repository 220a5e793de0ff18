use super::*;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixture.json")).expect("JSON")
}

fn repository() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("temp dir");
    let examples = root.path().join("examples/resources/planton_secret");
    fs::create_dir_all(&examples).expect("creates");
    fs::write(
        examples.join("resource.tf"),
        "resource \"planton_secret\" \"x\" {}\n",
    )
    .expect("writes");
    fs::write(
        examples.join("import.sh"),
        "terraform import planton_secret.x prod/x\n",
    )
    .expect("writes");
    fs::write(examples.join("import-by-identity.tf"), "import {}\n").expect("writes");
    let templates = root.path().join("docs/templates/resources");
    fs::create_dir_all(&templates).expect("creates");
    fs::write(templates.join("secret.md"), "Read this first.\n").expect("writes");
    root
}

fn all_pages() -> BTreeMap<PathBuf, String> {
    pages(&fixture(), repository().path()).expect("renders")
}

#[test]
fn each_thing_has_its_page_in_the_registrys_layout() {
    let pages = all_pages();
    let paths: Vec<_> = pages
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "ephemeral-resources/secret.md",
            "functions/secret_ref.md",
            "index.md",
            "resources/secret.md"
        ]
    );
}

#[test]
fn a_resources_page_is_complete() {
    let expected = r##"---
page_title: "planton_secret Resource - planton"
subcategory: ""
description: |-
  A secret.
---

# planton_secret (Resource)

A secret.

Read this first.

## Example Usage

```terraform
resource "planton_secret" "x" {}
```

## Schema

### Required

- `name` (String) The name.

### Optional

- `backend` (String) Where it is.
- `generate` (Attributes) Makes a value. (see [below for nested schema](#nestedatt--generate))
- `labels` (Map of String) Labels.
- `old` (Boolean, Deprecated)
- `timeouts` (Block Single) Bounds. (see [below for nested schema](#nestedatt--timeouts))
- `value_wo` (String, Sensitive, [Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)) The value.

  Never stored.

### Read-Only

- `id` (String) The uuid.

<a id="nestedatt--generate"></a>
### Nested Schema for `generate`

Optional:

- `length` (Number) How long.
- `rules` (Attributes List) (see [below for nested schema](#nestedatt--generate--rules))

<a id="nestedatt--generate--rules"></a>
### Nested Schema for `generate.rules`

Required:

- `set` (List of String) Which.

<a id="nestedatt--timeouts"></a>
### Nested Schema for `timeouts`

Optional:

- `create` (String) At create.

## Import

Import is supported using the following syntax:

In Terraform v1.12.0 and later, the `import` block can be used with the `identity` attribute:

```terraform
import {}
```

### Identity Schema: Required

- `name` (String) The name.

### Identity Schema: Optional

- `environment` (String) The environment.

The `terraform import` command can be used:

```shell
terraform import planton_secret.x prod/x
```
"##;
    let pages = all_pages();
    let page = &pages[Path::new("resources/secret.md")];
    assert_eq!(page, expected, "{page}");
}

#[test]
fn a_functions_page_has_signature_and_arguments() {
    let pages = all_pages();
    let page = &pages[Path::new("functions/secret_ref.md")];
    assert!(
        page.contains("description: |-\n  Makes a reference\n---"),
        "{page}"
    );
    assert!(
        page.contains("secret_ref(name string, keys... list of string) string"),
        "{page}"
    );
    assert!(page.contains("1. `name` (String) The name."), "{page}");
    assert!(
        page.contains("2. `keys` (List of string, Nullable) Keys."),
        "{page}"
    );
}

#[test]
fn the_index_has_the_first_paragraph_in_front_and_all_in_its_text() {
    let pages = all_pages();
    let page = &pages[Path::new("index.md")];
    assert!(
        page.contains("description: |-\n  Seals secrets.\n---"),
        "{page}"
    );
    assert!(
        page.contains("# planton Provider\n\nSeals secrets.\n\nOn your machine.\n"),
        "{page}"
    );
}

#[test]
fn every_page_but_the_index_has_a_subcategory() {
    for (path, page) in all_pages() {
        let has_one = page.contains("\nsubcategory:");
        assert_eq!(has_one, path != Path::new("index.md"), "{page}");
    }
}

#[test]
fn a_missing_a_changed_and_a_stale_page_differ_and_hand_written_ones_do_not() {
    let docs = tempfile::tempdir().expect("temp dir");
    let pages = all_pages();
    let count = |docs: &Path| differences(&pages, docs).expect("compares").len();
    assert_eq!(count(docs.path()), 4);
    for (path, content) in &pages {
        let path = docs.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        fs::write(path, content).expect("writes");
    }
    assert_eq!(count(docs.path()), 0);

    fs::create_dir_all(docs.path().join("guides")).expect("creates");
    fs::write(docs.path().join("guides/start.md"), "by hand").expect("writes");
    assert_eq!(count(docs.path()), 0);
    fs::write(docs.path().join("index.md"), "changed").expect("writes");
    fs::write(docs.path().join("resources/gone.md"), "stale").expect("writes");
    let differences = differences(&pages, docs.path()).expect("compares");
    assert!(matches!(&differences[0], (path, Some(_)) if path.ends_with("index.md")));
    assert!(matches!(&differences[1], (path, None) if path.ends_with("resources/gone.md")));
    assert_eq!(differences.len(), 2);
}
