//! Gates: where a test holds a request, or its answer.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;

use super::BOUND;

/// The test's end of a held request. Opens when it is dropped.
#[derive(Debug)]
pub struct Gate {
    reached: watch::Receiver<usize>,
    answered: watch::Receiver<usize>,
    open: watch::Sender<bool>,
}

/// The proxy's end.
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
    /// Waits until a request stands at the gate; to be called inside tokio.
    ///
    /// # Errors
    ///
    /// When none comes within two minutes, or the proxy is gone.
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

    /// Waits until upstream has answered a request that stood at the gate, whether
    /// or not anybody still waits for the answer; to be called inside tokio.
    ///
    /// # Errors
    ///
    /// When it does not within two minutes, or the proxy is gone.
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

    /// Lets pass what stands at the gate, and what comes to it from now on.
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
    // In a thread of its own: a runtime must not be waited for inside another.
    let waited = std::thread::scope(|scope| scope.spawn(waiting).join());
    waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Latch {
    /// Tells that upstream has answered what stood here.
    pub(super) fn tell_answered(&self) {
        self.answered.send_modify(|count| *count += 1);
    }

    /// Tells that the gate is reached, and waits until it is open.
    pub(super) async fn pass(mut self, bound: Duration) -> Result<()> {
        self.reached.send_modify(|count| *count += 1);
        let waited = tokio::time::timeout(bound, self.open.wait_for(|open| *open)).await;
        // A gate that is gone is open.
        waited.context("the gate stayed shut").map(drop)
    }
}
