//! Breaks the time of an apply and of an empty plan down by process.

use std::time::Duration;

use super::goals::ratio;
use super::scale::{Runs, Scale, Spent};

/// Returns the section: a table of processor times, and a paragraph about each run.
pub(super) fn section(scale: &Scale, cores: usize) -> String {
    let mut text = format!(
        "\n## Where the time goes\n\nSeconds for {} resources each. Wall is the duration of the run. \
         The other columns are processor time: of\nTerraform, of the provider's processes, of OpenBAO, \
         and of everything else on the machine, including the\nbenchmark.\n\n\
         | Run | Wall | Terraform | Provider | OpenBAO | All else |\n\
         | --- | --- | --- | --- | --- | --- |\n",
        scale.size
    );
    let apply: fn(&Runs) -> Spent = |runs| runs.apply;
    let plan: fn(&Runs) -> Spent = |runs| runs.plan;
    let kinds = [("apply", apply), ("empty plan", plan)];
    for (what, of) in kinds {
        for (resources, runs) in [
            ("secrets on OpenBAO", &scale.secrets),
            ("secrets on the embedded platform", &scale.embedded),
            ("`terraform_data` with equal state", &scale.weighty),
            ("`terraform_data`", &scale.baseline),
        ] {
            text.push_str(&row(&format!("{what}, {resources}"), &of(runs)));
        }
    }
    for (what, of) in kinds {
        text.push_str(&told(what, scale, of, cores));
    }
    text
}

fn row(what: &str, run: &Spent) -> String {
    let cells = [
        run.wall,
        run.terraform,
        run.provider,
        run.server.processor,
        run.others,
    ];
    let cells = cells.map(|time| match time {
        Duration::ZERO => "–".to_owned(),
        time => format!("{:.2}", time.as_secs_f64()),
    });
    format!("| {what} | {} |\n", cells.join(" | "))
}

/// Describes the row of the secrets on OpenBAO.
fn told(what: &str, scale: &Scale, of: fn(&Runs) -> Spent, cores: usize) -> String {
    let run = of(&scale.secrets);
    let parties = [
        ("Terraform", run.terraform),
        ("the provider", run.provider),
        ("OpenBAO", run.server.processor),
        ("all else", run.others),
    ];
    let busy = |time: Duration| time.as_secs_f64() / run.wall.as_secs_f64();
    let all = parties.iter().map(|(_, time)| *time).sum();
    let most = parties.iter().max_by_key(|(_, time)| *time);
    let most = most.map_or("", |(name, _)| *name);
    let parts = parties.map(|(name, time)| format!("{name} {:.2}", busy(time)));
    let requests = quotient(run.server.requests, scale.size);
    let each = run.server.processor.as_secs_f64() * 1000.0;
    let each = each / quotient(run.server.requests.max(1), 1);
    format!(
        "\nThe {what} of the secrets on OpenBAO used {:.2} of {cores} cores: {}. The largest share is {most}.\n\
         It took {:.2} times as long as on the embedded platform, which has no server. It took {:.2} times \
         as long\nas `terraform_data` with equal state, and {:.2} times as long as `terraform_data`. \
         OpenBAO answered {requests:.2}\nrequests for each secret, with {each:.2} ms of processor time \
         for each request.\n",
        busy(all),
        parts.join(", "),
        ratio(&run, &of(&scale.embedded)),
        ratio(&run, &of(&scale.weighty)),
        ratio(&run, &of(&scale.baseline)),
    )
}

#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn quotient(of: usize, by: usize) -> f64 {
    of as f64 / by as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::bench::scale::Served;

    fn spent(times: [u64; 5], requests: usize) -> Spent {
        let [wall, terraform, provider, processor, others] = times.map(Duration::from_secs);
        Spent {
            wall,
            terraform,
            provider,
            server: Served {
                processor,
                requests,
            },
            others,
        }
    }

    #[test]
    fn the_profile_says_what_the_numbers_say() {
        let scale = Scale {
            size: 1000,
            secrets: Runs {
                apply: spent([20, 14, 3, 6, 1], 6004),
                plan: spent([4, 1, 1, 2, 0], 2001),
                state_bytes: 900,
            },
            embedded: Runs {
                apply: spent([16, 14, 4, 0, 1], 0),
                plan: spent([2, 1, 1, 0, 0], 0),
                state_bytes: 900,
            },
            baseline: Runs {
                apply: spent([8, 7, 0, 0, 1], 0),
                plan: spent([1, 1, 0, 0, 0], 0),
                state_bytes: 300,
            },
            weighty: Runs {
                apply: spent([25, 24, 0, 0, 1], 0),
                plan: spent([2, 1, 0, 0, 0], 0),
                state_bytes: 900,
            },
            peak_bytes: 0,
        };
        let text = section(&scale, 2);
        for expected in [
            "| apply, secrets on OpenBAO | 20.00 | 14.00 | 3.00 | 6.00 | 1.00 |\n",
            "| apply, `terraform_data` | 8.00 | 7.00 | – | – | 1.00 |\n",
            "| empty plan, secrets on the embedded platform | 2.00 | 1.00 | 1.00 | – | – |\n",
            "The apply of the secrets on OpenBAO used 1.20 of 2 cores: Terraform 0.70, the provider \
             0.15, OpenBAO 0.30, all else 0.05. The largest share is Terraform.\n",
            "It took 1.25 times as long as on the embedded platform",
            "It took 0.80 times as long\nas `terraform_data` with equal state, and 2.50 times",
            "answered 6.00\nrequests for each secret, with 1.00 ms of processor time for each request.\n",
            "The empty plan of the secrets on OpenBAO used 1.00 of 2 cores",
            "0.50, all else 0.00. The largest share is OpenBAO.\n",
        ] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
    }
}
