//! Drift: what a refresh finds of the default backend in the catalog.

use super::state::{Written, backend_of, identity, state};
use crate::diagnostics::{explain, named_default};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_plugin::{Diagnostic, ReadRequest, ReadResponse};

/// Reads the default in force.
pub(super) async fn read(
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
    let known = backend_of(&request.state)?;
    let (anchor, state, warning) = match &view.owner {
        // The record is written once and never taken away.
        None if view.generation == 0 => (
            anchor.missing(),
            request.state,
            Some((
                "Default Backend Record Missing",
                named_default(&known, |named| named.record_missing()),
            )),
        ),
        None => return Ok(ReadResponse::gone()),
        Some(owner) => {
            // Where private data was lost, the choice found is taken for this state's: it
            // has no identity to tell, and nothing is destroyed with it.
            let stamp = anchor.stamp.or(Some(owner.stamp));
            let anchor = Anchor { stamp, ..anchor }.found(owner);
            if anchor.finding.is_none() {
                let timeouts = request.state.attribute("timeouts").clone();
                (anchor, state(slug, &view.backend, timeouts), None)
            } else {
                let detail = named_default(&view.backend, |named| named.owned_by_another(owner));
                let warning = ("Default Backend Owned By Another State", detail);
                (anchor, request.state, Some(warning))
            }
        }
    };
    let mut response = ReadResponse::current(state);
    let anchor = Anchor {
        catalog: Some(view.catalog),
        organization: Some(organization.slug().to_string()),
        generation: view.generation.max(anchor.generation),
        ..anchor
    };
    let private = anchor.write();
    response.private = Some(match written {
        Some(written) => written.beside(private),
        None => private,
    });
    response.identity = Some(identity(slug));
    response
        .diagnostics
        .extend(warning.map(|(summary, detail)| Diagnostic::warning(summary, detail)));
    Ok(response)
}
