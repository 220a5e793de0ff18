//! Gates, at which a test holds a request or its response.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;

use super::BOUND;

/// The test's handle of a gate. It opens on drop.
#[derive(Debug)]
pub struct Gate {
    reached: watch::Receiver<usize>,
    answered: watch::Receiver<usize>,
    open: watch::Sender<bool>,
}

/// The proxy's handle of a gate.
#[derive(Clone, Debug)]
pub(super) struct Latch {
    reached: watch::Sender<usize>,
    answered: watch::Sender<usize>,
    open: watch::Receiver<bool>,
}

pub(super) fn gate() -> (Gate, Latch) {
    let (reached, reaching) = watch::channel(0);
    let (answered, answering) = watch::channel(0);
    let (opening, open) = watch::channel(false);
    let gate = Gate {
        reached: reaching,
        answered: answering,
        open: opening,
    };
    let latch = Latch {
        reached,
        answered,
        open,
    };
    (gate, latch)
}

impl Gate {
    /// Waits inside tokio until a request is held at the gate.
    ///
    /// # Errors
    ///
    /// If no request comes within two minutes, or the proxy has stopped.
    pub async fn reached(&self) -> Result<()> {
        await_one(&self.reached)
            .await
            .context("no request came to the gate")
    }

    /// As [`reached`](Self::reached), for tests without tokio.
    ///
    /// # Errors
    ///
    /// As [`reached`](Self::reached).
    pub fn await_reached(&self) -> Result<()> {
        blocking(self.reached())
    }

    /// Waits inside tokio until upstream has answered a request that was held at the
    /// gate, even if the client no longer waits for the response.
    ///
    /// # Errors
    ///
    /// If upstream does not answer within two minutes, or the proxy has stopped.
    pub async fn answered(&self) -> Result<()> {
        await_one(&self.answered)
            .await
            .context("upstream never answered")
    }

    /// As [`answered`](Self::answered), for tests without tokio.
    ///
    /// # Errors
    ///
    /// As [`answered`](Self::answered).
    pub fn await_answered(&self) -> Result<()> {
        blocking(self.answered())
    }

    /// Releases the held requests, and all later ones.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn await_one(count: &watch::Receiver<usize>) -> Result<()> {
    let mut count = count.clone();
    let waited = tokio::time::timeout(BOUND, count.wait_for(|count| *count > 0)).await;
    waited?.context("the fault was taken back")?;
    Ok(())
}

fn blocking(waiting: impl Future<Output = Result<()>> + Send) -> Result<()> {
    let waiting = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .context("making a runtime to wait in")?
            .block_on(waiting)
    };
    // Runs in a thread of its own, because a runtime must not block inside another one.
    let waited = std::thread::scope(|scope| scope.spawn(waiting).join());
    waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Latch {
    /// Reports that upstream has answered the held request.
    pub(super) fn tell_answered(&self) {
        self.answered.send_modify(|count| *count += 1);
    }

    /// Reports that the gate is reached, and waits until it opens.
    pub(super) async fn pass(mut self, bound: Duration) -> Result<()> {
        self.reached.send_modify(|count| *count += 1);
        let waited = tokio::time::timeout(bound, self.open.wait_for(|open| *open)).await;
        // A dropped gate is open.
        waited.context("the gate stayed shut").map(drop)
    }
}
