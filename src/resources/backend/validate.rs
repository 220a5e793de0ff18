//! Checks a configuration of `planton_secret_backend` without any I/O. Reports every mistake
//! that does not depend on an unknown value.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::keys;
use super::settings::{DELETE, FORGET, on_destroy, set_blocks};
use crate::diagnostics::{explain, invalid_slug, reserved_name};
use crate::fields::{Checked, Mistake, check_key, report_mistakes};
use crate::metadata::check_description;
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{
    ConnectKek, ConnectStore, NAME_PREFIX, PLATFORM_BACKEND, StoreCredential, StoreSettings,
};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::{BACKEND_TYPES, BackendType};

/// Checks the known part. The connectors check the settings of every type of backend and of
/// key.
pub(super) fn validate(
    config: &Value,
    connector: &dyn ConnectStore,
    kek_connector: &dyn ConnectKek,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    names(config, &mut diagnostics);
    check_description(config, &mut diagnostics);
    destroy(config, &mut diagnostics);
    blocks(config, &mut diagnostics);
    for block in set_blocks(config) {
        let checked = Checked {
            path: AttributePath::attribute(block.name()),
            name: block.name(),
            fields: block.fields,
            check: &|configuration, credential| {
                check_store(block, connector, configuration, credential)
            },
        };
        report_mistakes(config.attribute(block.name()), &checked, &mut diagnostics);
    }
    keys::validate(config, &mut diagnostics);
    for (path, of, inner) in keys::checkable(config) {
        let checked = Checked {
            path,
            name: of.name,
            fields: of.fields,
            check: &|configuration, credential| {
                check_key(of, kek_connector, configuration, credential)
            },
        };
        report_mistakes(inner, &checked, &mut diagnostics);
    }
    exposed(config, &mut diagnostics);
    diagnostics
}

fn names(config: &Value, diagnostics: &mut Diagnostics) {
    for (what, name) in [("The name", "name"), ("The name prefix", "name_prefix")] {
        let Some(text) = config.attribute(name).as_str() else {
            continue;
        };
        if Slug::parse(text).is_err() {
            diagnostics.push(invalid_slug(what, text, name));
        } else if name == "name" && text == PLATFORM_BACKEND {
            diagnostics.push(reserved_name());
        }
    }
}

fn destroy(config: &Value, diagnostics: &mut Diagnostics) {
    if let Setting::Set(text) = on_destroy(config)
        && text != DELETE
        && text != FORGET
    {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Destroy Behaviour",
                "on_destroy must be \"delete\" or \"forget\".\n\nSet it to one of them, or omit it.",
            )
            .at("on_destroy"),
        );
    }
}

fn blocks(config: &Value, diagnostics: &mut Diagnostics) {
    let all: Vec<_> = BACKEND_TYPES.iter().map(|block| block.name()).collect();
    let all = all.join(", ");
    let is_null = |block: &&BackendType| config.attribute(block.name()).is_null();
    let set = set_blocks(config);
    if BACKEND_TYPES.iter().all(is_null) {
        diagnostics.push(Diagnostic::error(
            "Secret Backend Missing",
            format!("No backend is configured.\n\nSet exactly one of {all}."),
        ));
    }
    if let [_, second, ..] = set.as_slice() {
        let names: Vec<_> = set.iter().map(|block| block.name()).collect();
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Secret Backends",
                format!(
                    "Exactly one of {all} may be set, but {} are.\n\nRemove all but one, or declare \
                     one backend for each.",
                    names.join(" and ")
                ),
            )
            .at(second.name()),
        );
    }
}

fn check_store(
    block: &BackendType,
    connector: &dyn ConnectStore,
    configuration: BTreeMap<String, Json>,
    credential: Option<&StoreCredential>,
) -> Option<Mistake> {
    let settings = StoreSettings {
        kind: block.name().to_owned(),
        name_prefix: NAME_PREFIX.to_owned(),
        configuration,
    };
    let error = connector.check(&settings, credential).err()?;
    let setting = error.setting().unwrap_or_else(|| error.path());
    Some((setting.to_owned(), explain(&error.into())))
}

fn exposed(config: &Value, diagnostics: &mut Diagnostics) {
    for block in BACKEND_TYPES {
        let address = config.attribute(block.name()).attribute(block.address);
        if address.as_str().is_some_and(block.is_exposed) {
            diagnostics.push(
                Diagnostic::warning(
                    "Backend Connection Not Encrypted",
                    "The connection to the backend has no TLS. Anybody who can read the traffic gets \
                     the token. Stored secrets stay sealed.\n\nUse an https address.",
                )
                .at(AttributePath::attribute(block.name()).then(block.address)),
            );
        }
    }
}

#[cfg(test)]
mod tests;
