//! A key in AWS KMS as the main key of a backend.

use serde_json::json;
use xtask::moto::{Fault, KmsKeyState, NewKmsKey};

use super::backend;
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, secret};
use crate::operator::{Pins, told};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has};

/// An access key beside the backend's own, with the same secret part.
const ACCESS_KEY: &str = "AKIAKEYS00000000001";

fn encryption(place: &Place, key_id: &str) -> String {
    format!(
        "encryption = {{ aws_kms = {{ key_id = {key_id:?}, region = \"eu-central-1\", \
         access_key_id = {ACCESS_KEY:?}, secret_access_key_wo = var.backend_secret, endpoint = \
         {:?} }} }}",
        place.address()
    )
}

#[test]
fn acc_aws_kms_key_encrypts_rotates_is_revoked_and_restored() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::aws();
    let moto = place.moto();
    moto.allow_key(ACCESS_KEY, &place.secret, None).unwrap();
    let arn = moto.create_kms_key(&NewKmsKey::default()).unwrap();
    moto.alias_kms_key("alias/planton", &arn).unwrap();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let backend = backend(&place, &encryption(&place, "alias/planton"));
    let on_own = "backend = planton_secret_backend.own.name\n  timeouts = { update = \"4s\" }";
    let parts = [VARIABLES, &backend, &secret("db", on_own)];
    workspace.write("main.tf", &parts.concat()).unwrap();
    workspace.settled(&variables);
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    let id = format!("aws_kms:{arn}");
    assert_eq!(own["key_ids"], json!([id]));
    assert_eq!(place.read(&scene, "db"), "first value");

    // A rotated key needs nothing.
    moto.rotate_kms_key(&arn).unwrap();
    workspace.unchanged(&variables);
    assert_eq!(place.read(&scene, "db"), "first value");

    // While the key is disabled, a refresh works and a new version fails.
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    for (state, summary, remedy) in [
        (
            KmsKeyState::Disabled,
            "Encryption Key Disabled",
            "enable-key",
        ),
        (
            KmsKeyState::PendingDeletion,
            "Encryption Key Pending Deletion",
            "cancel-key-deletion",
        ),
    ] {
        moto.set_kms_key_state(&arn, state).unwrap();
        workspace.unchanged(&variables);
        let text = workspace.fails(&next);
        has(&text, &[summary, remedy]);
    }
    moto.set_kms_key_state(&arn, KmsKeyState::Enabled).unwrap();
    assert_eq!(place.read(&scene, "db"), "first value");
    workspace.settled(&next);
    assert_eq!(place.read(&scene, "db"), "second value");
    assert_eq!(scene.read_version("db", 1), "first value");

    // An apply waits for the quota of KMS, within its time. A rewrap waits and says so.
    let throttle = |action, times| {
        let fault = Fault {
            action,
            code: "ThrottlingException",
            times,
            ..Fault::default()
        };
        moto.inject(&fault).unwrap();
    };
    let third = [variables[0], ("rotation", "3"), ("value", "third value")];
    throttle("Encrypt", 10_000);
    let text = workspace.fails(&third);
    has(
        &text,
        &[
            "Encryption Key Rate Limited",
            "Raise the resource's timeouts",
        ],
    );
    moto.clear_faults().unwrap();
    throttle("Encrypt", 1);
    workspace.settled(&third);
    throttle("ReEncrypt", 1);
    let pins = Pins::of(&scene).and(&id);
    let rewrapped = told(&pins.run(&scene, &["rewrap"]), 0);
    has(
        &rewrapped,
        &[
            "own: rate limited: waiting for a quota",
            "3 versions rewrapped",
        ],
    );
    workspace.destroyed(&third);
}

/// Creates two keys, and an alias of the first.
fn two_keys_and_an_alias() -> (Scene, Place, [String; 2]) {
    let place = Place::aws();
    let moto = place.moto();
    moto.allow_key(ACCESS_KEY, &place.secret, None).unwrap();
    let keys = [(); 2].map(|()| moto.create_kms_key(&NewKmsKey::default()).unwrap());
    moto.alias_kms_key("alias/moved", &keys[0]).unwrap();
    (Scene::new(&terraform_1_11(), On::Embedded), place, keys)
}

#[test]
fn acc_moved_alias_is_a_planned_change_and_the_former_key_still_opens() {
    let (scene, place, [one, two]) = two_keys_and_an_alias();
    let moto = place.moto();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let backend = backend(&place, &encryption(&place, "alias/moved"));
    let on_own = "backend = planton_secret_backend.own.name";
    let parts = [VARIABLES, &backend, &secret("db", on_own)];
    workspace.write("main.tf", &parts.concat()).unwrap();
    workspace.settled(&variables);
    let older = scene.backend_record();

    moto.alias_kms_key("alias/moved", &two).unwrap();
    // A service that cannot be asked breaks no plan.
    for (status, code) in [(400, "AccessDeniedException"), (0, "")] {
        let fault = Fault {
            action: "DescribeKey",
            name: "alias/moved",
            status,
            code,
            times: 1000,
            ..Fault::default()
        };
        moto.inject(&fault).unwrap();
        workspace.unchanged(&variables);
        moto.clear_faults().unwrap();
    }
    let planned = workspace.changes(&variables);
    has(
        &planned,
        &["key_ids", "0 to add, 1 to change, 0 to destroy"],
    );
    workspace.settled(&variables);
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    assert_eq!(own["key_ids"], json!([format!("aws_kms:{two}")]));
    assert_eq!(place.read(&scene, "db"), "first value");
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    workspace.settled(&next);
    let record = record_of(&scene.records(), "db");
    let versions = &record["versions"];
    let wrapped_by = |at: usize| versions[at]["keks"][0]["id"].as_str().unwrap();
    assert_eq!([wrapped_by(0), wrapped_by(1)], [one.as_str(), two.as_str()]);

    // An older record, with its valid MAC, does not bring the former key back.
    let newer = scene.backend_record();
    scene.put_backend_record(&older);
    let third = [variables[0], ("rotation", "3"), ("value", "third value")];
    let text = workspace.fails(&third);
    has(
        &text,
        &["Catalog Rolled Back", "with planton_secret_backend.own"],
    );
    assert_eq!(record_of(&scene.records(), "db"), record);
    scene.put_backend_record(&newer);
    workspace.unchanged(&next);

    // A replacement moves no sealed credential, and takes no ambient one in its place.
    let own_id = own["id"].clone();
    let alone = parts[..2].concat();
    workspace.write("main.tf", &alone).unwrap();
    workspace.settled(&next);
    let own =
        format!(", access_key_id = {ACCESS_KEY:?}, secret_access_key_wo = var.backend_secret");
    let bare = alone.replace(&own, "");
    assert_ne!(bare, alone);
    let renamed = bare.replace("name = \"own\"", "name = \"other\"");
    workspace.write("main.tf", &renamed).unwrap();
    let text = workspace.refused(&next);
    has(&text, &["Key Credential Missing", "credentials_wo_version"]);
    // Nor does one that Terraform is told to make, or that of a tainted backend.
    workspace.write("main.tf", &bare).unwrap();
    let force = ["-replace=planton_secret_backend.own"];
    let forced = workspace.plan_with(&next, &force).unwrap();
    let text = forced.error().unwrap();
    has(&text, &["Key Credential Missing", "credentials_wo_version"]);
    let run = |command: &str| {
        let done = workspace.run(&[command, "planton_secret_backend.own"]);
        done.unwrap().ok().unwrap();
    };
    let private = || workspace.private("planton_secret_backend.own").unwrap();
    let before = private();
    run("taint");
    let text = workspace.fails(&next);
    assert_eq!(private(), before, "what the state knows of the record");
    has(&text, &["Key Credential Missing", "terraform untaint"]);
    run("untaint");
    workspace.write("main.tf", &alone).unwrap();
    workspace.unchanged(&next);
    let id = &workspace.attributes("planton_secret_backend.own").unwrap()["id"];
    assert_eq!(*id, own_id, "nothing was replaced");
}

#[test]
fn acc_multi_region_key_opens_and_encrypts_while_its_first_region_is_down() {
    let (scene, place, _) = two_keys_and_an_alias();
    let moto = place.moto();
    let multi_region = NewKmsKey {
        multi_region: true,
        ..NewKmsKey::default()
    };
    let arn = moto.create_kms_key(&multi_region).unwrap();
    moto.replicate_kms_key(&arn, "eu-west-1").unwrap();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let key = encryption(&place, &arn);
    let key = key.replace("region =", "regions = [\"eu-west-1\"], region =");
    let on_own = "backend = planton_secret_backend.own.name";
    let parts = [VARIABLES, &backend(&place, &key), &secret("db", on_own)];
    workspace.write("main.tf", &parts.concat()).unwrap();
    workspace.settled(&variables);
    let own = workspace.attributes("planton_secret_backend.own").unwrap();
    let id = arn.replace(":eu-central-1:", "::");
    assert_eq!(own["key_ids"], json!([format!("aws_kms:{id}")]));

    let down = Fault {
        name: &arn,
        status: 503,
        code: "ServiceUnavailable",
        times: 10_000,
        ..Fault::default()
    };
    moto.inject(&down).unwrap();
    assert_eq!(place.read(&scene, "db"), "first value");
    let next = [variables[0], ("rotation", "2"), ("value", "second value")];
    workspace.applied(&next);
    moto.clear_faults().unwrap();
    assert_eq!(place.read(&scene, "db"), "second value");
    workspace.destroyed(&next);
}

#[test]
fn acc_alias_that_moves_between_plan_and_apply_breaks_no_apply() {
    let (scene, place, [one, two]) = two_keys_and_an_alias();
    let moto = place.moto();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let describe = |description: &str| {
        let key = encryption(&place, "alias/moved");
        let lines = format!("description = {description:?}\n  {key}");
        let parts = [VARIABLES, &backend(&place, &lines)];
        workspace.write("main.tf", &parts.concat()).unwrap();
    };
    let save = |arguments: &[&str]| {
        let arguments = [&["-out=saved"], arguments].concat();
        let planned = workspace.plan_with(&variables, &arguments).unwrap();
        planned.changes().unwrap();
    };
    let apply_saved = || {
        let applied = workspace.apply_with(&variables, &["saved"]);
        applied.unwrap().ok().unwrap();
        let own = workspace.attributes("planton_secret_backend.own").unwrap();
        own["key_ids"].clone()
    };
    let ids = |arn: &str| json!([format!("aws_kms:{arn}")]);
    describe("first");
    workspace.settled(&variables);

    // The alias moves after the plan: the apply keeps the key, and the next plan shows it.
    describe("second");
    save(&[]);
    moto.alias_kms_key("alias/moved", &two).unwrap();
    assert_eq!(apply_saved(), ids(&one));
    has(&workspace.changes(&variables), &["key_ids"]);

    // The role of the plan may not ask, and the role of the apply may.
    let denied = Fault {
        action: "DescribeKey",
        name: "alias/moved",
        status: 400,
        code: "AccessDeniedException",
        times: 1000,
        ..Fault::default()
    };
    moto.inject(&denied).unwrap();
    describe("third");
    save(&[]);
    moto.clear_faults().unwrap();
    assert_eq!(apply_saved(), ids(&one));

    // A plan without a refresh shows what the last refresh found.
    let without = workspace.plan_with(&variables, &["-refresh=false"]);
    without.unwrap().no_changes().unwrap();
    let refreshed = ["apply", "-refresh-only", "-auto-approve", "-input=false"];
    let refreshed = workspace.run_with(&refreshed, &variables);
    refreshed.unwrap().ok().unwrap();
    save(&["-refresh=false"]);
    assert_eq!(apply_saved(), ids(&two));
    workspace.unchanged(&variables);
}

#[test]
fn acc_aws_kms_key_that_cannot_be_used_is_not_saved() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::aws();
    let moto = place.moto();
    moto.allow_key(ACCESS_KEY, &place.secret, None).unwrap();
    let variables = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(&scene);
    let rsa = moto.create_kms_key(&NewKmsKey {
        spec: "RSA_2048",
        ..NewKmsKey::default()
    });
    let write = |key_id: &str| {
        let parts = [VARIABLES, &backend(&place, &encryption(&place, key_id))];
        workspace.write("main.tf", &parts.concat()).unwrap();
    };
    write("key/hunter2");
    has(&workspace.refused(&variables), &["key_id", "alias/name"]);
    write(&rsa.unwrap());
    let text = workspace.fails(&variables);
    has(&text, &["The backend was not saved", "SYMMETRIC_DEFAULT"]);
    write("alias/none");
    let text = workspace.fails(&variables);
    has(
        &text,
        &["Encryption Key Missing", "none is created in its place"],
    );
    let records = scene.records();
    let is_saved = records.keys().any(|key| key.contains("backend"));
    assert!(!is_saved, "{records:?}");
}
