//! Drift: a backend as a refresh finds it in the catalog.

use async_trait::async_trait;

use super::SecretBackendResource;
use super::keys;
use super::moved_keys::MovableKeys;
use super::state::{self, Identity};
use crate::diagnostics::{Named, explain};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::{Configured, Refresh};
use planton_core::operations::RefreshedBackend;
use planton_plugin::{Diagnostic, ReadRequest, ReadResponse};

#[async_trait]
impl Refresh for SecretBackendResource {
    async fn read(
        &self,
        session: &Configured,
        request: ReadRequest,
    ) -> Result<ReadResponse, Diagnostic> {
        let identity = Identity::read(&request.state)?;
        let Identity { uuid, name } = identity.clone();
        let anchor = Anchor::read(&request.private)?;
        let mut kept = None;
        let mut movable = MovableKeys::read(&request.private)?;
        anchor.expect_catalog(session).await?;
        let organization = &session.organization;
        let seen = (anchor.generation > 0).then_some(anchor.generation);
        let refreshed = organization.backends().refresh(&name, uuid, seen).await;
        let anchor = Anchor {
            organization: Some(organization.slug().to_string()),
            ..anchor
        };
        let (state, anchor, warning) = match refreshed.map_err(|error| explain(&error))? {
            RefreshedBackend::Gone => return Ok(ReadResponse::gone()),
            RefreshedBackend::RecordMissing => {
                let warning = Named::backend(&name).record_missing().into_warning();
                (request.state, anchor.missing(), Some(warning))
            }
            RefreshedBackend::Present(view) => {
                let anchor = anchor.found(&view.owner);
                let warning = Named::backend(&view.name).finding(anchor.finding, &view.owner);
                let is_own = anchor.finding.is_none();
                let anchor = Anchor {
                    catalog: Some(view.catalog),
                    generation: view.generation,
                    deleting: view.is_deleting && is_own,
                    ..anchor
                };
                // The record of another owner does not change this state.
                let state = if is_own {
                    (movable, kept) = movable.compared(session, &identity).await;
                    let timeouts = request.state.attribute("timeouts").clone();
                    let found = state::whole(&view, timeouts);
                    keys::keep_empty_escrow(found, &request.state)
                } else {
                    request.state
                };
                (state, anchor, warning)
            }
        };
        let private = anchor.with_newer_keys(session).await.write();
        Ok(ReadResponse {
            private: Some(movable.kept_beside(private)),
            identity: Some(state::identity(organization.slug().as_str(), &name)),
            diagnostics: warning.into_iter().chain(kept).collect(),
            ..ReadResponse::current(state)
        })
    }
}
