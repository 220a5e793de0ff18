//! A resource whose calls outlast every time limit.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use planton_plugin::*;

/// Reads without end, and creates until the host asks to stop.
#[derive(Debug)]
pub(super) struct Waiting;

/// Far longer than the patience of the tests: only a configured limit ends a call in time.
const TIMEOUTS: Timeouts = Timeouts {
    attribute: "timeouts",
    create: Duration::from_hours(1),
    read: Duration::from_hours(1),
    update: Duration::from_hours(1),
    delete: Duration::from_hours(1),
};

#[async_trait]
impl Resource for Waiting {
    fn type_name(&self) -> &str {
        "probe_waiting"
    }

    fn noun(&self) -> &'static str {
        "the waiting thing"
    }

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("name").required(),
            Attribute::bool("is_late").computed(),
            TIMEOUTS.attribute(),
        ])
    }

    fn timeouts(&self) -> Option<Timeouts> {
        Some(TIMEOUTS)
    }

    async fn read(&self, _: &Context, _: ReadRequest) -> Result<ReadResponse, Diagnostics> {
        std::future::pending().await
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let mut planned = request.proposed_state;
        planned.mark_unknown(&["is_late"]);
        Ok(PlanResponse::planned(planned))
    }

    async fn create(
        &self,
        cx: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        tracing::info!("waiting for a stop");
        cx.cancellation.cancelled().await;
        let is_late = cx
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        let state = request.planned_state.with("is_late", is_late);
        Ok(ApplyResponse::applied(state))
    }

    async fn update(
        &self,
        _: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        Ok(ApplyResponse::applied(request.planned_state))
    }

    async fn delete(&self, _: &Context, _: DeleteRequest) -> Result<DeleteResponse, Diagnostics> {
        Ok(DeleteResponse::default())
    }
}
