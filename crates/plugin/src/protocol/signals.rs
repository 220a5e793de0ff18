//! Signals that end the process.

use std::io;

use tokio_util::sync::CancellationToken;

use super::server::ServeMode;

/// Watches the process's signals.
///
/// An interrupt reaches the whole process group. Under a host it is ignored, since the host
/// calls StopProvider. In debug mode it cancels `ending`. A termination and the death of the
/// host cancel `terminated`.
#[cfg(unix)]
pub(super) fn watch(
    mode: ServeMode,
    ending: &CancellationToken,
    terminated: &CancellationToken,
) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    // This disables the default action permanently.
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
            // Read now: after the handshake, the host may die before the task runs, which would
            // then watch the new parent.
            let host = rustix::process::getppid();
            tokio::spawn(watch_host(host, terminated.clone()));
        }
    }
    Ok(())
}

/// Cancels `terminated` once `host`, the process that started this one, has ended: a killed
/// host cannot call Shutdown.
#[cfg(unix)]
async fn watch_host(host: Option<rustix::process::Pid>, terminated: CancellationToken) {
    use std::time::Duration;

    // Polls, since the event for it is a signal that requires a libc call.
    const EVERY: Duration = Duration::from_secs(2);
    while rustix::process::getppid() == host {
        tokio::time::sleep(EVERY).await;
    }
    tracing::warn!("the host has ended");
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
