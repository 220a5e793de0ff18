//! Requests to the use cases, and their values.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalog::{GenerateSpec, OnDestroy, SecretArguments, SecretMetadata};
use crate::names::{SecretName, Slug};
use crate::operations::{
    CreateSecret, CurrentVersion, DeleteSecret, Interrupt, SecretView, UpdateSecret, ValueSource,
};
use planton_envelope::SecretValue;
use planton_secret::SecretString;

/// Returns the value in a comparable form.
pub(super) fn exposed(value: &SecretValue) -> String {
    match value {
        SecretValue::Text(text) => text.expose().to_owned(),
        SecretValue::KeyValue(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{key}={}", value.expose()))
                .collect();
            pairs.join(",")
        }
        SecretValue::Binary(bytes) => hex::encode(bytes.expose()),
    }
}

pub(super) fn acme() -> Slug {
    Slug::parse("acme").unwrap()
}

pub(super) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(super) fn text(value: &str) -> SecretValue {
    SecretValue::Text(SecretString::from(value))
}

pub(super) fn pairs(all: &[(&str, &str)]) -> SecretValue {
    let pairs = all
        .iter()
        .map(|(key, value)| ((*key).to_owned(), SecretString::from(*value)));
    SecretValue::KeyValue(pairs.collect::<BTreeMap<_, _>>())
}

pub(super) fn given(value: &str) -> ValueSource {
    ValueSource::Given(text(value))
}

pub(super) fn arguments() -> SecretArguments {
    SecretArguments {
        value_wo_version: Some("1".to_owned()),
        generate: None,
        copy_from: None,
        deletion_protection: false,
        on_destroy: OnDestroy::Delete,
        keep_versions: 10,
        takes_over: None,
    }
}

pub(super) fn spec() -> GenerateSpec {
    GenerateSpec {
        length: 24,
        lower: true,
        upper: true,
        numeric: true,
        special: true,
        override_special: None,
        min_lower: 0,
        min_upper: 0,
        min_numeric: 0,
        min_special: 0,
    }
}

/// Returns a request to create `named` from `source`.
pub(super) fn create_of(named: &str, source: ValueSource) -> CreateSecret {
    CreateSecret {
        name: name(named),
        backend: None,
        source,
        metadata: SecretMetadata::default(),
        arguments: arguments(),
        replaces: Vec::new(),
    }
}

/// Returns a request to create `named` with a generated value.
pub(super) fn generate_of(named: &str, spec: GenerateSpec) -> CreateSecret {
    let create = create_of(named, ValueSource::Generated(spec.clone()));
    CreateSecret {
        arguments: SecretArguments {
            generate: Some(spec),
            ..arguments()
        },
        ..create
    }
}

/// Returns a request for a new value of the secret that `view` shows.
pub(super) fn rotate(view: &SecretView, value: &str) -> UpdateSecret {
    UpdateSecret {
        source: Some(given(value)),
        ..edit(view)
    }
}

/// Returns a request to delete a secret, in any generation and without a stamp.
pub(super) fn any(name: &SecretName, uuid: Uuid) -> DeleteSecret {
    at(u64::MAX, name, uuid)
}

/// Returns a request to delete a secret that was last seen in this generation.
pub(super) fn at(generation: u64, name: &SecretName, uuid: Uuid) -> DeleteSecret {
    DeleteSecret {
        name: name.clone(),
        uuid,
        generation,
        stamp: None,
    }
}

/// Returns a request to delete the secret that `view` shows, by the state that owns it.
pub(super) fn own(view: &SecretView) -> DeleteSecret {
    DeleteSecret {
        stamp: Some(view.owner.stamp),
        ..at(view.generation, &view.name, view.uuid)
    }
}

/// Returns a request without any change of the secret that `view` shows; the caller adds
/// changes.
pub(super) fn edit(view: &SecretView) -> UpdateSecret {
    UpdateSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        generation: view.generation,
        stamp: Some(view.owner.stamp),
        source: None,
        current: view.version.as_ref().map(|version| CurrentVersion {
            backend: view.backend.clone(),
            backend_uuid: view.backend_seen.as_ref().map(|seen| seen.uuid),
            number: version.number,
        }),
        heals: false,
        metadata: view.metadata.clone(),
        arguments: view.arguments.clone(),
    }
}

/// Returns an interrupt, and the token that cancels it.
pub(super) fn cancellable() -> (Interrupt, CancellationToken) {
    let token = CancellationToken::new();
    (Interrupt::new(token.clone(), None), token)
}
