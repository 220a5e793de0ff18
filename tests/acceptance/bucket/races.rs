//! Two machines, each with a folder, a copy of the key file and a Terraform of its own, race on
//! one bucket. Exactly one wins, and nothing is lost.
//!
//! Each run applies a saved plan, so both act on what they saw before the race.

use test_support::extent;
use xtask::bucket::BucketService;
use xtask::terraform::{Outcome, Workspace};

use super::scene::OnBucket;
use crate::operator::told;
use crate::scene::assert_tombstones;
use crate::steps::{Steps, flat, has};

const SECRET: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = null
}
variable "trigger" { default = "1" }

resource "planton_secret" "s" {
  name             = "contested"
  value_wo         = var.value
  value_wo_version = var.trigger
}
"#;

const EXISTS: &str = "Secret Already Exists";
const CHANGED: &str = "Secret Changed Concurrently";
/// The secret was destroyed before the rotation read its record.
const NOT_FOUND: &str = "Secret Not Found";

/// Arguments of a plan, and the variables of the plan and of its apply.
type Run<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

/// Terraform refreshes before it destroys, and plans nothing for this trigger.
const DESTROY: Run<'_> = (&["-destroy"], &[("trigger", "2")]);

#[test]
fn acc_bucket_of_two_machines_that_race_exactly_one_wins() {
    for service in extent::bucket_services() {
        race(*service, extent::rounds(2, 20));
    }
}

fn race(service: BucketService, rounds: usize) {
    let first = OnBucket::new(service);
    told(&first.run(&["platform", "init"], &[]), 0);
    let second = first.other_machine();
    std::fs::copy(first.key_file(), second.key_file()).unwrap();
    for round in 0..rounds {
        let rivals = Rivals {
            folders: [&first, &second].map(|machine| machine.workspace(SECRET)),
            witness: &first,
            number: round,
        };
        rivals.race();
    }
    let records = first.records();
    assert!(records.keys().any(|key| key.starts_with("secrets/")));
    assert_tombstones(&records);
    assert_eq!(first.versions(), [""; 0]);
}

/// The machines in one round.
struct Rivals<'a> {
    folders: [Workspace; 2],
    witness: &'a OnBucket,
    number: usize,
}

impl Rivals<'_> {
    fn race(&self) {
        self.writes("1", EXISTS);
        self.writes("2", CHANGED);
        if self.number.is_multiple_of(2) {
            self.destroys();
        } else {
            self.meets_a_rotation();
        }
    }

    /// Both write a value. The loser gets `conflict`, and then the state of the winner.
    fn writes(&self, trigger: &str, conflict: &str) {
        let [ours, theirs] = self.values(trigger);
        let with = |value| [("value", value), ("trigger", trigger)];
        let outcomes = self.at_once([(&[], &with(&ours)), (&[], &with(&theirs))]);
        let winner = self.only_winner(&outcomes, &[conflict]);
        let won = [&ours, &theirs][winner];
        assert_eq!(self.witness.value("contested"), **won, "{}", self.number);
        let versions = self.witness.versions();
        assert_eq!(versions.len().to_string(), trigger, "{versions:?}");
        let state = |folder: &Workspace| folder.path().join("terraform.tfstate");
        let [from, to] = [winner, 1 - winner].map(|index| state(&self.folders[index]));
        std::fs::copy(from, to).unwrap();
    }

    /// Both destroy the secret. That of one that is gone succeeds.
    fn destroys(&self) {
        let outcomes = self.at_once([DESTROY, DESTROY]);
        let succeeded = |outcome: &&Outcome| outcome.success();
        assert!(outcomes.iter().any(|one| succeeded(&one)), "{outcomes:?}");
        for lost in outcomes.iter().filter(|one| !succeeded(one)) {
            has(&flat(&lost.diagnostics()), &[CHANGED]);
        }
        assert_eq!(self.witness.versions(), [""; 0], "{}", self.number);
    }

    /// One destroys the secret while the other rotates it.
    fn meets_a_rotation(&self) {
        let [_, value] = self.values("3");
        let rotation = [("value", value.as_str()), ("trigger", "3")];
        let outcomes = self.at_once([DESTROY, (&[], &rotation)]);
        let conflicts: &[&str] = match outcomes[1].success() {
            true => &[CHANGED],
            false => &[CHANGED, NOT_FOUND],
        };
        if self.only_winner(&outcomes, conflicts) == 1 {
            assert_eq!(self.witness.value("contested"), value);
            self.folders[1].destroyed(&rotation);
        }
        assert_eq!(self.witness.versions(), [""; 0], "{}", self.number);
    }

    fn values(&self, trigger: &str) -> [String; 2] {
        ["ours", "theirs"].map(|whose| format!("{whose} {trigger} of {}", self.number))
    }

    /// Returns which of them succeeded. The other has one of these conflicts.
    fn only_winner(&self, outcomes: &[Outcome; 2], conflicts: &[&str]) -> usize {
        let (winner, lost) = match outcomes {
            [won, lost] if won.success() => (0, lost),
            [lost, _] => (1, lost),
        };
        let both = outcomes[0].success() == outcomes[1].success();
        assert!(!both, "{}: {outcomes:?}", self.number);
        let told = flat(&lost.diagnostics());
        let is_known = conflicts.iter().any(|conflict| told.contains(conflict));
        assert!(is_known, "{}: {told}", self.number);
        winner
    }

    /// Plans with these arguments and variables, and then applies both plans at the same time.
    fn at_once(&self, runs: [Run<'_>; 2]) -> [Outcome; 2] {
        let each = || self.folders.iter().zip(runs);
        for (folder, (arguments, variables)) in each() {
            let arguments = [arguments, &["-out=tfplan"]].concat();
            let planned = folder.plan_with(variables, &arguments).unwrap();
            planned.changes().unwrap();
        }
        let apply = ["apply", "-no-color", "-input=false", "tfplan"];
        let started: Vec<_> = each()
            .map(|(folder, (_, variables))| folder.spawn(&apply, variables).unwrap())
            .collect();
        let ended: Vec<_> = started.into_iter().map(|run| run.wait().unwrap()).collect();
        ended.try_into().unwrap()
    }
}
