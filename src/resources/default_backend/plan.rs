//! Plans the choice of a default backend.

use super::former_default::planned_before;
use super::schema::schema;
use super::state::slug;
use crate::diagnostics::explain;
use crate::session::Configured;
use planton_core::operations::PLATFORM_BACKEND;
use planton_plugin::{
    Diagnostic, Diagnostics, PlanRequest, PlanResponse, proposed_with_computed_unknown,
};

/// Plans a choice; `session` is absent while the provider's configuration is
/// unknown.
pub(super) async fn plan(
    request: PlanRequest,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let mut diagnostics = Diagnostics::new();
    if let (Some(session), Some(text)) = (session, request.config.attribute("backend").as_str()) {
        let expected = session.expect_backend(&slug(text)?).await;
        let warned = expected.map_err(|error| explain(&error).at("backend"))?;
        diagnostics.extend(warned.map(|warned| warned.at("backend")));
        let before = request.prior_state.attribute("backend").as_str();
        // What is the default unless anybody has chosen another.
        if before.unwrap_or(PLATFORM_BACKEND) != text {
            diagnostics.extend(planned_before(&session.planned_by_default(), text));
        }
    }
    let response = if request.prior_state.is_null() {
        let planned =
            proposed_with_computed_unknown(&schema(), &request.config, request.proposed_state);
        PlanResponse::planned(planned)
    } else {
        PlanResponse {
            private: Some(request.prior_private),
            ..PlanResponse::planned(request.proposed_state)
        }
    };
    Ok(PlanResponse {
        diagnostics,
        ..response
    })
}
