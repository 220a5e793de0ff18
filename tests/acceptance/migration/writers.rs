//! Twenty writers in four processes, throughout a migration.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use xtask::bucket::BucketService;
use xtask::terraform::Workspace;

use super::{Place, WAIT};
use crate::operator::{KILL, killed, told};
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
output "versions" {{ value = planton_secret.s[*].version }}
"#
    )
}

/// A step of the copying and one after the last listing.
const KILLS: [&str; 2] = ["commit migrated document", "verify migration"];

#[test]
fn acc_migration_of_twenty_writers_throughout_loses_nothing() {
    migrates(&Place::openbao(), &Place::embedded(), |migration| {
        told(&migration.output().unwrap(), 0);
    });
}

#[test]
fn acc_migration_of_twenty_writers_that_is_killed_loses_nothing() {
    let target = Place::bucket(BucketService::Gcs);
    migrates(&Place::openbao(), &target, |migration| {
        // These calls wait for nobody, which is safe because they do not finish.
        migration.env(WAIT.0, WAIT.1);
        for step in KILLS {
            killed(&migration.env(KILL, step).output().unwrap(), step);
        }
        // The target is ready, and the source still says that it moves.
        migration.env(WAIT.0, WAIT_MS).env(KILL, "point to target");
        killed(&migration.output().unwrap(), "point to target");
        told(&migration.env_remove(KILL).output().unwrap(), 0);
    });
}

/// Migrates while four processes write, and checks what is on the target.
fn migrates(source: &Place, target: &Place, migrate: impl FnOnce(&mut Command)) {
    // The organization exists, so its fingerprint can be pinned.
    told(&source.run(&["platform", "init"], &[]), 0);
    let mut migration = source.migration(target, &["--apply"]);
    migration.env(WAIT.0, WAIT_MS);
    let mut workspaces: Vec<_> = (0..WORKSPACES)
        .map(|number| source.workspace(&configuration(number)))
        .collect();
    // Every secret exists, and its rotations are under way.
    let begun = Barrier::new(WORKSPACES + 1);
    let last: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = workspaces
            .iter()
            .map(|workspace| scope.spawn(|| written_until_refused(workspace, &begun)))
            .collect();
        begun.wait();
        migrate(&mut migration);
        writers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let mut expected = BTreeMap::new();
    for (number, (workspace, (trigger, refused))) in workspaces.iter_mut().zip(&last).enumerate() {
        has(refused, &["Organization Moved", &target.described()]);
        target.configure(workspace);
        // What was acknowledged stands in the state and on the target; the rest follows.
        workspace.settled(&[("trigger", &trigger.to_string())]);
        for secret in 0..SECRETS {
            let value = format!("hunter2 {secret} of {trigger}");
            expected.insert(format!("w{number}-{secret}"), value);
            let version = &workspace.output("versions")[secret];
            assert_eq!(*version, trigger + 1, "each rotation is there once");
        }
    }
    let names: Vec<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(target.values(&names), expected);
    has(&told(&target.run(&["verify"], &[]), 0), &["verified"]);
    let listed = ["gc", "--orphans", "--older-than", "0s"];
    has(
        &told(&target.run(&listed, &[]), 0),
        &["nothing found that no record needs"],
    );
}

/// Rotates all secrets of a workspace and creates one more, until an apply fails. Returns the
/// trigger of that one, and its diagnostics.
fn written_until_refused(workspace: &Workspace, begun: &Barrier) -> (u64, String) {
    for trigger in 0.. {
        let applied = workspace
            .apply(&[("trigger", &trigger.to_string())])
            .unwrap();
        if !applied.success() {
            return (trigger, flat(&applied.diagnostics()));
        }
        if trigger == 0 {
            begun.wait();
        }
    }
    unreachable!("a migration ends every writer")
}
