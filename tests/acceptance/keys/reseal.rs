//! `reseal`: values under new data keys, without a difference in Terraform.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::operator::{Pins, told};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps, has};

const SECRET: &str = "variable \"value\" { default = \"first value\" }\nvariable \"rotation\" { \
                      default = \"1\" }\nresource \"planton_secret\" \"db\" {\n  name = \"db\"\n  \
                      value_wo = var.value\n  value_wo_version = var.rotation\n}\n";

pub(crate) const STEPS: [&str; 4] = ["reseal", "put reseal", "commit reseal", "delete superseded"];

fn payloads(scene: &Scene) -> Vec<Value> {
    let record = record_of(&scene.records(), "db");
    let versions = record["versions"].as_array().unwrap().iter();
    versions
        .map(|version| version["payload_sha256"].clone())
        .collect()
}

#[test]
fn acc_reseal_gives_each_version_a_new_data_key_and_the_plan_stays_empty_on_embedded() {
    resealed(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_reseal_gives_each_version_a_new_data_key_and_the_plan_stays_empty_on_openbao() {
    resealed(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_reseal_gives_each_version_a_new_data_key_and_the_plan_stays_empty_on_a_bucket() {
    on_buckets(resealed);
}

fn resealed(scene: &Scene) {
    let workspace = scene.workspace(SECRET);
    workspace.settled(&[]);
    let second = [("value", "second value"), ("rotation", "2")];
    workspace.settled(&second);
    let (before, objects) = (payloads(scene), scene.objects().len());
    let pins = Pins::of(scene);
    // The state that was written before has seen the former payloads.
    let plan = workspace.plan_with(&[("value", "third value"), ("rotation", "3")], &["-out=p"]);
    plan.unwrap().changes().unwrap();

    let begun = Timestamp::now().to_string();
    let reseal = ["reseal", "platform", "--sealed-before", &begun, "--json"];
    for step in STEPS {
        pins.killed(scene, &reseal, step);
        workspace.unchanged(&second);
        assert_eq!(scene.read(&["db"])["db"], "second value");
    }
    let done = pins.run(scene, &reseal);
    has(
        &told(&done, 0),
        &["To continue an interrupted call", &begun],
    );
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&done["resealed"], &done["current"]),
        (&json!(1), &json!(1)),
        "{done}"
    );
    assert_eq!((&done["failed"], &done["kept"]), (&json!([]), &json!([])));
    let after = payloads(scene);
    assert!(after.iter().all(|payload| !before.contains(payload)));
    assert_eq!(after.len(), before.len());
    // A put that was killed before its commit is an object that no record names.
    assert!(scene.objects().len() <= objects + 1);
    workspace.unchanged(&second);
    assert_eq!(scene.read(&["db"])["db"], "second value");
    assert_eq!(scene.read_version("db", 1), "first value");

    // The plan from before the reseal applies, and a missing backend is told.
    workspace.apply_with(&[], &["p"]).unwrap().ok().unwrap();
    assert_eq!(scene.read(&["db"])["db"], "third value");
    let missing = pins.run(scene, &["reseal", "nowhere"]);
    has(&told(&missing, 3), &["nowhere"]);
    workspace.destroyed(&[]);
}
