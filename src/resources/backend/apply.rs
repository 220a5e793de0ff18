//! Carries out what was planned.

use std::time::{Duration, Instant};

use super::ownership::{completed, deleted};
use super::plan::{located, takes_credential};
use super::settings::{arguments, credential, fixed, store_settings};
use super::state::{Identity, computed, identity};
use crate::operations::{
    BackendView, DeleteBackend, Interrupt, OperationError, RegisterBackend, StoreSettings,
    UpdateBackend,
};
use crate::plugin::{
    ApplyResponse, Context, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic,
    UpdateRequest, Value,
};
use crate::surface::{Anchor, Committed, Configured, explain, invalid_slug};

/// How long an operation on a backend may take.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Declares the backend.
pub(super) async fn create(
    cx: &Context,
    request: CreateRequest,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let config = &request.config;
    let text = config.attribute("name").as_str().unwrap_or_default();
    let name = text
        .parse()
        .map_err(|_| invalid_slug("The name", text, "name"))?;
    let register = RegisterBackend {
        name,
        description: description(config),
        settings: settings(config)?,
        fixed: fixed(config),
        credential: credential(config),
        arguments: arguments(config),
    };
    let interrupt = interrupt(cx);
    let registered = session.organization.register_backend(register, &interrupt);
    let registered = interrupt.bound(registered).await;
    let registered = registered.map_err(|error| at(config, &error))?;
    let mut response = applied(request.planned_state, &registered.view, session).await?;
    response.diagnostics.extend(completed(&registered));
    Ok(response)
}

/// Changes the backend in place.
pub(super) async fn update(
    cx: &Context,
    request: UpdateRequest,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let anchor = Anchor::read(&request.planned_private)?;
    anchor.expect_same(session).await?;
    let Identity { uuid, name } = Identity::read(&request.prior_state)?;
    let (config, prior) = (&request.config, &request.prior_state);
    let takes_credential = takes_credential(prior, &request.planned_state);
    let update = UpdateBackend {
        name,
        uuid,
        seen: (anchor.generation > 0).then_some(anchor.generation),
        stamp: anchor.stamp,
        description: description(config),
        settings: settings(config)?,
        credential: takes_credential.then(|| credential(config)),
        arguments: arguments(config),
    };
    let interrupt = interrupt(cx);
    let updated = session.organization.update_backend(update, &interrupt);
    let updated = interrupt.bound(updated).await;
    let view = updated.map_err(|error| at(config, &error))?;
    applied(request.planned_state, &view, session).await
}

/// Deletes the backend.
pub(super) async fn delete(
    cx: &Context,
    request: DeleteRequest,
    session: &Configured,
) -> Result<DeleteResponse, Diagnostic> {
    let anchor = Anchor::read(&request.planned_private)?;
    anchor.expect_same(session).await?;
    let Identity { uuid, name } = Identity::read(&request.prior_state)?;
    let delete = DeleteBackend {
        name: name.clone(),
        uuid,
        seen: (anchor.generation > 0).then_some(anchor.generation),
        stamp: anchor.stamp,
    };
    let interrupt = interrupt(cx);
    let delete = session.organization.delete_backend(delete, &interrupt);
    let outcome = interrupt.bound(delete).await;
    Ok(deleted(&name, outcome.map_err(|error| explain(&error))?))
}

/// When an operation must have ended.
fn interrupt(cx: &Context) -> Interrupt {
    Interrupt::new(cx.cancellation.clone(), Some(Instant::now() + TIMEOUT))
}

fn description(config: &Value) -> Option<String> {
    config.attribute("description").as_str().map(str::to_owned)
}

fn settings(config: &Value) -> Result<StoreSettings, Diagnostic> {
    store_settings(config)
        .ok_or_else(|| Diagnostic::bug("A backend was applied whose settings are not known."))
}

fn at(config: &Value, error: &OperationError) -> Diagnostic {
    match error {
        OperationError::BackendExists { .. }
        | OperationError::BackendDeclaredTwice { .. }
        | OperationError::BackendNameReserved => explain(error).at("name"),
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
    let committed = Committed {
        catalog: view.catalog,
        generation: view.generation,
        stamp: view.owner.stamp,
    };
    let anchor = Anchor::of(session, committed).await?;
    let organization = session.organization.slug().as_str();
    Ok(ApplyResponse {
        private: Some(anchor.write()),
        identity: Some(identity(organization, &view.name)),
        ..ApplyResponse::applied(computed(planned, view))
    })
}
