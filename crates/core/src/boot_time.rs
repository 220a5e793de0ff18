//! A clock that also counts while the machine is suspended.

use std::time::Duration;

/// A time since the machine was started, time in suspension included.
///
/// [`Instant`](std::time::Instant) stops while a machine is suspended. A process that wakes up
/// would take what it read before for fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// Returns the present time.
    #[must_use]
    pub fn now() -> Self {
        Self(since_boot())
    }

    /// Returns the time `later`.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// Returns the time `earlier`.
    #[cfg(test)]
    pub(crate) fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier))
    }

    /// Returns whether this time has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        Self::now() >= self
    }

    /// Returns whether this time will have passed after `wait`.
    #[must_use]
    pub fn has_passed_after(self, wait: Duration) -> bool {
        Self::now().after(wait) >= self
    }
}

/// `CLOCK_MONOTONIC` of Linux stops in suspension, `CLOCK_BOOTTIME` does not:
/// <https://man7.org/linux/man-pages/man2/clock_getres.2.html>. That of macOS does not stop.
#[cfg(unix)]
fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(CLOCK);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// The performance counter of Windows does not stop:
/// <https://learn.microsoft.com/windows/win32/sysinfo/acquiring-high-resolution-time-stamps>.
#[cfg(not(unix))]
fn since_boot() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_passes_and_not_before() {
        let now = BootTime::now();
        assert!(now.has_passed());
        let hour = Duration::from_secs(3600);
        assert!(!now.after(hour).has_passed());
        assert!(!now.after(hour).has_passed_after(hour / 2));
        assert!(now.after(hour).has_passed_after(hour));
    }
}
