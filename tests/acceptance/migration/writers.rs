//! Twenty writers in four processes, throughout a migration.

use std::sync::Barrier;
use std::thread;

use super::Place;
use crate::operator::told;
use crate::steps::{Steps, flat, has};

/// Workspaces, and secrets of each. Each apply rotates all of them and creates one more.
const WORKSPACES: usize = 4;
const SECRETS: usize = 5;

/// Longer than a look at the mark serves. The real time is 60 s.
const WAIT_MS: &str = "11000";

fn configuration(workspace: usize) -> String {
    format!(
        r#"
variable "trigger" {{ default = "0" }}
resource "planton_secret" "s" {{
  count            = {SECRETS} + var.trigger
  name             = "w{workspace}-${{count.index}}"
  value_wo         = "hunter2 ${{count.index}} of ${{var.trigger}}"
  value_wo_version = var.trigger
}}
"#
    )
}

#[test]
fn acc_migration_of_twenty_writers_throughout_loses_nothing() {
    let (source, target) = (Place::openbao(), Place::embedded());
    // The organization exists, so its fingerprint can be pinned.
    told(&source.run(&["platform", "init"], &[]), 0);
    let mut migration = source.migration(&target, &["--apply"]);
    migration.env("PLANTON_TEST_MOVE_WAIT_MS", WAIT_MS);
    let mut workspaces: Vec<_> = (0..WORKSPACES)
        .map(|number| source.workspace(&configuration(number)))
        .collect();
    // Every secret exists, and its rotations are under way.
    let begun = Barrier::new(WORKSPACES + 1);
    let last = thread::scope(|scope| {
        let writers: Vec<_> = workspaces
            .iter()
            .map(|workspace| {
                let begun = &begun;
                scope.spawn(move || {
                    for trigger in 0.. {
                        let trigger = trigger.to_string();
                        let applied = workspace.apply(&[("trigger", &trigger)]).unwrap();
                        if !applied.success() {
                            return (trigger, flat(&applied.diagnostics()));
                        }
                        if trigger == "0" {
                            begun.wait();
                        }
                    }
                    unreachable!("a migration ends every writer")
                })
            })
            .collect();
        begun.wait();
        told(&migration.output().unwrap(), 0);
        let last: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        last
    });
    for (number, (workspace, (trigger, refused))) in workspaces.iter_mut().zip(&last).enumerate() {
        has(refused, &["Organization Moved", &target.described()]);
        target.configure(workspace);
        // What was acknowledged stands in the state and on the target; the rest follows.
        workspace.settled(&[("trigger", trigger)]);
        for secret in 0..SECRETS {
            let value = target.value(&format!("w{number}-{secret}"));
            assert_eq!(value, format!("hunter2 {secret} of {trigger}"));
        }
    }
    has(&told(&target.run(&["verify"], &[]), 0), &["verified"]);
}
