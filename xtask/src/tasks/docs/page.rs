//! Pages in the registry's layout.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::schema::{Field, Setter, fields, names, signature_type};

const WRITE_ONLY: &str = "[Write-only]\
    (https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)";

/// The kinds of objects that have their own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Resource,
    DataSource,
    Ephemeral,
    List,
    Function,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Resource,
        Self::DataSource,
        Self::Ephemeral,
        Self::List,
        Self::Function,
    ];

    /// Returns the key of the schema JSON.
    pub(super) fn schemas(self) -> &'static str {
        match self {
            Self::Resource => "resource_schemas",
            Self::DataSource => "data_source_schemas",
            Self::Ephemeral => "ephemeral_resource_schemas",
            Self::List => "list_resource_schemas",
            Self::Function => "functions",
        }
    }

    /// Returns the folder below docs/ and below examples/.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Resource => "resources",
            Self::DataSource => "data-sources",
            Self::Ephemeral => "ephemeral-resources",
            Self::List => "list-resources",
            Self::Function => "functions",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Resource => "Resource",
            Self::DataSource => "Data Source",
            Self::Ephemeral => "Ephemeral Resource",
            Self::List => "List Resource",
            Self::Function => "Function",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Resource => "resource.tf",
            Self::DataSource => "data-source.tf",
            Self::Ephemeral => "ephemeral-resource.tf",
            Self::List => "list-resource.tfquery.hcl",
            Self::Function => "function.tf",
        }
    }
}

/// The line in the front matter of every page except the provider's own.
const SUBCATEGORY: &str = "subcategory: \"\"\n";

/// The sources of the pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The provider's part of the schema JSON.
    pub(super) schemas: &'a Value,
    /// The repository, for examples/ and docs/templates/.
    pub(super) root: &'a Path,
}

impl Source<'_> {
    /// Returns the provider's own page.
    pub(super) fn index(&self) -> Result<String> {
        let block = &self.schemas["provider"]["block"];
        let description = description_of(block);
        // An index must have no subcategory:
        // https://github.com/hashicorp/terraform-plugin-docs/blob/main/internal/provider/validate.go
        let mut page = front_matter("planton Provider", "", description);
        write!(page, "# planton Provider\n\n{description}\n")?;
        self.preamble(&mut page, "index.md")?;
        self.example(&mut page, "provider/provider.tf")?;
        schema_section(&mut page, block)?;
        Ok(page)
    }

    /// Returns the page of one resource, data source or function.
    pub(super) fn page(&self, kind: Kind, name: &str) -> Result<String> {
        let schema = &self.schemas[kind.schemas()][name];
        if kind == Kind::Function {
            return self.function(name, schema);
        }
        let block = &schema["block"];
        let description = description_of(block);
        let title = kind.title();
        let title_of_page = format!("{name} {title} - planton");
        let mut page = front_matter(&title_of_page, SUBCATEGORY, description);
        write!(page, "# {name} ({title})\n\n{description}\n")?;
        if block["deprecated"] == true {
            page.push_str("\n~> **Deprecated.** It will go in the next major version.\n");
        }
        let short = name.strip_prefix("planton_").unwrap_or(name);
        self.preamble(&mut page, &format!("{}/{short}.md", kind.folder()))?;
        let folder = format!("{}/{name}", kind.folder());
        self.example(&mut page, &format!("{folder}/{}", kind.example()))?;
        schema_section(&mut page, block)?;
        if kind == Kind::Resource {
            self.import(&mut page, name, &folder)?;
        }
        Ok(page)
    }

    fn function(&self, name: &str, schema: &Value) -> Result<String> {
        let summary = schema["summary"].as_str().unwrap_or_default().trim();
        let title = format!("{name} function - planton");
        let mut page = front_matter(&title, SUBCATEGORY, summary);
        write!(page, "# function: {name}\n\n{}\n", description_of(schema))?;
        self.preamble(&mut page, &format!("functions/{name}.md"))?;
        self.example(&mut page, &format!("functions/{name}/function.tf"))?;

        let fixed = schema["parameters"].as_array().into_iter().flatten();
        let variadic = schema.get("variadic_parameter");
        let label = |parameter: &Value| {
            let name = parameter["name"].as_str().unwrap_or_default();
            (name.to_owned(), signature_type(&parameter["type"]))
        };
        let mut arguments: Vec<_> = fixed.clone().map(label).collect();
        arguments.extend(variadic.map(|parameter| {
            let (name, of) = label(parameter);
            (format!("{name}..."), of)
        }));
        let signature: Vec<_> = arguments
            .iter()
            .map(|(n, of)| format!("{n} {of}"))
            .collect();
        let returned = signature_type(&schema["return_type"]);
        write!(
            page,
            "\n## Signature\n\n```text\n{name}({}) {returned}\n```\n",
            signature.join(", ")
        )?;
        page.push_str("\n## Arguments\n\n");
        for (index, parameter) in fixed.chain(variadic).enumerate() {
            let (name, of) = label(parameter);
            let nullable = if parameter["is_nullable"] == true {
                ", Nullable"
            } else {
                ""
            };
            let number = index + 1;
            let text = description_of(parameter);
            writeln!(
                page,
                "{number}. `{name}` ({}{nullable}) {text}",
                first_upper(&of)
            )?;
        }
        Ok(page)
    }

    /// Adds the handwritten text of a page, if it exists.
    fn preamble(&self, page: &mut String, name: &str) -> Result<()> {
        if let Some(text) = self.read(&format!("docs/templates/{name}"))? {
            write!(page, "\n{}\n", text.trim())?;
        }
        Ok(())
    }

    fn example(&self, page: &mut String, name: &str) -> Result<()> {
        if let Some(text) = self.read(&format!("examples/{name}"))? {
            write!(
                page,
                "\n## Example Usage\n\n```terraform\n{}\n```\n",
                text.trim()
            )?;
        }
        Ok(())
    }

    fn import(&self, page: &mut String, name: &str, folder: &str) -> Result<()> {
        let read = |file: &str| self.read(&format!("examples/{folder}/{file}"));
        let (identity, by_id, shell) = (
            read("import-by-identity.tf")?,
            read("import-by-string-id.tf")?,
            read("import.sh")?,
        );
        if identity.is_none() && by_id.is_none() && shell.is_none() {
            return Ok(());
        }
        page.push_str("\n## Import\n\nImport is supported using the following syntax:\n");
        if let Some(text) = identity {
            page.push_str(
                "\nIn Terraform v1.12.0 and later, the `import` block can be used with the \
                 `identity` attribute:\n",
            );
            write!(page, "\n```terraform\n{}\n```\n", text.trim())?;
            self.identity(page, name)?;
        }
        if let Some(text) = by_id {
            page.push_str("\nThe `import` block can be used with the `id` attribute:\n");
            write!(page, "\n```terraform\n{}\n```\n", text.trim())?;
        }
        if let Some(text) = shell {
            page.push_str("\nThe `terraform import` command can be used:\n");
            write!(page, "\n```shell\n{}\n```\n", text.trim())?;
        }
        Ok(())
    }

    fn identity(&self, page: &mut String, name: &str) -> Result<()> {
        let attributes = &self.schemas["resource_identity_schemas"][name]["attributes"];
        for (title, flag) in [
            ("Required", "required_for_import"),
            ("Optional", "optional_for_import"),
        ] {
            let names = names(attributes).into_iter();
            let fitting: Vec<_> = names
                .filter(|name| attributes[*name][flag] == true)
                .collect();
            if !fitting.is_empty() {
                write!(page, "\n### Identity Schema: {title}\n\n")?;
            }
            for name in fitting {
                let attribute = &attributes[name];
                let of = super::schema::type_name(&attribute["type"]);
                let line = format!("- `{name}` ({of}) {}", description_of(attribute));
                writeln!(page, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<String>> {
        match fs::read_to_string(self.root.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(name.to_owned()),
        }
    }
}

fn description_of(json: &Value) -> &str {
    json["description"].as_str().unwrap_or_default().trim()
}

/// Returns the front matter. Its description is the first paragraph.
fn front_matter(title: &str, subcategory: &str, description: &str) -> String {
    let first = description.split("\n\n").next().unwrap_or_default();
    let first: Vec<_> = first
        .lines()
        .map(|line| format!("  {}", line.trim()))
        .collect();
    format!(
        "---\npage_title: \"{title}\"\n{subcategory}description: |-\n{}\n---\n\n",
        first.join("\n")
    )
}

fn schema_section(page: &mut String, block: &Value) -> Result<()> {
    page.push_str("\n## Schema\n");
    write_fields(page, block, "###", &[])
}

/// Writes a block's fields, then those of nested blocks, depth first.
fn write_fields(page: &mut String, block: &Value, heading: &str, path: &[&str]) -> Result<()> {
    let fields = fields(block);
    for setter in Setter::ALL {
        let fitting: Vec<_> = fields
            .iter()
            .filter(|field| field.setter() == setter)
            .collect();
        if !fitting.is_empty() {
            match heading {
                "" => write!(page, "\n{}:\n\n", setter.title())?,
                heading => write!(page, "\n{heading} {}\n\n", setter.title())?,
            }
        }
        for field in fitting {
            writeln!(page, "{}", line_of(field, path))?;
        }
    }
    for field in fields {
        if let Some(nested) = field.nested() {
            let path: Vec<_> = path.iter().copied().chain([field.name]).collect();
            let (anchor, name) = (anchor(&path), path.join("."));
            write!(
                page,
                "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{name}`\n"
            )?;
            write_fields(page, nested, "", &path)?;
        }
    }
    Ok(())
}

fn line_of(field: &Field<'_>, path: &[&str]) -> String {
    let mut notes = vec![field.type_name()];
    for (flag, note) in [
        ("sensitive", "Sensitive"),
        ("write_only", WRITE_ONLY),
        ("deprecated", "Deprecated"),
    ] {
        if field.is(flag) {
            notes.push(note.to_owned());
        }
    }
    // The indentation keeps all paragraphs of a description in its list item.
    let description = field
        .description()
        .replace('\n', "\n  ")
        .replace("\n  \n", "\n\n");
    let mut line = format!("- `{}` ({}) {description}", field.name, notes.join(", "));
    if field.nested().is_some() {
        let path: Vec<_> = path.iter().copied().chain([field.name]).collect();
        line = format!(
            "{} (see [below for nested schema](#{}))",
            line.trim_end(),
            anchor(&path)
        );
    }
    line.trim_end().to_owned()
}

fn anchor(path: &[&str]) -> String {
    format!("nestedatt--{}", path.join("--"))
}

fn first_upper(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
