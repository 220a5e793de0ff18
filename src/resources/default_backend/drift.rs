//! Drift: the default backend as a refresh finds it in the catalog.

use async_trait::async_trait;

use super::DefaultBackendResource;
use super::state::{Written, backend_of, identity, state};
use crate::diagnostics::{Named, explain};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::{Configured, Refresh};
use planton_plugin::{Diagnostic, ReadRequest, ReadResponse};

#[async_trait]
impl Refresh for DefaultBackendResource {
    async fn read(
        &self,
        session: &Configured,
        request: ReadRequest,
    ) -> Result<ReadResponse, Diagnostic> {
        let anchor = Anchor::read(&request.private)?;
        anchor.expect_catalog(session).await?;
        let written = Written::stored(&request.private)?;
        if let Some(written) = &written {
            written.remember(session);
        }
        let organization = &session.organization;
        let view = organization.default_backend().view().await;
        let view = view.map_err(|error| explain(&error))?;
        let slug = organization.slug().as_str();
        let (anchor, state, warning) = match &view.owner {
            // The catalog keeps this record forever once it was written.
            None if view.generation == 0 => {
                let named = Named::default_backend(&backend_of(&request.state)?);
                let warning = named.record_missing().into_warning();
                (anchor.missing(), request.state, Some(warning))
            }
            None => return Ok(ReadResponse::gone()),
            Some(owner) => {
                // A state that has lost its private data takes the found record for its own.
                // The record has no identity that could differ, and nothing is destroyed
                // with it.
                let stamp = anchor.stamp.or(Some(owner.stamp));
                let anchor = Anchor { stamp, ..anchor }.found(owner);
                let warning = Named::default_backend(&view.backend).finding(anchor.finding, owner);
                let state = if anchor.finding.is_none() {
                    let timeouts = request.state.attribute("timeouts").clone();
                    state(slug, &view.backend, timeouts)
                } else {
                    request.state
                };
                (anchor, state, warning)
            }
        };
        let anchor = Anchor {
            catalog: Some(view.catalog),
            organization: Some(organization.slug().to_string()),
            generation: view.generation.max(anchor.generation),
            ..anchor
        };
        let private = anchor.with_newer_keys(session).await.write();
        Ok(ReadResponse {
            private: Some(match written {
                Some(written) => written.beside(private),
                None => private,
            }),
            identity: Some(identity(slug)),
            diagnostics: warning.into_iter().collect(),
            ..ReadResponse::current(state)
        })
    }
}
