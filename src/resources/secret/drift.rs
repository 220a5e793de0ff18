//! Drift: what a refresh finds of a secret in the catalog and in its backend.

use super::state::{self, Identity, Private};
use crate::diagnostics::{Finding, explain, named_secret};
use crate::resources::private_state::PrivateState;
use crate::session::Configured;
use planton_core::names::SecretName;
use planton_core::operations::{Refreshed, SecretView};
use planton_plugin::{Diagnostic, Diagnostics, ReadRequest, ReadResponse, Value};

/// Reads the secret's record, and asks the backend whether the current version exists.
pub(super) async fn read(
    session: &Configured,
    request: ReadRequest,
) -> Result<ReadResponse, Diagnostic> {
    let identity = Identity::read(&request.state)?;
    let private = Private::read(&request.private)?;
    private.expect_catalog(session).await?;
    let refresh = identity.refresh(&private);
    let refreshed = session.organization.secrets().refresh(&refresh).await;
    let refreshed = refreshed.map_err(|error| explain(&error))?;
    let timeouts = request.state.attribute("timeouts").clone();
    let mut diagnostics = Diagnostics::new();
    let (view, private, state) = match refreshed {
        Refreshed::Gone => return Ok(ReadResponse::gone()),
        Refreshed::RecordMissing => {
            return Ok(record_missing(request, &identity.name, private));
        }
        Refreshed::Present(view) => {
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::VersionLost(view) => {
            let state = state::whole(&view, timeouts).with("version", Value::Null);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Unchecked(view, reason) => {
            diagnostics.push(not_checked(&view, &reason));
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Unreachable(view, reason) => {
            diagnostics.push(not_reached(&view, &reason));
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Deleting(view) => {
            let mut private = private.found(&view);
            private.anchor.deleting = true;
            let state = state::whole(&view, timeouts);
            (view, private, state)
        }
    };
    if private.anchor.finding == Some(Finding::OtherOwner) {
        let text = named_secret(&view.name, |named| named.owned_by_another(&view.owner));
        diagnostics.push(Diagnostic::warning("Secret Owned By Another State", text));
    }
    let organization = session.organization.slug().as_str();
    let mut response = ReadResponse::current(state);
    response.diagnostics = diagnostics;
    response.private = Some(private.write());
    response.identity = Some(state::identity(organization, &identity.name));
    Ok(response)
}

/// Keeps a resource whose record the catalog does not have: that is nobody's end.
fn record_missing(request: ReadRequest, name: &SecretName, private: Private) -> ReadResponse {
    let private = Private {
        anchor: private.anchor.missing(),
        ..private
    };
    let mut response = ReadResponse::current(request.state);
    let text = named_secret(name, |named| named.record_missing());
    response
        .diagnostics
        .push(Diagnostic::warning("Secret Record Missing", text));
    response.private = Some(private.write());
    response.identity = Some(request.identity).filter(|identity| !identity.is_null());
    response
}

/// Says that a backend is out of reach whose secret is to be forgotten.
fn not_reached(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Unreachable",
        format!(
            "Backend {:?} of secret {:?} cannot be reached, so the state shows what the catalog \
             says.\n\nThe secret has on_destroy = \"forget\": destroying it removes its record \
             without asking the backend.\n\nOriginal error: {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}

/// Says that a backend could not be asked, and that nothing is taken for gone.
fn not_checked(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Not Checked",
        format!(
            "Whether backend {:?} still holds secret {:?} was not looked at: its credential is \
             sealed under a key that may not be used here. What the catalog says is taken for \
             true.\n\nFor a role that only plans, declare the backend without static credentials, \
             so that the vendor's ambient chain serves; or let the role decrypt.\n\nOriginal error: \
             {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}
