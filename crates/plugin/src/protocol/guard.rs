//! Panics: caught per call, and told without their message, which may hold a
//! value.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use zeroize::Zeroize;

use super::log;
use crate::Diagnostic;

thread_local! {
    static LAST_LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A handler panicked.
#[derive(Clone, Debug)]
pub(super) struct Defect {
    location: String,
}

impl From<Defect> for Diagnostic {
    fn from(defect: Defect) -> Self {
        Self::bug(defect)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The provider panicked at {}.", self.location)
    }
}

/// Replaces the panic hook by one that logs the location only.
///
/// # Security
///
/// The default hook prints the message, which may hold a value.
pub(super) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let location = info
            .location()
            .map_or_else(|| "an unknown place".into(), location_of);
        log::write_panic(&location);
        LAST_LOCATION.with(|last| *last.borrow_mut() = Some(location));
    }));
}

/// Only the file's place in its crate: the rest tells who built it where.
fn location_of(location: &std::panic::Location<'_>) -> String {
    let file = location.file();
    let start = file.rfind("/src/").map_or(0, |at| at + 1);
    format!(
        "{}:{}:{}",
        &file[start..],
        location.line(),
        location.column()
    )
}

/// Drives `future`, and turns a panic into an error.
pub(super) async fn catch<T>(future: impl Future<Output = T> + Send) -> Result<T, Defect> {
    Catch {
        future: Box::pin(future),
    }
    .await
}

struct Catch<F> {
    future: Pin<Box<F>>,
}

impl<T, F: Future<Output = T>> Future for Catch<F> {
    type Output = Result<T, Defect>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A future that panicked is never polled again.
        match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => {
                forget(payload);
                let location = LAST_LOCATION.with(|last| last.borrow_mut().take());
                Poll::Ready(Err(Defect {
                    location: location.unwrap_or_else(|| "an unknown place".into()),
                }))
            }
        }
    }
}

/// Zeroizes the message of a panic.
fn forget(payload: Box<dyn Any + Send>) {
    if let Ok(mut text) = payload.downcast::<String>() {
        text.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_defect_without_its_message() {
        // Other tests of this process want to see their own messages.
        let before = std::panic::take_hook();
        install_panic_hook();
        let outcome = catch(async { panic!("{}", String::from("hunter2")) }).await;
        std::panic::set_hook(before);
        let defect: Result<(), Defect> = outcome;
        let diagnostic = Diagnostic::from(defect.expect_err("it panicked"));
        assert!(
            diagnostic.detail.contains("src/protocol/guard.rs"),
            "{diagnostic:?}"
        );
        assert!(
            diagnostic
                .detail
                .contains("This is always a bug in the provider")
        );
        assert!(!format!("{diagnostic:?}").contains("hunter2"));
        assert_eq!(catch(async { 1 }).await.ok(), Some(1));
    }
}
