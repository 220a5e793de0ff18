//! The state of `planton_secret_backend`.

use uuid::Uuid;

use super::keys;
use super::settings::{AMBIENT, DELETE, FORGET, STATIC};
use crate::fields::block_state;
use crate::timestamp::to_the_second;
use planton_core::names::Slug;
use planton_core::operations::{BackendOnDestroy, BackendView};
use planton_plugin::{Diagnostic, Value};
use planton_vendors::{BACKEND_TYPES, BackendType};

/// Identity of a backend in a stored state.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) uuid: Uuid,
    pub(super) name: Slug,
}

impl Identity {
    pub(super) fn read(state: &Value) -> Result<Self, Diagnostic> {
        let text = |name: &str| state.attribute(name).as_str();
        let uuid = text("id").and_then(|text| text.parse().ok());
        let name = text("name").and_then(|text| text.parse().ok());
        match (uuid, name) {
            (Some(uuid), Some(name)) => Ok(Self { uuid, name }),
            _ => Err(Diagnostic::error(
                "Resource State Not Readable",
                "The stored state of this backend has no valid id or name.\n\nRestore the state from \
                 a backup, or remove the resource from it (terraform state rm) and import it again.",
            )),
        }
    }
}

/// Sets the computed attributes of `state` from `view`.
pub(super) fn computed(mut state: Value, view: &BackendView) -> Value {
    state.set("id", view.uuid.to_string());
    state.set("type", view.settings.kind.as_str());
    state.set(
        "credential_source",
        if view.is_static { STATIC } else { AMBIENT },
    );
    state.set("created_at", to_the_second(view.created_at));
    state.set("updated_at", to_the_second(view.updated_at));
    keys::set_ids(&mut state, view);
    state
}

/// Returns the whole state of a backend from its record. The record has no `timeouts`, so the
/// caller passes those of the configuration.
pub(super) fn whole(view: &BackendView, timeouts: Value) -> Value {
    let on_destroy = match view.arguments.on_destroy {
        BackendOnDestroy::Delete => DELETE,
        BackendOnDestroy::Forget => FORGET,
    };
    let mut state = Value::object([
        ("name", Value::from(view.name.as_str())),
        ("description", view.description.clone().into()),
        ("name_prefix", view.settings.name_prefix.as_str().into()),
        (
            "credentials_wo_version",
            view.arguments.credentials_wo_version.clone().into(),
        ),
        ("verify_connection", view.arguments.verify_connection.into()),
        ("on_destroy", on_destroy.into()),
        ("timeouts", timeouts),
    ]);
    for block in BACKEND_TYPES {
        state.set(block.name(), Value::Null);
    }
    if let Some(block) = BackendType::of(&view.settings.kind) {
        let inner = block_state(block.fields, &view.settings.configuration);
        state.set(block.name(), inner);
    }
    keys::set_state(&mut state, view);
    computed(state, view)
}

/// Returns the identity of a backend.
pub(super) fn identity(organization: &str, name: &Slug) -> Value {
    Value::object([
        ("organization", Value::from(organization)),
        ("name", name.as_str().into()),
    ])
}
