//! Shortens a sequence that breaks a rule.

use anyhow::Result;

use super::steps::Step;
use super::{Break, Failure, Stage};

/// Removes unneeded steps: first all steps after the break, then single steps from the
/// end, while the same rule still breaks.
pub(super) fn shorten(
    stage: &Stage<'_>,
    seed: u64,
    mut steps: Vec<Step>,
    mut broken: Break,
) -> Result<Failure> {
    let mut left = stage.options.shrinking;
    steps.truncate(broken.after);
    let mut index = steps.len();
    let mut is_shorter = false;
    while left > 0 {
        if index == 0 {
            if !is_shorter {
                break;
            }
            is_shorter = false;
            index = steps.len();
            continue;
        }
        index -= 1;
        let mut fewer = steps.clone();
        fewer.remove(index);
        left -= 1;
        let again = stage.play(&fewer)?.broken;
        let again = again.filter(|it| it.violation.rule == broken.violation.rule);
        if let Some(again) = again {
            fewer.truncate(again.after);
            steps = fewer;
            index = index.min(steps.len());
            broken = again;
            is_shorter = true;
        }
    }
    Ok(Failure {
        seed,
        violation: broken.violation,
        transcript: broken.transcript,
    })
}
