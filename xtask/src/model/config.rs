//! The configuration of one folder, and its text.

use std::fmt::Write;

/// The scope and name of a secret in its organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// The environment; absent for organization scope.
    pub(crate) environment: Option<String>,
    pub(crate) name: String,
}

impl Name {
    /// Returns the argument of `terraform import`.
    pub(crate) fn import_id(&self) -> String {
        match &self.environment {
            Some(environment) => format!("{environment}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the lines of a block that name the secret.
    pub(crate) fn lines(&self) -> String {
        let mut lines = format!("  name = {:?}\n", self.name);
        if let Some(environment) = &self.environment {
            lines.push_str(&format!("  environment = {environment:?}\n"));
        }
        lines
    }
}

/// The source of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Generated,
    /// The value `given-<number>`.
    Given(u32),
}

/// The arguments in `ignore_changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    Nothing,
    Labels,
    Description,
    Trigger,
    Everything,
}

/// A `planton_secret` of a configuration. Numbers represent texts: label 7 is
/// `{ team = "l7" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) address: String,
    pub(crate) name: Name,
    pub(crate) source: Source,
    pub(crate) trigger: Option<u32>,
    pub(crate) description: Option<u32>,
    pub(crate) label: Option<u32>,
    pub(crate) keep: Option<u32>,
    pub(crate) is_protected: bool,
    pub(crate) is_retained: bool,
    pub(crate) creates_first: bool,
    pub(crate) ignored: Ignored,
    pub(crate) takes_over: Option<String>,
}

/// A `terraform_data` that is replaced with a secret's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(crate) of: String,
    pub(crate) number: u32,
    pub(crate) fails: bool,
    pub(crate) creates_first: bool,
}

/// The provider's `default_labels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultLabel {
    None,
    Literal(u32),
    /// The output of a resource, which is unknown in the plan that changes it.
    Computed(u32),
}

impl DefaultLabel {
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Literal(number) | Self::Computed(number) => Some(format!("o{number}")),
        }
    }
}

/// The content of `main.tf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) secrets: Vec<Declared>,
    pub(crate) consumer: Option<Consumer>,
    pub(crate) default_label: DefaultLabel,
    /// The addresses of `moved` blocks, until the next successful apply.
    pub(crate) moved: Vec<(String, String)>,
}

impl Config {
    pub(crate) fn empty() -> Self {
        Self {
            secrets: Vec::new(),
            consumer: None,
            default_label: DefaultLabel::None,
            moved: Vec::new(),
        }
    }

    pub(crate) fn at(&self, address: &str) -> Option<&Declared> {
        self.secrets.iter().find(|it| it.address == address)
    }

    /// Returns the address that the state's `address` moves to.
    pub(crate) fn moved_from(&self, address: &str) -> String {
        let mut now = address.to_owned();
        for (from, to) in &self.moved {
            if *from == now {
                now.clone_from(to);
            }
        }
        now
    }

    /// Returns whether the secret at `address` is created before its predecessor is
    /// destroyed, by its own `lifecycle` or by a dependent's.
    pub(crate) fn creates_first(&self, address: &str) -> bool {
        let inherited = self.consumer.as_ref();
        inherited.is_some_and(|it| it.of == address && it.creates_first)
            || self.at(address).is_some_and(|it| it.creates_first)
    }

    /// Returns the text after the platform's lines.
    pub(crate) fn text(&self, organization: &str, platform: &str) -> String {
        let mut text = format!(
            "terraform {{\n  required_providers {{\n    planton = {{ source = \"plantonhq/planton\" }}\n  \
             }}\n}}\nprovider \"planton\" {{\n  organization = {organization:?}\n  {platform}\n"
        );
        let computed = match self.default_label {
            DefaultLabel::None => None,
            DefaultLabel::Literal(number) => {
                let _ = writeln!(text, "  default_labels = {{ owner = \"o{number}\" }}");
                None
            }
            DefaultLabel::Computed(number) => {
                text.push_str("  default_labels = { owner = terraform_data.owner.output }\n");
                Some(number)
            }
        };
        text.push_str("}\n");
        if let Some(number) = computed {
            let _ = writeln!(
                text,
                "resource \"terraform_data\" \"owner\" {{ input = \"o{number}\" }}"
            );
        }
        for secret in &self.secrets {
            text.push_str(&secret.text());
        }
        if let Some(consumer) = &self.consumer {
            text.push_str(&consumer.text());
        }
        for (from, to) in &self.moved {
            let _ = writeln!(
                text,
                "moved {{\n  from = planton_secret.{from}\n  to = planton_secret.{to}\n}}"
            );
        }
        text
    }
}

impl Declared {
    pub(crate) fn value(&self) -> Option<String> {
        match self.source {
            Source::Generated => None,
            Source::Given(number) => Some(format!("given-{number}")),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("resource \"planton_secret\" {:?} {{\n", self.address);
        text.push_str(&self.name.lines());
        match self.value() {
            Some(value) => text.push_str(&format!("  value_wo = {value:?}\n")),
            None => text.push_str("  generate = { length = 24 }\n"),
        }
        let numbered = [
            ("value_wo_version", "t", self.trigger),
            ("description", "d", self.description),
        ];
        for (argument, prefix, number) in numbered {
            if let Some(number) = number {
                let _ = writeln!(text, "  {argument} = \"{prefix}{number}\"");
            }
        }
        if let Some(number) = self.label {
            let _ = writeln!(text, "  labels = {{ team = \"l{number}\" }}");
        }
        if let Some(number) = self.keep {
            let _ = writeln!(text, "  keep_versions = {number}");
        }
        if self.is_protected {
            text.push_str("  deletion_protection = true\n");
        }
        if self.is_retained {
            text.push_str("  on_destroy = \"retain\"\n");
        }
        if let Some(uuid) = &self.takes_over {
            let _ = writeln!(text, "  takes_over = {uuid:?}");
        }
        let ignored = match self.ignored {
            Ignored::Nothing => None,
            Ignored::Labels => Some("[labels]"),
            Ignored::Description => Some("[description]"),
            Ignored::Trigger => Some("[value_wo_version]"),
            Ignored::Everything => Some("all"),
        };
        if self.creates_first || ignored.is_some() {
            text.push_str("  lifecycle {\n");
            if self.creates_first {
                text.push_str("    create_before_destroy = true\n");
            }
            if let Some(ignored) = ignored {
                let _ = writeln!(text, "    ignore_changes = {ignored}");
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
        text
    }
}

impl Consumer {
    fn text(&self) -> String {
        let lifecycle = if self.creates_first {
            "  lifecycle { create_before_destroy = true }\n"
        } else {
            ""
        };
        format!(
            "resource \"terraform_data\" \"app\" {{\n  triggers_replace = [planton_secret.{}.id, {}]\n\
             {lifecycle}  provisioner \"local-exec\" {{ command = \"{}\" }}\n}}\n",
            self.of, self.number, !self.fails
        )
    }
}
