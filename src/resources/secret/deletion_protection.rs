//! Plans the destruction of a secret, and rejects it under `deletion_protection`.

use super::SecretResource;
use super::replacement::Existing;
use super::state::Private;
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, Refresh};
use planton_plugin::{
    Diagnostic, PlanDestroyRequest, PlanDestroyResponse, ReadOutcome, ReadRequest,
};

/// Plans a destruction.
///
/// Before a rejection, the provider reads the secret if there is a `session`. Terraform 1.11
/// plans the destruction of a removed resource before it refreshes it. A secret that is
/// gone, or that another state owns by now, must leave the state without `state rm`.
pub(super) async fn plan_destroy(
    request: PlanDestroyRequest,
    session: Option<&Configured>,
) -> Result<PlanDestroyResponse, Diagnostic> {
    let private_before = Private::read(&request.prior_private)?;
    let allowed = PlanDestroyResponse {
        // Drops the mark of a plan whose update failed.
        private: Some(private_before.write()),
        ..PlanDestroyResponse::default()
    };
    let existing = Existing::of(&request.prior_state, &private_before);
    let Some(refused) = existing.refuses_destruction() else {
        return Ok(allowed);
    };
    let refused = out_of_reach(refused);
    let Some(session) = session else {
        return Err(refused);
    };
    let as_it_was = ReadRequest {
        state: request.prior_state,
        private: request.prior_private,
        identity: request.prior_identity,
    };
    // If the read fails, the protection in the state applies.
    let Ok(now) = SecretResource.read(session, as_it_was).await else {
        return Err(refused);
    };
    let state = match now.outcome {
        ReadOutcome::Gone => return Ok(allowed),
        ReadOutcome::Current(state) => state,
    };
    let private = now.private.as_ref().map(Private::read).transpose()?;
    let private = private.unwrap_or(private_before);
    match Existing::of(&state, &private).refuses_destruction() {
        Some(refused) => Err(out_of_reach(refused)),
        None => Ok(PlanDestroyResponse {
            private: Some(private.write()),
            ..PlanDestroyResponse::default()
        }),
    }
}

/// Adds the remedy for a deposed object, which no configuration refers to.
fn out_of_reach(mut refused: Diagnostic) -> Diagnostic {
    refused.detail.push_str(
        " If Terraform calls the object deposed, this configuration cannot change it: import it \
         in another configuration with deletion_protection = false, and apply that.",
    );
    refused
}
