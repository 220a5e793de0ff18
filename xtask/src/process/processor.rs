//! Processor time from Linux's `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Linux reports hundredths of a second here, for any tick of the kernel.
const MILLISECONDS_OF_TICK: u64 = 10;

/// The processor time of a process, in user and kernel mode together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorTime {
    /// The time of the process itself, with all its threads.
    pub own: Duration,
    /// The time of the children that it has waited for, and of their children.
    pub children: Duration,
}

impl ProcessorTime {
    /// Returns the time of a process so far, which may be a zombie.
    ///
    /// # Errors
    ///
    /// If the process does not exist, or the system is not Linux.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process's times")?;
        Self::parse(&stat).context("a process's times")
    }

    fn parse(stat: &str) -> Option<Self> {
        // The preceding name is in parentheses and may contain any character.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = fields.split_whitespace().skip(11).take(4);
        let [user, kernel, children_user, children_kernel] = ticks
            .map(str::parse)
            .collect::<Result<Vec<u64>, _>>()
            .ok()?[..]
        else {
            return None;
        };
        Some(Self {
            own: duration(user + kernel),
            children: duration(children_user + children_kernel),
        })
    }
}

/// Returns the processor time of all processes since the machine started.
///
/// # Errors
///
/// If the system is not Linux.
pub fn busy_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("the machine's times")?;
    parse_busy(&stat).context("the machine's times")
}

fn parse_busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks = line.split_whitespace().map(str::parse);
    let ticks = ticks.collect::<Result<Vec<u64>, _>>().ok()?;
    // The remaining fields belong to guests, which user time already includes.
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = ticks[..] else {
        return None;
    };
    Some(duration(user + nice + system + irq + softirq))
}

fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks * MILLISECONDS_OF_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_stand_behind_its_name() {
        let stat = "7 (a) b ( c) Z 1 7 7 0 -1 4 10 20 30 40 100 50 200 25 20 0 1";
        let time = ProcessorTime::parse(stat).expect("parses");
        assert_eq!(time.own, Duration::from_millis(1_500));
        assert_eq!(time.children, Duration::from_millis(2_250));
        assert_eq!(ProcessorTime::parse("7 (a) Z 1 7 7"), None);
        assert_eq!(ProcessorTime::parse(""), None);
    }

    #[test]
    fn idle_and_stolen_time_is_not_busy() {
        let stat = "cpu  10 20 30 4000 500 6 7 8000 9 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(parse_busy(stat), Some(Duration::from_millis(730)));
        assert_eq!(parse_busy("cpu0 1 2 3 4 5 6 7\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_and_this_machine_have_times() {
        assert!(ProcessorTime::of(std::process::id()).is_ok());
        assert!(busy_time().expect("Linux tells") > Duration::ZERO);
    }
}
