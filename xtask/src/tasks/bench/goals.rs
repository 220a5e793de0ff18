//! The performance goals, and whether the run met them.

use std::time::Duration;

use super::page::megabytes;
use super::scale::{Scale, Spent};
use super::vendors;

/// The number of secrets that the goals for memory and ratios refer to.
const PROMISED_SIZE: usize = 1000;

/// The results that the goals refer to.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    /// The median time from the exec to the handshake.
    pub(super) handshake: Duration,
    /// The size of the stripped binary, with all backends.
    pub(super) binary_bytes: u64,
    /// The result on the built-in backend.
    pub(super) scale: &'a Scale,
    /// The result on each registered backend.
    pub(super) backends: &'a [vendors::Measured],
}

/// Returns one line for each goal that states whether it is met.
pub(super) fn verdict(measured: &Measured<'_>) -> String {
    let scale = measured.scale;
    let start = goal("Exec to handshake, median", 5.0, "ms");
    let size = goal("Stripped binary, with all backends and keys", 30.0, "MB");
    let mut lines = vec![
        start.judged(measured.handshake.as_secs_f64() * 1000.0),
        size.judged(megabytes(measured.binary_bytes)),
    ];
    let memory = |backend: &str, at_most, bytes| {
        let what = format!("Peak memory of the provider, {backend}");
        goal(&what, at_most, "MB").judged_at(scale.size, megabytes(bytes))
    };
    lines.push(memory("built-in backend", 60.0, scale.peak_bytes));
    let own = measured.backends.iter();
    lines.extend(own.map(|own| memory(own.vendor, 100.0, own.peak_bytes)));
    let (ours, theirs) = (&scale.secrets, &scale.baseline);
    let plain = "times `terraform_data`";
    let equal = "times `terraform_data` with equal state";
    for (what, at_most, unit, ratio) in [
        ("Apply", 2.0, plain, ratio(&ours.apply, &theirs.apply)),
        ("Empty plan", 2.5, plain, ratio(&ours.plan, &theirs.plan)),
        (
            "Empty plan",
            1.6,
            equal,
            ratio(&ours.plan, &scale.weighty.plan),
        ),
    ] {
        lines.push(goal(what, at_most, unit).judged_at(scale.size, ratio));
    }
    lines.concat()
}

/// Returns the ratio of the wall times of two runs.
pub(super) fn ratio(ours: &Spent, theirs: &Spent) -> f64 {
    ours.wall.as_secs_f64() / theirs.wall.as_secs_f64()
}

struct Goal {
    what: String,
    at_most: f64,
    unit: &'static str,
}

fn goal(what: &str, at_most: f64, unit: &'static str) -> Goal {
    let what = what.to_owned();
    Goal {
        what,
        at_most,
        unit,
    }
}

impl Goal {
    fn judged(&self, measured: f64) -> String {
        let met = if measured <= self.at_most {
            "met"
        } else {
            "missed"
        };
        self.line(measured, met)
    }

    /// Judges a goal that holds for `PROMISED_SIZE` secrets only.
    fn judged_at(&self, size: usize, measured: f64) -> String {
        if size < PROMISED_SIZE {
            let met = format!(
                "not shown: the goal refers to {PROMISED_SIZE} secrets, and the run had {size}"
            );
            self.line(measured, &met)
        } else {
            self.judged(measured)
        }
    }

    fn line(&self, measured: f64, met: &str) -> String {
        let Self {
            what,
            at_most,
            unit,
        } = self;
        format!("- {what}: at most {at_most} {unit}. Measured {measured:.2}: {met}.\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::bench::scale::Runs;

    fn runs(apply: u64, plan: u64) -> Runs {
        let spent = |milliseconds| Spent {
            wall: Duration::from_millis(milliseconds),
            ..Spent::default()
        };
        Runs {
            apply: spent(apply),
            plan: spent(plan),
            state_bytes: 900,
        }
    }

    fn told(size: usize) -> String {
        let scale = Scale {
            size,
            secrets: runs(20_000, 2_510),
            baseline: runs(10_000, 1_000),
            weighty: runs(12_000, 2_000),
            peak_bytes: 60_100_000,
            ..Scale::default()
        };
        let backends = [vendors::Measured {
            vendor: "GCP Secret Manager (fake)",
            peak_bytes: 99_000_000,
            apply: Duration::ZERO,
            plan: Duration::ZERO,
        }];
        verdict(&Measured {
            handshake: Duration::from_micros(6_100),
            binary_bytes: 30_000_000,
            scale: &scale,
            backends: &backends,
        })
    }

    #[test]
    fn each_goal_is_met_or_missed_with_what_was_measured() {
        let expected = "\
- Exec to handshake, median: at most 5 ms. Measured 6.10: missed.
- Stripped binary, with all backends and keys: at most 30 MB. Measured 30.00: met.
- Peak memory of the provider, built-in backend: at most 60 MB. Measured 60.10: missed.
- Peak memory of the provider, GCP Secret Manager (fake): at most 100 MB. Measured 99.00: met.
- Apply: at most 2 times `terraform_data`. Measured 2.00: met.
- Empty plan: at most 2.5 times `terraform_data`. Measured 2.51: missed.
- Empty plan: at most 1.6 times `terraform_data` with equal state. Measured 1.25: met.
";
        assert_eq!(told(1000), expected);
    }

    #[test]
    fn fewer_secrets_show_nothing_of_a_thousand() {
        let told = told(10);
        let shown = |line: &&str| !line.contains("not shown: the goal refers to 1000 secrets");
        let shown: Vec<_> = told.lines().filter(shown).collect();
        assert_eq!(shown.len(), 2, "size and start-up: {told}");
    }
}
