//! Carries out what was planned.

use super::former_default::left_behind;
use super::state::{Written, backend_of, identity, known};
use crate::diagnostics::{About, explain, explain_at, named_default};
use crate::resources::private_state::{Anchor, Committed, PrivateState};
use crate::session::Call;
use planton_core::names::Slug;
use planton_core::operations::{DefaultSet, Destroyed, KnownDefault, SetDefault};
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, PrivateData,
    UpdateRequest, Value,
};

/// Sets the default.
pub(super) async fn create(
    call: &Call,
    request: CreateRequest,
) -> Result<ApplyResponse, Diagnostic> {
    set(call, request.planned_state, None).await
}

/// Sets another default.
pub(super) async fn update(
    call: &Call,
    request: UpdateRequest,
) -> Result<ApplyResponse, Diagnostic> {
    let before = in_force(call, &request.prior_state, &request.planned_private).await?;
    set(call, request.planned_state, Some(before)).await
}

/// Makes the built-in backend the default again.
pub(super) async fn delete(
    call: &Call,
    request: DeleteRequest,
) -> Result<DeleteResponse, Diagnostic> {
    let before = in_force(call, &request.prior_state, &request.planned_private).await?;
    let backend = before.backend.clone();
    let organization = &call.session.organization;
    let unset = organization
        .default_backend()
        .unset(before, &call.interrupt);
    let unset = unset.await.map_err(|error| explain(&error))?;
    Ok(unset_told(&backend, unset))
}

/// Returns the default that this state has set, once the catalog is known to be the same.
async fn in_force(
    call: &Call,
    prior_state: &Value,
    private: &PrivateData,
) -> Result<KnownDefault, Diagnostic> {
    let anchor = Anchor::read(private)?;
    anchor.expect_same(&call.session).await?;
    let before = known(prior_state, &anchor)?;
    if let Some(written) = Written::stored(private)? {
        written.remember(&call.session);
    }
    Ok(before)
}

/// Sets the default, from `before` if this state has set one already.
async fn set(
    call: &Call,
    planned: Value,
    before: Option<KnownDefault>,
) -> Result<ApplyResponse, Diagnostic> {
    let Call { session, interrupt } = call;
    let backend = backend_of(&planned)?;
    let organization = &session.organization;
    let set = organization
        .default_backend()
        .set(SetDefault { backend, before }, interrupt);
    let DefaultSet { view, adopted_from } = set.await.map_err(|error| {
        explain_at(&error, |about| {
            (about == About::Backend).then(|| "backend".into())
        })
    })?;
    let stamp = view.owner.as_ref().map(|owner| owner.stamp);
    let committed = Committed {
        catalog: view.catalog,
        generation: view.generation,
        stamp: stamp.ok_or_else(|| Diagnostic::bug("A default was set that nobody owns."))?,
    };
    let anchor = Anchor::of(session, committed).await?;
    let left = session.take_created_elsewhere(&view.backend);
    let left = left_behind(&left, view.backend.as_str());
    let completed =
        adopted_from.map(|former| named_default(&view.backend, |named| named.completed(&former)));
    let written = Written(view.generation, view.backend);
    let slug = organization.slug().as_str();
    let mut response = ApplyResponse {
        private: Some(written.beside(anchor.write())),
        identity: Some(identity(slug)),
        ..ApplyResponse::applied(planned.with("id", slug))
    };
    response
        .diagnostics
        .extend(completed.into_iter().chain(left));
    Ok(response)
}

/// Tells what a destroy left.
fn unset_told(backend: &Slug, unset: Destroyed) -> DeleteResponse {
    let warning = match unset {
        Destroyed::Done | Destroyed::Forgotten => None,
        Destroyed::LeftToOwner(owner) => Some((
            "Default Backend Left To Its Owner",
            named_default(backend, |named| named.left_to_owner(&owner)),
        )),
        Destroyed::GivenBack(owner) => Some((
            "Default Backend Left To Its Owner",
            named_default(backend, |named| named.given_back(&owner)),
        )),
        Destroyed::RecordMissing => Some((
            "Default Backend Record Missing",
            "The catalog has no record of the default backend any more, so nothing was changed: \
             without one the default is \"platform\"."
                .to_owned(),
        )),
    };
    let mut response = DeleteResponse::default();
    response
        .diagnostics
        .extend(warning.map(|(summary, detail)| Diagnostic::warning(summary, detail)));
    response
}
