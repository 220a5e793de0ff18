//! Plans the destruction of a secret, and refuses it under `deletion_protection`.

use super::drift;
use super::replacement::Existing;
use super::state::Private;
use crate::resources::private_state::PrivateState;
use crate::session::Configured;
use planton_plugin::{
    Diagnostic, PlanDestroyRequest, PlanDestroyResponse, ReadOutcome, ReadRequest,
};

/// Plans a destruction.
///
/// A refusal looks at the secret first, where `session` lets it: Terraform 1.11 plans
/// to destroy what the configuration no longer has before it reads that, and what is
/// gone, or another state's by now, must leave the state without `state rm`.
pub(super) async fn plan_destroy(
    request: PlanDestroyRequest,
    session: Option<&Configured>,
) -> Result<PlanDestroyResponse, Diagnostic> {
    let private_before = Private::read(&request.prior_private)?;
    let allowed = PlanDestroyResponse {
        // Without the mark that a failed update leaves beside the state.
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
    // What can't be read stays protected: that is what the state says.
    let Ok(now) = drift::read(session, as_it_was).await else {
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

/// Adds what helps where the configuration does not reach the object: one that was
/// replaced before it could be deleted.
fn out_of_reach(mut refused: Diagnostic) -> Diagnostic {
    refused.detail.push_str(
        " The configuration does not reach an object that Terraform calls deposed: import it in \
         another configuration with deletion_protection = false, and apply that.",
    );
    refused
}
