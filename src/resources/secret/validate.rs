//! Checks a configuration of `planton_secret` without any I/O.

use super::settings::Settings;
use crate::names::Slug;
use crate::plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use crate::surface::{Setting, invalid_slug, validate_timeouts};

/// The longest label key or value, and the most labels: what all backends take.
const MAX_LABELS: usize = 40;
const MAX_LABEL_BYTES: usize = 256;

/// Checks what is known.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let settings = Settings::read(config);
    for (what, name, setting) in [
        ("The name", "name", &settings.name),
        ("The environment", "environment", &settings.environment),
        ("The backend", "backend", &settings.backend),
    ] {
        if let Setting::Set(text) = setting
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug(what, text, name));
        }
    }
    sources(config, &mut diagnostics);
    takes_over(config, &mut diagnostics);
    if let Setting::Set(spec) = &settings.generate
        && let Err(error) = spec.validate()
    {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Generate Parameters",
                format!("No value can be generated this way: {error}."),
            )
            .at(AttributePath::attribute("generate")),
        );
    }
    lifecycle(config, &settings, &mut diagnostics);
    labels(config, &mut diagnostics);
    diagnostics
}

fn takes_over(config: &Value, diagnostics: &mut Diagnostics) {
    let Some(text) = config.attribute("takes_over").as_str() else {
        return;
    };
    if uuid::Uuid::parse_str(text).is_err() {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Secret Id",
                "takes_over must be the id of a secret: a uuid, as the error \"Secret Already \
                 Exists\" and the state of the secret to be replaced have it.",
            )
            .at("takes_over"),
        );
    }
}

fn sources(config: &Value, diagnostics: &mut Diagnostics) {
    // Unknown may still turn out to be null.
    let given: Vec<_> = ["value_wo", "data_wo", "generate", "copy_from"]
        .into_iter()
        .filter(|name| config.attribute(name).is_set())
        .collect();
    if let [_, second, ..] = given.as_slice() {
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Secret Values",
                format!(
                    "At most one of value_wo, data_wo, generate and copy_from may be set; here {} are.\n\n\
                     Remove all but one.",
                    given.join(" and ")
                ),
            )
            .at(*second),
        );
    }
    let backend = config.attribute("copy_from").attribute("backend");
    if let Some(text) = backend.as_str()
        && Slug::parse(text).is_err()
    {
        let path = AttributePath::attribute("copy_from").then("backend");
        diagnostics.push(invalid_slug("The backend", text, path));
    }
    if let Some(entries) = config.attribute("data_wo").entries() {
        for (key, value) in entries {
            if key.is_empty() || value.is_null() {
                let what = if key.is_empty() {
                    "has an empty key"
                } else {
                    "is null"
                };
                diagnostics.push(
                    Diagnostic::error(
                        "Invalid Secret Data",
                        format!(
                            "An entry of data_wo {what}.\n\nGive every entry a key and a value; \
                             the value may be an empty text."
                        ),
                    )
                    .at(AttributePath::attribute("data_wo").key(key.clone())),
                );
            }
        }
    }
}

fn lifecycle(config: &Value, settings: &Settings, diagnostics: &mut Diagnostics) {
    if let Setting::Set(text) = settings.on_destroy()
        && !matches!(text.as_str(), "delete" | "retain" | "forget")
    {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Destroy Behaviour",
                format!("on_destroy must be \"delete\" or \"retain\", not {text:?}."),
            )
            .at("on_destroy"),
        );
    }
    let keep = config.attribute("keep_versions");
    let fits = keep.as_i64().is_some_and(|keep| (1..=1000).contains(&keep));
    if keep.is_set() && !fits {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Number Of Versions",
                "keep_versions must be a whole number from 1 to 1000: the current version always \
                 stays.",
            )
            .at("keep_versions"),
        );
    }
    validate_timeouts(config, diagnostics);
}

fn labels(config: &Value, diagnostics: &mut Diagnostics) {
    let Some(labels) = config.attribute("labels").entries() else {
        return;
    };
    if labels.len() > MAX_LABELS {
        diagnostics.push(
            Diagnostic::error(
                "Too Many Labels",
                format!(
                    "There are {} labels, at most {MAX_LABELS} are allowed.",
                    labels.len()
                ),
            )
            .at("labels"),
        );
    }
    for (key, value) in labels {
        let long = value
            .as_str()
            .is_some_and(|text| text.len() > MAX_LABEL_BYTES);
        if key.is_empty() || key.len() > MAX_LABEL_BYTES || value.is_null() || long {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Label",
                    format!(
                        "A label needs a key of 1 to {MAX_LABEL_BYTES} bytes, and a value of at \
                         most {MAX_LABEL_BYTES} bytes that is not null."
                    ),
                )
                .at(AttributePath::attribute("labels").key(key.clone())),
            );
        }
    }
}
