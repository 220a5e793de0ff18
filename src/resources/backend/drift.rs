//! Drift: what a refresh finds of a backend in the catalog.

use super::state::{self, Identity};
use crate::diagnostics::{explain, named_backend};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_core::names::Slug;
use planton_core::operations::{BackendView, RefreshedBackend};
use planton_plugin::{Diagnostic, ReadRequest, ReadResponse, Value};

/// Reads the backend's record.
pub(super) async fn read(
    session: &Configured,
    request: ReadRequest,
) -> Result<ReadResponse, Diagnostic> {
    let Identity { uuid, name } = Identity::read(&request.state)?;
    let anchor = Anchor::read(&request.private)?;
    anchor.expect_catalog(session).await?;
    let organization = &session.organization;
    let seen = (anchor.generation > 0).then_some(anchor.generation);
    let refreshed = organization.backends().refresh(&name, uuid, seen).await;
    let anchor = Anchor {
        organization: Some(organization.slug().to_string()),
        ..anchor
    };
    let mut response = match refreshed.map_err(|error| explain(&error))? {
        RefreshedBackend::Gone => return Ok(ReadResponse::gone()),
        RefreshedBackend::RecordMissing => record_missing(request.state, anchor, &name),
        RefreshedBackend::Present(view) => {
            let timeouts = request.state.attribute("timeouts").clone();
            found(request.state, anchor, &view, || {
                state::whole(&view, timeouts)
            })
        }
    };
    response.identity = Some(state::identity(organization.slug().as_str(), &name));
    Ok(response)
}

/// Returns what a read answers that found the backend: its state if it is this
/// state's, and otherwise what was known, with a warning.
fn found(
    known: Value,
    anchor: Anchor,
    view: &BackendView,
    current: impl FnOnce() -> Value,
) -> ReadResponse {
    let anchor = anchor.found(&view.owner);
    let is_other = anchor.finding.is_some();
    let anchor = Anchor {
        catalog: Some(view.catalog),
        generation: view.generation,
        deleting: view.is_deleting && !is_other,
        ..anchor
    };
    let mut response = ReadResponse::current(if is_other { known } else { current() });
    response.private = Some(anchor.write());
    if is_other {
        let detail = named_backend(&view.name, |named| named.owned_by_another(&view.owner));
        response.diagnostics.push(Diagnostic::warning(
            "Backend Owned By Another State",
            detail,
        ));
    }
    response
}

/// Returns what a read answers that found no record: what was known.
fn record_missing(known: Value, anchor: Anchor, name: &Slug) -> ReadResponse {
    let mut response = ReadResponse::current(known);
    response.private = Some(anchor.missing().write());
    let detail = named_backend(name, |named| named.record_missing());
    response
        .diagnostics
        .push(Diagnostic::warning("Backend Record Missing", detail));
    response
}
