//! Applies the plan of a backend.

use async_trait::async_trait;

use super::SecretBackendResource;
use super::credentials::credential_to_save;
use super::keys;
use super::lost_credentials::{Bare, Replaced};
use super::moved_keys::MovableKeys;
use super::ownership::not_destroyed;
use super::plan::located;
use super::settings::{arguments, credential, fixed, store_settings};
use super::state::{Identity, computed, identity};
use crate::diagnostics::{Named, explain, invalid_slug, kept, not_rotated};
use crate::resources::private_state::{Anchor, Committed, PrivateState};
use crate::session::{Apply, Call, Configured};
use planton_core::operations::{
    BackendView, DeleteBackend, OperationError, RegisterBackend, StoreSettings, UpdateBackend,
};
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, UpdateRequest, Value,
};

#[async_trait]
impl Apply for SecretBackendResource {
    /// Declares the backend.
    async fn create(
        &self,
        call: &Call,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let (config, planned) = (&request.config, &request.planned_state);
        let text = planned.attribute("name").as_str().unwrap_or_default();
        let name = text
            .parse()
            .map_err(|_| invalid_slug("The name", text, "name"))?;
        let register = RegisterBackend {
            name,
            description: description(planned),
            settings: settings(planned)?,
            fixed: fixed(planned),
            credential: credential(config),
            keys: keys::declared(None, planned, config)?,
            arguments: arguments(planned),
        };
        let registered = session
            .organization
            .backends()
            .register(register, interrupt);
        let registered = registered.await.map_err(|error| {
            also_exists(&error, session).unwrap_or_else(|| located(config, &error))
        })?;
        let mut response = applied(request.planned_state, &registered.view, session).await?;
        let named = Named::backend(&registered.view.name);
        let former = registered.adopted_from.as_ref();
        response
            .diagnostics
            .extend(former.map(|former| named.adopted(former)));
        Ok(response)
    }

    async fn update(
        &self,
        call: &Call,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let anchor = Anchor::read(&request.planned_private)?;
        anchor.expect_same(session).await?;
        let Identity { uuid, name } = Identity::read(&request.prior_state)?;
        // Only the planned state reflects `ignore_changes`, so only write-only values come from
        // the configuration.
        let (config, planned) = (&request.config, &request.planned_state);
        let update = UpdateBackend {
            name,
            uuid,
            seen: (anchor.generation > 0).then_some(anchor.generation),
            stamp: anchor.stamp,
            description: description(planned),
            settings: settings(planned)?,
            credential: credential_to_save(&request),
            keys: keys::declared(Some(&request.prior_state), planned, config)?,
            arguments: arguments(planned),
        };
        let updated = session.organization.backends().update(update, interrupt);
        let view = updated.await.map_err(|error| located(config, &error))?;
        applied(request.planned_state, &view, session).await
    }

    async fn delete(
        &self,
        call: &Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let anchor = Anchor::read(&request.planned_private)?;
        if let Some(bare) = Bare::stored(&request.planned_private)? {
            // The plan of a creation left this note, so it did not see the backend: it is tainted.
            let replaced = Replaced::of(&request.prior_state)?;
            if let Some(lost) = replaced.loses(Some(&bare), Some(session)).await? {
                return Ok(DeleteResponse::refused(replaced.refuses_taint(lost)));
            }
        }
        anchor.expect_authentic(session).await?;
        let Identity { uuid, name } = Identity::read(&request.prior_state)?;
        let delete = DeleteBackend {
            name: name.clone(),
            uuid,
            seen: (anchor.generation > 0).then_some(anchor.generation),
            stamp: anchor.stamp,
        };
        let delete = session.organization.backends().delete(delete, interrupt);
        let outcome = delete.await.map_err(|error| explain(&error))?;
        Ok(DeleteResponse {
            diagnostics: not_destroyed(&name, outcome).into_iter().collect(),
            ..DeleteResponse::default()
        })
    }
}

fn description(planned: &Value) -> Option<String> {
    planned.attribute("description").as_str().map(str::to_owned)
}

fn settings(planned: &Value) -> Result<StoreSettings, Diagnostic> {
    store_settings(planned)
        .ok_or_else(|| Diagnostic::bug("The settings of a backend were unknown during its apply."))
}

/// Returns the short error about an existing backend, if another error of this apply
/// describes its run.
fn also_exists(error: &OperationError, session: &Configured) -> Option<Diagnostic> {
    let OperationError::BackendExists { backend, existing } = error else {
        return None;
    };
    if session.must_show("planton_secret_backend", existing) {
        return None;
    }
    let told = Named::backend(backend).also_exists(existing);
    Some(Diagnostic::error("Secret Backend Already Exists", told).at("name"))
}

async fn applied(
    planned: Value,
    view: &BackendView,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let committed = Committed {
        catalog: view.catalog,
        generation: view.generation,
        stamp: view.owner.stamp,
    };
    let anchor = Anchor::of(session, committed).await?;
    let movable = MovableKeys::applied(&planned, session);
    let organization = session.organization.slug().as_str();
    let notes = &view.key_notes;
    let warnings = [
        notes.kept.as_ref().map(|key| kept(&view.name, key)),
        notes
            .rotation
            .zip(view.key_ids.first())
            .and_then(|(rotation, key)| not_rotated(&view.name, key, rotation)),
    ];
    let warnings = warnings.into_iter().flatten();
    Ok(ApplyResponse {
        private: Some(movable.kept_beside(anchor.write())),
        identity: Some(identity(organization, &view.name)),
        diagnostics: warnings.map(|told| told.at(keys::ENCRYPTION)).collect(),
        ..ApplyResponse::applied(computed(planned, view))
    })
}
