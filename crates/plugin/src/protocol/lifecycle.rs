//! Services that go-plugin calls besides the provider's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Request, Response, Status};

use super::wire::go_plugin::grpc_controller_server::GrpcController;
use super::wire::go_plugin::grpc_stdio_server::GrpcStdio;
use super::wire::go_plugin::{Empty, StdioData};
use super::wire::health::health_check_response::ServingStatus;
use super::wire::health::health_server::Health;
use super::wire::health::{HealthCheckRequest, HealthCheckResponse};

/// Ends the process when the host requests it.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    pub(super) ending: CancellationToken,
    /// Whether the host may end the process: not in debug mode.
    pub(super) obeys: bool,
}

#[tonic::async_trait]
impl GrpcController for Lifecycle {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        if self.obeys {
            self.ending.cancel();
        }
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Lifecycle {
    type StreamStdioStream = Silence<StdioData>;

    async fn stream_stdio(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Silence::new(&self.ending, None)))
    }
}

#[tonic::async_trait]
impl Health for Lifecycle {
    type WatchStream = Silence<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "" | "plugin" => Ok(Response::new(serving())),
            _ => Err(Status::not_found("unknown service")),
        }
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Silence::new(&self.ending, Some(serving()))))
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse {
        status: ServingStatus::Serving.into(),
    }
}

/// Stream of at most one item, which stays open until the process ends.
pub(super) struct Silence<T> {
    first: Option<T>,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T> Silence<T> {
    fn new(ending: &CancellationToken, first: Option<T>) -> Self {
        Self {
            first,
            end: Box::pin(ending.clone().cancelled_owned()),
        }
    }
}

impl<T: Unpin> Stream for Silence<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.end.as_mut().poll(cx).map(|()| None)
    }
}
