//! The faults of the suite.

use std::time::Duration;

use planton_core::store::StoreErrorKind;
use xtask::faults::Fault;

use super::HASTY_TIMEOUT;

/// A temporary fault.
pub(super) struct Blow {
    pub(super) name: &'static str,
    pub(super) fault: fn() -> Fault,
    /// The number of affected requests, and so of additional tries.
    pub(super) times: usize,
    /// Whether the vendor carries out the request, and only the response is lost.
    pub(super) lands: bool,
    /// The minimum delay.
    pub(super) takes: Duration,
    /// Whether the test uses the hasty store.
    pub(super) hasty: bool,
}

pub(super) const BLOWS: &[Blow] = &[
    Blow {
        takes: Duration::from_secs(1),
        ..blow("slow-down", || Fault::status(429).retry_after(1))
    },
    Blow {
        times: 3,
        ..blow("outage", || Fault::status(503))
    },
    blow("reset", Fault::reset),
    Blow {
        lands: true,
        ..blow("lost", Fault::lose_answer)
    },
    Blow {
        lands: true,
        ..blow("truncated", Fault::truncate)
    },
    Blow {
        takes: HASTY_TIMEOUT,
        hasty: true,
        ..blow("stalled", Fault::stall)
    },
    Blow {
        lands: true,
        takes: HASTY_TIMEOUT,
        hasty: true,
        ..blow("answer-stalled", Fault::stall_answer)
    },
];

const fn blow(name: &'static str, fault: fn() -> Fault) -> Blow {
    Blow {
        name,
        fault,
        times: 1,
        lands: false,
        takes: Duration::ZERO,
        hasty: false,
    }
}

/// An outage that outlasts the hasty store's retries. The vendor never acts.
pub(super) struct Outage {
    pub(super) name: &'static str,
    pub(super) fault: fn() -> Fault,
    /// The kind of the expected error.
    pub(super) kind: StoreErrorKind,
}

pub(super) const OUTAGES: &[Outage] = &[
    Outage {
        name: "503",
        fault: || Fault::status(503),
        kind: StoreErrorKind::Unavailable,
    },
    Outage {
        name: "429",
        fault: || Fault::status(429),
        kind: StoreErrorKind::RateLimited,
    },
    Outage {
        name: "resets",
        fault: Fault::reset,
        kind: StoreErrorKind::Unavailable,
    },
];
