//! Checks a configuration of `planton_secret` without any I/O.

use super::settings::{Settings, generate_spec};
use crate::diagnostics::invalid_slug;
use crate::metadata::{check_description, check_labels, entry};
use crate::setting::{Setting, uuid_as_stored};
use planton_core::names::Slug;
use planton_core::operations::{MAX_GENERATED_LENGTH, PLATFORM_BACKEND};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};

/// Checks the known part.
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
    generate(config, &mut diagnostics);
    lifecycle(config, &settings, &mut diagnostics);
    check_description(config, &mut diagnostics);
    check_labels(config, "labels", &mut diagnostics);
    diagnostics
}

fn takes_over(config: &Value, diagnostics: &mut Diagnostics) {
    let Some(text) = config.attribute("takes_over").as_str() else {
        return;
    };
    if uuid_as_stored(text).is_none() {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Secret Id",
                "takes_over is not the id of a secret: a uuid in lower-case letters, with \
                 hyphens.\n\nSet it to the id of the replaced secret, from its state or from the \
                 error \"Secret Already Exists\".",
            )
            .at("takes_over"),
        );
    }
}

fn sources(config: &Value, diagnostics: &mut Diagnostics) {
    // An unknown one may still become null.
    let given: Vec<_> = ["value_wo", "data_wo", "generate", "copy_from"]
        .into_iter()
        .filter(|name| config.attribute(name).is_set())
        .collect();
    if let [_, second, ..] = given.as_slice() {
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Secret Values",
                format!(
                    "At most one of value_wo, data_wo, generate and copy_from may be set, but {} \
                     are.\n\nRemove all but one.",
                    given.join(" and ")
                ),
            )
            .at(*second),
        );
    }
    copy_from(config.attribute("copy_from"), diagnostics);
    if let Some(entries) = config.attribute("data_wo").entries() {
        for (key, value) in entries {
            let what = match (key.is_empty(), value.is_null()) {
                (true, _) => "An entry of data_wo has an empty key".to_owned(),
                (false, true) => format!("{} of data_wo is null", entry(key)),
                (false, false) => continue,
            };
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Secret Data",
                    format!(
                        "{what}.\n\nSet a key and a value for every entry; the value may be an empty \
                         text. To omit an entry in some cases, use merge, or a for expression with \
                         an if clause."
                    ),
                )
                .at(AttributePath::attribute("data_wo").key(key.clone())),
            );
        }
    }
}

fn copy_from(configured: &Value, diagnostics: &mut Diagnostics) {
    let path = |name: &str| AttributePath::attribute("copy_from").then(name);
    if let Some(text) = configured.attribute("backend").as_str() {
        if Slug::parse(text).is_err() {
            diagnostics.push(invalid_slug("The backend", text, path("backend")));
        } else if text == PLATFORM_BACKEND {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Copy Source",
                    "The built-in backend contains sealed secrets only, which cannot be copied as \
                     objects.\n\nName a backend of your own. To copy another secret, read it with an \
                     ephemeral planton_secret, and set value_wo to its value.",
                )
                .at(path("backend")),
            );
        }
    }
    if configured.attribute("remote_name").as_str() == Some("") {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Copy Source",
                "remote_name is an empty text.\n\nSet it to the object's name in the backend.",
            )
            .at(path("remote_name")),
        );
    }
}

/// Checks the known part of `generate`, and assumes that an unknown part is valid.
fn generate(config: &Value, diagnostics: &mut Diagnostics) {
    let Some(attributes) = config.attribute("generate").entries() else {
        return;
    };
    let mut known = Value::object::<&str>([]);
    for (name, value) in attributes.iter().filter(|(_, value)| value.is_set()) {
        let is_whole = value.as_u64().is_some();
        if name.starts_with("min_") && !is_whole {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Generate Parameters",
                    format!("generate.{name} must be a whole number of 0 or more.\n\nCorrect it."),
                )
                .at(AttributePath::attribute("generate").then(name)),
            );
        } else {
            known.set(name.as_str(), value.clone());
        }
    }
    if attributes.get("length").is_some_and(Value::is_unknown) {
        known.set("length", MAX_GENERATED_LENGTH);
    }
    let spec = generate_spec(&known).expect("all parts are known");
    if let Err(error) = spec.validate() {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Generate Parameters",
                format!("No value can be generated from these parameters: {error}.\n\nCorrect the generate argument."),
            )
            .at("generate"),
        );
    }
}

fn lifecycle(config: &Value, settings: &Settings, diagnostics: &mut Diagnostics) {
    if let Setting::Set(text) = settings.on_destroy()
        && !matches!(text.as_str(), "delete" | "retain" | "forget")
    {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Destroy Behaviour",
                "on_destroy must be \"delete\", \"retain\" or \"forget\".\n\nSet it to one of them, or omit \
                 it.",
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
                "keep_versions must be a whole number from 1 to 1000. The provider always keeps the \
                 current version.",
            )
            .at("keep_versions"),
        );
    }
}
