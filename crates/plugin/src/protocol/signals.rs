//! Who may end the process, and how.

use std::io;

use tokio_util::sync::CancellationToken;

use super::server::ServeMode;

/// Watches the process's signals.
///
/// An interrupt goes to the whole process group: under a host it is the host
/// that decides, and says StopProvider; in debug mode it cancels `ending`. A
/// termination, and the death of the host, cancel `terminated`.
#[cfg(unix)]
pub(super) fn watch(
    mode: ServeMode,
    ending: &CancellationToken,
    terminated: &CancellationToken,
) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    // From here on the default action is off, for good.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let token = terminated.clone();
    tokio::spawn(async move {
        if terminations.recv().await.is_some() {
            token.cancel();
        }
    });
    match mode {
        ServeMode::Debug => {
            let token = ending.clone();
            tokio::spawn(async move {
                if interrupts.recv().await.is_some() {
                    token.cancel();
                }
            });
        }
        ServeMode::Plugin => {
            // Read now: once the host knows of this process it may die before
            // the task first runs, which would then watch its heir.
            let host = rustix::process::getppid();
            tokio::spawn(watch_host(host, terminated.clone()));
        }
    }
    Ok(())
}

/// Cancels `terminated` once `host`, the process that started this one, is
/// gone: a host that was killed can't say Shutdown.
#[cfg(unix)]
async fn watch_host(host: Option<rustix::process::Pid>, terminated: CancellationToken) {
    use std::time::Duration;

    // No event tells of it, short of a signal that needs a libc call.
    const EVERY: Duration = Duration::from_secs(2);
    while rustix::process::getppid() == host {
        tokio::time::sleep(EVERY).await;
    }
    tracing::warn!("the host is gone");
    terminated.cancel();
}

/// Watches the process's signals.
#[cfg(windows)]
pub(super) fn watch(
    mode: ServeMode,
    ending: &CancellationToken,
    _terminated: &CancellationToken,
) -> io::Result<()> {
    let mut interrupts = tokio::signal::windows::ctrl_c()?;
    let token = ending.clone();
    tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            if mode == ServeMode::Debug {
                token.cancel();
            }
        }
    });
    Ok(())
}
