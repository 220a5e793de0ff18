//! The one conditional write: records, sealed versions and nothing else are written by it.
//!
//! A write is sent once at a time. After an unclear answer, the write may have been executed,
//! may never be, or may be executed later. So the object is read back:
//!
//! - If it has this write, the write succeeded.
//! - If it has another one, the write conflicts.
//! - If it is as before, the identical write is repeated. An absence is not final: a delayed
//!   request may still arrive. The condition then lets one of both through, and the next
//!   read finds it.

use super::client::{Client, Condition, Fault, FaultKind, Tag, Write};
use crate::http::{OperationContext, Spent};

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The object has this write.
    Done(Tag),
    /// The condition does not hold: another writer came first.
    Refused,
}

/// What a read after an unclear answer finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadBack {
    /// This write.
    Own(Tag),
    /// Another write.
    Other,
    /// The state before this write.
    Unchanged,
}

/// Writes an object under its condition. `read_back` reads it again after an unclear answer.
///
/// # Errors
///
/// The last failure of the write, once tries or time are exhausted; the failure of a read. The
/// fault says whether the write may have been executed.
pub(super) async fn write<F>(
    client: &Client,
    write: &Write,
    read_back: impl Fn() -> F,
) -> Result<Written, Fault>
where
    F: Future<Output = Result<ReadBack, Fault>>,
{
    let context = OperationContext::current();
    let mut spent = Spent::new();
    let mut tries = 0;
    // Whether a try may have been executed.
    let mut in_doubt = false;
    loop {
        tries += 1;
        let fault = match client.put_once(write).await {
            Ok(tag) => return Ok(Written::Done(tag)),
            Err(fault) => fault,
        };
        let is_refused = match fault.kind {
            FaultKind::Refused => true,
            // S3 answers 404 to an update of an object that is missing.
            FaultKind::NotFound => matches!(write.condition, Condition::Matches(_)),
            _ => false,
        };
        if is_refused && !in_doubt {
            return Ok(Written::Refused);
        }
        // After doubt, a refusal is one more unclear answer: the own write may have landed, and
        // a store may refuse a write while it still executes an earlier one.
        let may_be_executed = is_refused
            || fault.is_in_doubt
            || fault.is_unclear() && fault.kind != FaultKind::NotSent;
        in_doubt |= may_be_executed;
        let is_repeated = (may_be_executed || fault.is_unclear())
            && wait(client, &context, &mut spent, (tries, &fault)).await;
        if may_be_executed || in_doubt && !is_repeated {
            match (read_back().await, is_repeated) {
                (Ok(found), _) => {
                    if let Some(written) = outcome(found) {
                        return Ok(written);
                    }
                }
                (Err(unread), true) => return Err(doubtful(unread)),
                // The failure of the write says more.
                (Err(_), false) => {}
            }
        }
        if !is_repeated {
            return Err(match in_doubt {
                true => doubtful(fault),
                false => fault,
            });
        }
    }
}

/// Returns the outcome that a read proves; `None` if the write has no outcome yet.
fn outcome(found: ReadBack) -> Option<Written> {
    match found {
        ReadBack::Own(tag) => Some(Written::Done(tag)),
        ReadBack::Other => Some(Written::Refused),
        ReadBack::Unchanged => None,
    }
}

/// Marks a failure after which the write may have been executed.
fn doubtful(mut fault: Fault) -> Fault {
    fault.is_in_doubt = true;
    fault
}

/// Waits before the next try. Returns false if there is none: tries or time are exhausted, or
/// the operation was cancelled.
async fn wait(
    client: &Client,
    context: &OperationContext,
    spent: &mut Spent,
    (tries, fault): (u32, &Fault),
) -> bool {
    let policy = client.retry();
    // A commit gets its tries despite a deadline or a cancellation.
    let bounds = context.after(tries);
    let is_limited = fault.kind == FaultKind::RateLimited;
    spent.count(is_limited && bounds.deadline.is_some());
    let delay = policy.delay(spent.tries(), fault.retry_after);
    if !spent.affords(policy, delay, &bounds) {
        return false;
    }
    if is_limited {
        let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(wait_ms, "rate limited, waiting to write again");
        context.show_quota_wait(delay);
    }
    tokio::select! {
        biased;
        () = bounds.cancelled() => false,
        () = tokio::time::sleep(delay) => bounds.stop().is_none(),
    }
}

#[cfg(test)]
mod tests;
