//! Several machines and workspaces that share a bucket.

use std::thread;

use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::steps::{Steps, has};
use crate::workflows::testing::{CONSUMED, test, write_test};

#[test]
fn acc_bucket_machine_without_the_key_file_is_told_to_copy_it() {
    let first = OnBucket::new(BucketService::S3);
    first.workspace(SECRETS).settled(&[]);
    let second = first.other_machine();
    let theirs = SECRETS
        .replace("\"given\"", "\"theirs\"")
        .replace("generated", "their-own");
    let workspace = second.workspace(&theirs);
    let refused = workspace.fails(&[]);
    has(&refused, &["Copy the file from the machine"]);
    assert!(!second.key_file().exists());
    std::fs::copy(first.key_file(), second.key_file()).unwrap();
    workspace.settled(&[]);
    assert_eq!(first.value("theirs"), "hunter2 of the first");
    assert_eq!(second.value("given"), "hunter2 of the first");
}

#[test]
fn acc_bucket_first_use_on_two_machines_at_once_makes_one_key() {
    let first = OnBucket::new(BucketService::S3);
    let second = first.other_machine();
    let applied = thread::scope(|scope| {
        let runs = [(&first, "one"), (&second, "two")].map(|(machine, name)| {
            scope.spawn(move || {
                let secret = format!(
                    "resource \"planton_secret\" \"s\" {{\n  name = {name:?}\n  generate = {{}}\n}}\n"
                );
                let workspace = machine.workspace(&secret);
                let outcome = workspace.apply(&[]).unwrap();
                (outcome.success(), outcome.diagnostics())
            })
        });
        runs.map(|run| run.join().unwrap())
    });
    let winners: Vec<_> = applied.iter().filter(|(success, _)| *success).collect();
    assert_eq!(winners.len(), 1, "{applied:?}");
    let (_, lost) = applied.iter().find(|(success, _)| !success).unwrap();
    let lost = crate::steps::flat(lost);
    assert!(
        lost.contains("copy the file from that machine") || lost.contains("Copy the file"),
        "{lost}"
    );
}

#[test]
fn acc_bucket_terraform_test_leaves_nothing() {
    let on = OnBucket::new(BucketService::Gcs);
    let workspace = on.workspace(CONSUMED);
    write_test(
        &workspace,
        "run \"applies\" {\n  command = apply\n  assert {\n    condition     = \
         output.version == 1\n    error_message = \"no version\"\n  }\n}\n",
    );
    let outcome = test(&workspace);
    assert!(outcome.success(), "{outcome:?}");
    assert_eq!(on.versions(), [""; 0]);
}
