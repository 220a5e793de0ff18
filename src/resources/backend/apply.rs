//! Carries out what was planned.

use super::credentials::credential_to_save;
use super::plan::located;
use super::settings::{arguments, credential, store_settings};
use super::state::{Identity, computed, identity};
use crate::operations::{
    BackendView, Interrupt, OperationError, RegisterBackend, StoreSettings, UpdateBackend,
};
use crate::plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, UpdateRequest, Value,
};
use crate::surface::{Anchor, Configured, explain, invalid_slug};

/// Declares the backend.
pub(super) async fn create(
    interrupt: &Interrupt,
    request: CreateRequest,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let (config, planned) = (&request.config, &request.planned_state);
    let text = planned.attribute("name").as_str().unwrap_or_default();
    let name = text
        .parse()
        .map_err(|_| invalid_slug("The name", text, "name"))?;
    let register = RegisterBackend {
        name,
        description: description(planned),
        settings: settings(planned)?,
        credential: credential(config),
        arguments: arguments(planned),
    };
    let registered = session.organization.register_backend(register, interrupt);
    let view = registered.await.map_err(|error| at(config, &error))?;
    applied(request.planned_state, &view, session).await
}

/// Changes the backend in place.
pub(super) async fn update(
    interrupt: &Interrupt,
    request: UpdateRequest,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let anchor = Anchor::read(&request.planned_private)?;
    anchor.expect_same(session).await?;
    let Identity { uuid, name } = Identity::read(&request.prior_state)?;
    // `ignore_changes` is visible in the planned state alone: only what is
    // write-only comes from the configuration.
    let (config, planned) = (&request.config, &request.planned_state);
    let update = UpdateBackend {
        name,
        uuid,
        seen: (anchor.generation > 0).then_some(anchor.generation),
        description: description(planned),
        settings: settings(planned)?,
        credential: credential_to_save(&request.prior_state, planned, config),
        arguments: arguments(planned),
    };
    let updated = session.organization.update_backend(update, interrupt);
    let view = updated.await.map_err(|error| at(config, &error))?;
    applied(request.planned_state, &view, session).await
}

/// Deletes the backend.
pub(super) async fn delete(
    interrupt: &Interrupt,
    request: DeleteRequest,
    session: &Configured,
) -> Result<DeleteResponse, Diagnostic> {
    let anchor = Anchor::read(&request.planned_private)?;
    anchor.expect_same(session).await?;
    let Identity { uuid, name } = Identity::read(&request.prior_state)?;
    let seen = match anchor.generation {
        0 => u64::MAX,
        generation => generation,
    };
    let deleted = session
        .organization
        .delete_backend(&name, uuid, seen, interrupt);
    let deleted = deleted.await.map_err(|error| explain(&error))?;
    let mut response = DeleteResponse::default();
    if let Some(left) = deleted.left_behind {
        response.diagnostics.push(Diagnostic::warning(
            "Backend Marker Left Behind",
            format!(
                "The backend is deleted from the catalog, but its marker object could not be \
                 deleted: {left}.\n\nNothing secret is in it. Delete it by hand if the place still \
                 exists."
            ),
        ));
    }
    Ok(response)
}

fn description(planned: &Value) -> Option<String> {
    planned.attribute("description").as_str().map(str::to_owned)
}

fn settings(planned: &Value) -> Result<StoreSettings, Diagnostic> {
    store_settings(planned)
        .ok_or_else(|| Diagnostic::bug("A backend was applied whose settings are not known."))
}

fn at(config: &Value, error: &OperationError) -> Diagnostic {
    match error {
        OperationError::BackendExists { .. } => explain(error).at("name"),
        OperationError::BackendNotThere { .. }
        | OperationError::BackendNotMarked { .. }
        | OperationError::ProbeFailed { .. }
        | OperationError::Store(_) => located(config, error),
        _ => explain(error),
    }
}

async fn applied(
    planned: Value,
    view: &BackendView,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let anchor = Anchor::of(session, view.catalog, view.generation).await?;
    let organization = session.organization.slug().as_str();
    Ok(ApplyResponse {
        private: Some(anchor.write()),
        identity: Some(identity(organization, &view.name)),
        ..ApplyResponse::applied(computed(planned, view))
    })
}
