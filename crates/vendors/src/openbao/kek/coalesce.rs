//! Coalesces the requests of concurrent callers into batches.
//!
//! A batch runs in a task of its own, so that the cancellation of one caller leaves the
//! others alone.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use planton_core::deadline::{OperationContext, Stop};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::openbao::client::{MAX_BATCH, OpenBaoError, OpenBaoErrorKind, Outcomes};

/// How long the first caller of a batch waits for others.
const WINDOW: Duration = Duration::from_millis(1);

/// Sends a batch, and returns the outcome of each item.
type Send<I, O> = Box<
    dyn Fn(Vec<I>) -> BoxFuture<'static, Result<Outcomes<O>, OpenBaoError>>
        + std::marker::Send
        + Sync,
>;

/// The waiting callers of one operation on one key.
pub(super) struct Coalescer<I, O> {
    operation: &'static str,
    path: String,
    shared: Arc<Shared<I, O>>,
}

struct Shared<I, O> {
    waiting: Mutex<Vec<Waiting<I, O>>>,
    send: Send<I, O>,
}

struct Waiting<I, O> {
    item: I,
    context: OperationContext,
    caller: oneshot::Sender<Result<O, OpenBaoError>>,
}

impl<I, O> std::fmt::Debug for Coalescer<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coalescer")
            .field("operation", &self.operation)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<I, O> Coalescer<I, O>
where
    I: std::marker::Send + 'static,
    O: std::marker::Send + 'static,
{
    pub(super) fn new<F>(
        operation: &'static str,
        path: String,
        send: impl Fn(Vec<I>) -> F + std::marker::Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Outcomes<O>, OpenBaoError>> + std::marker::Send + 'static,
    {
        let send = move |items| Box::pin(send(items)) as BoxFuture<'static, _>;
        Self {
            operation,
            path,
            shared: Arc::new(Shared {
                waiting: Mutex::default(),
                send: Box::new(send),
            }),
        }
    }

    /// Sends `item` in a batch with those of other callers.
    ///
    /// # Cancellation
    ///
    /// The deadline and the cancellation of the calling operation end the wait. The batch
    /// goes on while any of its callers waits.
    pub(super) async fn submit(&self, item: I) -> Result<O, OpenBaoError> {
        let (caller, answer) = oneshot::channel();
        let context = OperationContext::current();
        self.enqueue(Waiting {
            item,
            context: context.clone(),
            caller,
        });
        let outcome = tokio::select! {
            biased;
            outcome = answer => outcome,
            stop = stopped(&context) => return Err(self.unavailable().with_source(stop)),
        };
        // The task ends without an answer only with the whole process.
        outcome.unwrap_or_else(|gone| Err(self.unavailable().with_source(gone)))
    }

    fn enqueue(&self, waiting: Waiting<I, O>) {
        let mut queue = self.shared.queue();
        queue.push(waiting);
        match queue.len() {
            1 => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    tokio::time::sleep(WINDOW).await;
                    let batch = std::mem::take(&mut *shared.queue());
                    shared.run(batch).await;
                });
            }
            MAX_BATCH => {
                let batch = std::mem::take(&mut *queue);
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { shared.run(batch).await });
            }
            _ => {}
        }
    }

    fn unavailable(&self) -> OpenBaoError {
        OpenBaoError::new(OpenBaoErrorKind::Unavailable, self.operation, &self.path)
    }
}

impl<I, O> Shared<I, O> {
    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<I, O>>> {
        // No panic can happen while the lock is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, batch: Vec<Waiting<I, O>>) {
        // Whoever has gone needs no answer.
        let batch = batch.into_iter().filter(|one| !one.caller.is_closed());
        let (mut items, mut callers, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
        for one in batch {
            items.push(one.item);
            callers.push(one.caller);
            contexts.push(one.context);
        }
        if items.is_empty() {
            return;
        }
        let outcome = within(contexts, (self.send)(items)).await;
        match outcome {
            Ok(outcomes) => {
                for (caller, outcome) in callers.into_iter().zip(outcomes) {
                    // A caller may have gone in the meantime.
                    let _ = caller.send(outcome);
                }
            }
            Err(error) => {
                for caller in callers {
                    let _ = caller.send(Err(error.repeated()));
                }
            }
        }
    }
}

/// Runs a batch in a context that is as wide as those of its callers together.
async fn within<F: Future>(callers: Vec<OperationContext>, batch: F) -> F::Output {
    let deadlines: Option<Vec<Instant>> = callers.iter().map(|one| one.deadline).collect();
    let insisted = callers.iter().map(|one| one.insisted_tries).max();
    let cancellation = CancellationToken::new();
    let all = OperationContext {
        deadline: deadlines.and_then(|deadlines| deadlines.into_iter().max()),
        cancellation: Some(cancellation.clone()),
        insisted_tries: insisted.unwrap_or(0),
        quota_waits: callers.iter().find_map(|one| one.quota_waits.clone()),
    };
    let every_caller_cancelled = async {
        join_all(callers.iter().map(OperationContext::cancelled)).await;
        cancellation.cancel();
        std::future::pending().await
    };
    tokio::select! {
        biased;
        output = all.scope(batch) => output,
        never = every_caller_cancelled => never,
    }
}

/// Waits until a caller must wait no longer.
async fn stopped(context: &OperationContext) -> Stop {
    if context.insisted_tries > 0 {
        return std::future::pending().await;
    }
    let late = async {
        match context.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = context.cancelled() => Stop::Cancelled,
        () = late => Stop::DeadlinePassed,
    }
}

#[cfg(test)]
mod tests;
