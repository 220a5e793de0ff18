//! Plans the default backend.

use async_trait::async_trait;

use super::DefaultBackendResource;
use super::former_default::planned_before;
use super::schema::schema;
use super::state::slug;
use crate::diagnostics::explain;
use crate::session::{Configured, Plan, Planning};
use planton_core::operations::PLATFORM_BACKEND;
use planton_plugin::{
    Diagnostic, Diagnostics, PlanRequest, PlanResponse, proposed_with_computed_unknown,
};

#[async_trait]
impl Plan for DefaultBackendResource {
    async fn check(
        &self,
        session: &Configured,
        request: &PlanRequest,
    ) -> Result<Diagnostics, Diagnostic> {
        let mut warnings = Diagnostics::new();
        if let Some(text) = request.config.attribute("backend").as_str() {
            let expected = session.expect_backend(&slug(text)?).await;
            let warned = expected.map_err(|error| explain(&error).at("backend"))?;
            warnings.extend(warned.map(|warned| warned.at("backend")));
            let before = request.prior_state.attribute("backend").as_str();
            // The built-in backend is the default of an organization that has set none.
            if before.unwrap_or(PLATFORM_BACKEND) != text {
                warnings.extend(planned_before(&session.planned_by_default(), text));
            }
        }
        Ok(warnings)
    }

    async fn plan_creation(
        &self,
        _planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let planned =
            proposed_with_computed_unknown(&schema(), &request.config, request.proposed_state);
        Ok(PlanResponse::planned(planned))
    }

    async fn plan_update(
        &self,
        _planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        Ok(PlanResponse {
            private: Some(request.prior_private),
            ..PlanResponse::planned(request.proposed_state)
        })
    }
}
