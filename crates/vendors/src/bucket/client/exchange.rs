//! Records the answer of the server to one request of `object_store`.
//!
//! The crate's errors quote URLs and bodies, and merge answers of different meaning: a 409
//! becomes `AlreadyExists`, a 404 to an update `Precondition`. So the service that sends the
//! requests records each answer itself, and nothing else is read.

use std::sync::{Arc, Mutex, PoisonError};

use super::fault::{Fault, Response};
use crate::http::HttpError;

tokio::task_local! {
    static EXCHANGE: Exchange;
}

type Exchange = Arc<Mutex<Option<Answer>>>;

/// The outcome of the last request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The server answered.
    Response(Response),
    /// There was no response.
    Lost(HttpError),
    /// There was no credential, so nothing was sent.
    NoCredential(Fault),
}

/// Runs `operation`, and returns its output with the outcome of its last request.
///
/// Each operation of `object_store` sends its requests from the task that calls it.
pub(super) async fn observed<F: Future>(operation: F) -> (F::Output, Option<Answer>) {
    let exchange = Exchange::default();
    let output = EXCHANGE.scope(Arc::clone(&exchange), operation).await;
    let answer = exchange
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    (output, answer)
}

/// Records the outcome of a request.
pub(super) fn note(answer: Answer) {
    // Without an observer, nobody reads the outcome.
    let _ = EXCHANGE.try_with(|exchange| {
        let mut last = exchange.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(answer);
    });
}
