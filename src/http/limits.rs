//! The bounds of an operation, handed down without a parameter in every trait.

use std::future::Future;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static LIMITS: RequestLimits;
}

/// How long the requests of an operation may go on.
#[derive(Clone, Debug, Default)]
pub struct RequestLimits {
    /// When the operation has to be over.
    pub deadline: Option<Instant>,
    /// Looked at between tries; a request under way is never cut off, since it
    /// may be a commit.
    pub cancellation: Option<CancellationToken>,
}

impl RequestLimits {
    /// Runs `operation` with these limits on every request made inside it. A
    /// task that it spawns has none.
    pub async fn scope<F: Future>(self, operation: F) -> F::Output {
        LIMITS.scope(self, operation).await
    }

    /// Returns the limits of the operation that this is called in.
    #[must_use]
    pub fn current() -> Self {
        LIMITS.try_with(Self::clone).unwrap_or_default()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation
            .as_ref()
            .is_some_and(CancellationToken::is_cancelled)
    }

    /// Waits for the cancellation; for ever where there is none.
    pub(super) async fn cancelled(&self) {
        match &self.cancellation {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
