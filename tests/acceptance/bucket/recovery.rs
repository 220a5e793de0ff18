//! What may happen to a bucket's organization over the years: leftovers, an escrow key, a lost
//! main key, another bucket.

use std::fs;

use tempfile::TempDir;
use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::crash::apply_killed;
use crate::keys::{IDENTITY, RECIPIENT};
use crate::operator::{json, told};
use crate::scene::terraform_1_15;
use crate::steps::{Steps, has};

/// On Terraform 1.15.
#[test]
fn acc_bucket_loses_its_key_file_and_the_escrow_identity_installs_another() {
    let on = OnBucket::new(BucketService::S3).with(&terraform_1_15());
    let recipient = format!("age:{RECIPIENT}");
    told(
        &on.run(&["platform", "init", "--escrow", &recipient], &[]),
        0,
    );
    let mut workspace = on.workspace(SECRETS);
    apply_killed(&mut workspace, "commit", &[]);
    assert!(!on.versions().is_empty());
    let collect = [
        "gc",
        "--orphans",
        "--older-than",
        "0s",
        "--delete",
        "--json",
    ];
    let collected = json(&on.run(&collect, &[]));
    let left = collected["deleted"].as_u64().unwrap();
    assert!(left > 0, "{collected}");
    assert_eq!(on.versions(), [""; 0]);
    workspace.settled(&[]);

    let status = json(&on.run(&["platform", "status", "--json"], &[]));
    let ids = status["key_ids"].as_array().unwrap().iter();
    let mut ids: Vec<_> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
    fs::remove_file(on.key_file()).unwrap();
    // A refresh needs no key.
    workspace.unchanged(&[]);
    let created = json(&on.run(&["platform", "key-file", "create", "--json"], &[]));
    ids.push(created["key_id"].as_str().unwrap().to_owned());
    let allowed = ids.join(",");
    let pins = [
        (
            "PLANTON_ORGANIZATION_FINGERPRINT",
            status["fingerprint"].as_str().unwrap(),
        ),
        ("PLANTON_ALLOWED_KEY_IDS", &allowed),
    ];
    told(&on.run(&["rewrap"], &pins), 1);
    let folder = TempDir::new().unwrap();
    let identity = folder.path().join("id");
    fs::write(&identity, IDENTITY).unwrap();
    let with = ["rewrap", "--with", identity.to_str().unwrap()];
    told(&on.run(&with, &pins), 0);
    workspace.unchanged(&[]);
    assert_eq!(on.value("given"), "hunter2 of the first");
    has(&told(&on.run(&["verify"], &pins), 0), &["verified"]);
    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    workspace.settled(&next);
    workspace.destroyed(&next);
}

/// A second provider configuration has its own bucket, and no state follows a changed url.
#[test]
fn acc_bucket_of_an_alias_is_another_platform_and_a_changed_url_is_rejected() {
    let [one, two] = [(); 2].map(|()| OnBucket::new(BucketService::S3));
    let block = two.provider("alias = \"two\"");
    let aliased = &block[block.find("provider \"planton\"").unwrap()..];
    let key_file = |on: &OnBucket| on.key_file().display().to_string();
    let aliased = aliased.replace(&key_file(&two), &key_file(&one));
    let both = format!("{}{aliased}", one.provider(""));
    let of_two = "resource \"planton_secret\" \"two\" {\n  provider         = planton.two\n  \
                  name             = \"given\"\n  value_wo         = \"hunter2 of two\"\n  \
                  value_wo_version = \"1\"\n}\n";
    let workspace = one.workspace(&format!("{SECRETS}{of_two}"));
    // The first use creates the key file, which both platforms have.
    told(&one.run(&["platform", "init"], &[]), 0);
    workspace.write("provider.tf", &both).unwrap();
    workspace.settled(&[]);
    fs::copy(one.key_file(), two.key_file()).unwrap();
    assert_eq!(one.value("given"), "hunter2 of the first");
    assert_eq!(two.value("given"), "hunter2 of two");
    assert_eq!((one.versions().len(), two.versions().len()), (2, 1));

    let before = (one.objects(), two.objects());
    let names = (one.bucket.name(), two.bucket.name());
    let swapped = both.replace(names.0, "swapped").replace(names.1, names.0);
    let swapped = swapped.replace("swapped", names.1);
    workspace.write("provider.tf", &swapped).unwrap();
    let refused = workspace.refused(&[]);
    has(&refused, &["Different Platform"]);
    assert_eq!((one.objects(), two.objects()), before);
    workspace.write("provider.tf", &both).unwrap();
    workspace.unchanged(&[]);
    workspace.destroyed(&[]);
}
