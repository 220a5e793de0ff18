//! Coalesces the requests of concurrent callers into batches.
//!
//! A batch runs in a task of its own, so that the cancellation of one caller leaves the
//! others alone.
//!
//! An apply has a fixed number of callers at once. Each of them needs its next wrap a few requests
//! after the last one, and at a time of its own. A window of a millisecond alone would share few
//! requests. So a batch also waits for the callers of earlier batches that are due back. A lone
//! caller waits for nobody.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use planton_core::deadline::{OperationContext, Stop};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::openbao::client::{MAX_BATCH, OpenBaoError, OpenBaoErrorKind, Outcomes};

/// How long the first caller of a batch waits for others.
const WINDOW: Duration = Duration::from_millis(1);

/// How long it waits at most while callers of earlier batches are due back.
const PATIENCE: Duration = Duration::from_millis(25);

/// How long an answered caller is due back: the rest of a creation and the start of the next.
const DUE_BACK: Duration = Duration::from_millis(100);

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
    queue: Mutex<Queue<I, O>>,
    send: Send<I, O>,
}

/// The batch that gathers, and the callers that may join it.
struct Queue<I, O> {
    waiting: Vec<Waiting<I, O>>,
    /// Number of the batches before this one.
    batch: u64,
    /// Whether its window has passed, and it waits for callers that are due back.
    waits_for_due: bool,
    /// When the callers of earlier batches were answered that have not come back.
    answered: VecDeque<Instant>,
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
                queue: Mutex::new(Queue::new()),
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
        let mut queue = self.shared.lock();
        if queue.waiting.is_empty() {
            tokio::spawn(Arc::clone(&self.shared).gather(queue.batch, Instant::now()));
        }
        queue.waiting.push(waiting);
        queue.answered.pop_front();
        let is_full = queue.waiting.len() == MAX_BATCH;
        let was_last_due = queue.waits_for_due && queue.all_back_at().is_none();
        if is_full || was_last_due {
            let batch = queue.take();
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { shared.run(batch).await });
        }
    }

    fn unavailable(&self) -> OpenBaoError {
        OpenBaoError::new(OpenBaoErrorKind::Unavailable, self.operation, &self.path)
    }
}

impl<I, O> Queue<I, O> {
    fn new() -> Self {
        Self {
            waiting: Vec::new(),
            batch: 0,
            waits_for_due: false,
            answered: VecDeque::new(),
        }
    }

    fn take(&mut self) -> Vec<Waiting<I, O>> {
        self.batch += 1;
        self.waits_for_due = false;
        std::mem::take(&mut self.waiting)
    }

    /// Returns when the last answered caller is no longer due back; `None` if nobody is.
    fn all_back_at(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let is_due = |answered: &Instant| now < *answered + DUE_BACK;
        self.answered.retain(is_due);
        Some(*self.answered.back()? + DUE_BACK)
    }
}

impl<I, O> Shared<I, O> {
    fn lock(&self) -> MutexGuard<'_, Queue<I, O>> {
        // No panic can happen while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the batch of this number after its window, unless it was sent before.
    async fn gather(self: Arc<Self>, batch: u64, opened: Instant) {
        tokio::time::sleep_until(opened + WINDOW).await;
        let back = match &mut *self.lock() {
            queue if queue.batch == batch => {
                let back = queue.all_back_at();
                queue.waits_for_due = back.is_some();
                back
            }
            _ => return,
        };
        if let Some(back) = back {
            tokio::time::sleep_until(back.min(opened + PATIENCE)).await;
        }
        let batch = match &mut *self.lock() {
            queue if queue.batch == batch => queue.take(),
            _ => return,
        };
        self.run(batch).await;
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
                let now = Instant::now();
                let mut queue = self.lock();
                for (caller, outcome) in callers.into_iter().zip(outcomes) {
                    // A caller may have gone in the meantime.
                    if caller.send(outcome).is_ok() {
                        queue.answered.push_back(now);
                    }
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
    let deadlines: Option<Vec<_>> = callers.iter().map(|one| one.deadline).collect();
    let tries: Option<Vec<_>> = callers.iter().map(|one| one.max_tries).collect();
    let insisted = callers.iter().map(|one| one.insisted_tries).max();
    let cancellation = CancellationToken::new();
    let all = OperationContext {
        deadline: deadlines.and_then(|deadlines| deadlines.into_iter().max()),
        cancellation: Some(cancellation.clone()),
        insisted_tries: insisted.unwrap_or(0),
        max_tries: tries.and_then(|tries| tries.into_iter().max()),
        // A wrap creates no record.
        send_until: None,
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
