//! Requests for secrets on the built-in backend.

use planton_core::operations::{
    CreateSecret, CurrentVersion, DeleteSecret, OnDestroy, SecretArguments, SecretMetadata,
    SecretValue, SecretView, UpdateSecret, ValueSource,
};

/// Returns the source of a text.
pub fn given(value: &str) -> ValueSource {
    ValueSource::Given(SecretValue::Text(value.into()))
}

/// Returns the request to create a secret that keeps one version.
pub fn creation(named: &str, value: &str) -> CreateSecret {
    CreateSecret {
        name: named.parse().unwrap(),
        backend: None,
        source: given(value),
        metadata: SecretMetadata::default(),
        arguments: SecretArguments {
            value_wo_version: None,
            generate: None,
            copy_from: None,
            deletion_protection: false,
            on_destroy: OnDestroy::Delete,
            keep_versions: 1,
            takes_over: None,
        },
        replaces: Vec::new(),
    }
}

/// Returns the request to change nothing of the secret that `view` shows.
pub fn edit(view: &SecretView) -> UpdateSecret {
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

/// Returns the request to write a further version.
pub fn rotation(view: &SecretView, value: &str) -> UpdateSecret {
    UpdateSecret {
        source: Some(given(value)),
        ..edit(view)
    }
}

/// Returns the request to destroy the secret that `view` shows.
pub fn destruction(view: &SecretView) -> DeleteSecret {
    DeleteSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        generation: view.generation,
        stamp: Some(view.owner.stamp),
    }
}
