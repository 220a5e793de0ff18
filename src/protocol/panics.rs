//! What a panic may say: where, and nothing of what.

use std::panic::{self, PanicHookInfo};

/// Replaces the panic hook: the message and the backtrace stay out, since both
/// may hold a value.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map_or_else(
            || "an unknown place".to_owned(),
            |location| format!("{}:{}", location.file(), location.line()),
        );
        tracing::error!(place, "the provider panicked; please report it");
        LAST_PLACE.set(Some(place));
    }));
}

thread_local! {
    static LAST_PLACE: std::cell::RefCell<Option<String>> = const { std::cell::RefCell::new(None) };
}

/// Returns where this thread panicked last, and forgets it.
pub(crate) fn take_place() -> Option<String> {
    LAST_PLACE.take()
}

/// Keeps memory out of core dumps and away from other processes of this user.
#[cfg(unix)]
pub(crate) fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "the process could not be made undumpable");
    }
}

/// Core dumps are a matter of the system's policy here.
#[cfg(not(unix))]
pub(crate) fn forbid_core_dumps() {}
