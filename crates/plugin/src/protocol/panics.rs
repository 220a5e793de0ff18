//! Catches the panic of a call, and reports its location without its message, which may
//! contain a secret value.

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

/// Panic of a call.
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

/// Replaces the panic hook with one that logs the location only.
///
/// # Security
///
/// The default hook prints the message, which may contain a secret value.
pub(super) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let location = info
            .location()
            .map_or_else(|| "an unknown location".into(), describe);
        log::write_panic(&location);
        LAST_LOCATION.with(|last| *last.borrow_mut() = Some(location));
    }));
}

fn describe(location: &std::panic::Location<'_>) -> String {
    let file = crate_and_file(location.file());
    format!("{file}:{}:{}", location.line(), location.column())
}

/// Returns the path of a source file from its crate's folder on, or from the workspace's for
/// a crate of the workspace, whose paths Cargo passes to the compiler in relative form. An
/// absolute path would name the machine of the build.
fn crate_and_file(file: &str) -> String {
    let file = file.replace('\\', "/");
    let is_absolute = file.starts_with('/') || file.as_bytes().get(1) == Some(&b':');
    if !is_absolute {
        return file;
    }
    // `out` is the folder of generated code.
    let folders = ["/src/", "/out/"].iter();
    let folder = folders.filter_map(|folder| file.rfind(folder)).max();
    let before = folder.map_or(file.as_str(), |at| &file[..at]);
    let start = before.rfind('/').map_or(0, |at| at + 1);
    file[start..].to_owned()
}

/// Runs `future`, and turns a panic into an error.
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
        // The caller drops a future that panicked, so no broken state is seen.
        match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => {
                forget(payload);
                let location = LAST_LOCATION.with(|last| last.borrow_mut().take());
                Poll::Ready(Err(Defect {
                    location: location.unwrap_or_else(|| "an unknown location".into()),
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

    #[test]
    fn a_location_names_crate_and_file_and_no_machine() {
        for (file, told) in [
            ("src/main.rs", "src/main.rs"),
            ("crates/core/src/names.rs", "crates/core/src/names.rs"),
            ("crates\\core\\src\\names.rs", "crates/core/src/names.rs"),
            (
                "/home/ada/src/.cargo/registry/src/index/tokio-1.47.0/src/task/join.rs",
                "tokio-1.47.0/src/task/join.rs",
            ),
            (
                "C:\\Users\\ada\\.cargo\\registry\\src\\index\\h2-0.4.0\\src\\lib.rs",
                "h2-0.4.0/src/lib.rs",
            ),
            (
                "/rustc/0f1e/library/core/src/option.rs",
                "core/src/option.rs",
            ),
            (
                "/home/ada/src/planton/target/debug/build/planton-plugin-1a/out/tfplugin6.rs",
                "planton-plugin-1a/out/tfplugin6.rs",
            ),
            ("/home/ada/x.rs", "x.rs"),
        ] {
            assert_eq!(crate_and_file(file), told);
        }
    }

    #[tokio::test]
    async fn a_panic_becomes_a_defect_without_its_message() {
        // Other tests of this process need the default hook.
        let before = std::panic::take_hook();
        install_panic_hook();
        let outcome = catch(async { panic!("{}", String::from("hunter2")) }).await;
        std::panic::set_hook(before);
        let defect: Result<(), Defect> = outcome;
        let diagnostic = Diagnostic::from(defect.expect_err("it panicked"));
        assert!(
            diagnostic
                .detail
                .contains("at crates/plugin/src/protocol/panics.rs:"),
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
