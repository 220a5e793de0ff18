//! Applies the plan of a default backend.

use async_trait::async_trait;

use super::DefaultBackendResource;
use super::former_default::left_behind;
use super::state::{Written, backend_of, identity, known};
use crate::diagnostics::{About, Named, explain, explain_at};
use crate::resources::private_state::{Anchor, Committed, PrivateState};
use crate::session::{Apply, Call};
use planton_core::names::Slug;
use planton_core::operations::{DefaultSet, Destroyed, KnownDefault, SetDefault, Stamp};
use planton_plugin::{
    ApplyResponse, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, PrivateData,
    UpdateRequest, Value,
};

#[async_trait]
impl Apply for DefaultBackendResource {
    async fn create(
        &self,
        call: &Call,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let private = &request.planned_private;
        let anchor = Anchor::read(private)?;
        // The choice that this one replaces under create_before_destroy, if the host keeps
        // planned private data (protocol 6.11). Otherwise the data are empty.
        let replaces = anchor.stamp.filter(|_| anchor.finding.is_none());
        if replaces.is_some() {
            anchor.expect_same(&call.session).await?;
            if let Some(written) = Written::stored(private)? {
                written.remember(&call.session);
            }
        }
        set(call, request.planned_state, (None, replaces)).await
    }

    async fn update(
        &self,
        call: &Call,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let anchor = Anchor::read(&request.planned_private)?;
        anchor.expect_same(&call.session).await?;
        let before = in_force(
            call,
            &anchor,
            &request.prior_state,
            &request.planned_private,
        )?;
        set(call, request.planned_state, (Some(before), None)).await
    }

    /// Makes the built-in backend the default again.
    async fn delete(
        &self,
        call: &Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic> {
        let anchor = Anchor::read(&request.planned_private)?;
        anchor.expect_authentic(&call.session).await?;
        let before = in_force(
            call,
            &anchor,
            &request.prior_state,
            &request.planned_private,
        )?;
        let backend = before.backend.clone();
        let organization = &call.session.organization;
        let unset = organization
            .default_backend()
            .unset(before, &call.interrupt);
        let unset = unset.await.map_err(|error| explain(&error))?;
        Ok(DeleteResponse {
            diagnostics: not_destroyed(&backend, unset).into_iter().collect(),
            ..DeleteResponse::default()
        })
    }
}

/// Returns the default that this state has set. The caller has checked the anchor.
fn in_force(
    call: &Call,
    anchor: &Anchor,
    prior_state: &Value,
    private: &PrivateData,
) -> Result<KnownDefault, Diagnostic> {
    let before = known(prior_state, anchor)?;
    if let Some(written) = Written::stored(private)? {
        written.remember(&call.session);
    }
    Ok(before)
}

/// Sets the default, from `before` if this state has set one already, and in the place of the
/// choice with the stamp `replaces`.
async fn set(
    call: &Call,
    planned: Value,
    (before, replaces): (Option<KnownDefault>, Option<Stamp>),
) -> Result<ApplyResponse, Diagnostic> {
    let Call { session, interrupt } = call;
    let backend = backend_of(&planned)?;
    let organization = &session.organization;
    let set = SetDefault {
        backend,
        before,
        replaces,
    };
    let set = organization.default_backend().set(set, interrupt);
    let DefaultSet { view, adopted_from } = set.await.map_err(|error| {
        explain_at(&error, |about| {
            (about == About::Backend).then(|| "backend".into())
        })
    })?;
    let stamp = view.owner.as_ref().map(|owner| owner.stamp);
    let committed = Committed {
        catalog: view.catalog,
        generation: view.generation,
        stamp: stamp.ok_or_else(|| {
            Diagnostic::bug("The provider set a default backend without an owner.")
        })?,
    };
    let anchor = Anchor::of(session, committed).await?;
    let left = session.take_created_elsewhere(&view.backend);
    let left = left_behind(&left, view.backend.as_str());
    let adopted = adopted_from.map(|former| Named::default_backend(&view.backend).adopted(&former));
    let written = Written(view.generation, view.backend);
    let slug = organization.slug().as_str();
    Ok(ApplyResponse {
        private: Some(written.beside(anchor.write())),
        identity: Some(identity(slug)),
        diagnostics: adopted.into_iter().chain(left).collect(),
        ..ApplyResponse::applied(planned.with("id", slug))
    })
}

/// Warns about a destroy that changed nothing.
fn not_destroyed(backend: &Slug, unset: Destroyed) -> Option<Diagnostic> {
    let named = Named::default_backend(backend);
    match unset {
        Destroyed::Done | Destroyed::Forgotten => None,
        Destroyed::OwnedByAnotherState(owner) => Some(named.left_to_owner(&owner)),
        Destroyed::ReturnedToOwner(owner) => Some(named.returned_to_owner(&owner)),
        Destroyed::RecordMissing => Some(Diagnostic::warning(
            "Default Backend Record Missing",
            "The catalog no longer has a record of the default backend, so nothing was changed: \
             without a record, the default is \"platform\".",
        )),
    }
}
