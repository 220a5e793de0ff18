//! While another state creates the same name, an object is removed by hand, or a response
//! wrongly reports it as absent.

use xtask::faults::{Fault, FaultProxy, Match, ProxyOptions};

use crate::scene::{On, Scene, provider_block, record_of, terraform_1_11};
use crate::stages::on_buckets;
use crate::steps::{Steps, has, text};

const SECRET: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = "the owner's"
}
resource "planton_secret" "db" {
  name             = "db"
  value_wo         = var.value
  value_wo_version = "1"
}
"#;
const THEIRS: [(&str, &str); 1] = [("value", "somebody else's")];

#[test]
fn acc_object_removed_by_hand_lets_no_other_state_in_and_its_owner_heals_on_embedded() {
    owner_heals(&Scene::new(&terraform_1_11(), On::Embedded));
}

#[test]
fn acc_object_removed_by_hand_lets_no_other_state_in_and_its_owner_heals_on_openbao() {
    owner_heals(&Scene::new(&terraform_1_11(), On::OpenBao));
}

#[test]
fn acc_object_removed_by_hand_lets_no_other_state_in_and_its_owner_heals_on_a_bucket() {
    on_buckets(owner_heals);
}

fn owner_heals(scene: &Scene) {
    let owner = scene.workspace(SECRET);
    owner.settled(&[]);
    let created = owner.secret("db");
    scene.lose_object(&created);
    let record = record_of(&scene.records(), "db");

    let other = scene.workspace(SECRET);
    has(&other.fails(&THEIRS), &["Secret Already Exists"]);
    other.destroyed(&THEIRS);
    assert_eq!(record_of(&scene.records(), "db"), record);
    assert_eq!(scene.objects(), [""; 0]);

    owner.settled(&[]);
    let healed = owner.secret("db");
    assert_eq!(healed["id"], created["id"]);
    assert_eq!(healed["version"], 2);
    let opened = scene.open(&text(&healed, "id"));
    assert_eq!(opened.text.unwrap(), "the owner's");
    owner.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

/// A record is removed by hand, without a tombstone, and another state creates the name.
/// The former owner's state has a later generation than the catalog, so its provider
/// changes nothing.
#[test]
fn acc_record_removed_by_hand_and_made_anew_by_another_state_is_that_ones_alone() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let owner = scene.workspace(SECRET);
    owner.applied(&[]);
    // A changed record has a later generation than a new one.
    let described = SECRET.replace("value_wo  ", "description = \"mine\"\n  value_wo  ");
    owner.write("main.tf", &described).unwrap();
    owner.applied(&[]);
    scene.lose_record(&owner.secret("db"));
    let other = scene.workspace(SECRET);
    other.settled(&THEIRS);
    let record = record_of(&scene.records(), "db");

    has(&owner.refused(&[]), &["Catalog Rolled Back"]);
    for arguments in [&["-refresh=false", "-destroy"][..], &["-destroy"]] {
        let told = owner.apply_with(&[], arguments).unwrap().error().unwrap();
        has(&told, &["Catalog Rolled Back", "accept-rollback"]);
        assert_eq!(record_of(&scene.records(), "db"), record, "{arguments:?}");
    }
    other.unchanged(&THEIRS);
    let id = text(&other.secret("db"), "id");
    assert_eq!(scene.open(&id).text.unwrap(), "somebody else's");
    // Follows the remedy in the message.
    let forget = ["state", "rm", "planton_secret.db"];
    owner.run(&forget).unwrap().ok().unwrap();
    has(&owner.fails(&[]), &["Secret Already Exists"]);
    other.destroyed(&THEIRS);
}

/// A proxy returns "not found" once for each GET of the creation.
#[test]
fn acc_stale_not_found_lets_no_other_state_overwrite_what_was_acknowledged() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let owner = scene.workspace(SECRET);
    owner.settled(&[]);
    let id = text(&owner.secret("db"), "id");
    let record = record_of(&scene.records(), "db");
    let server = scene.openbao().unwrap();
    let proxy = FaultProxy::start(&ProxyOptions::to(server.address())).unwrap();
    let platform = format!(
        "openbao = {{ address = {:?}, token = {:?} }}",
        proxy.address(),
        server.root_token()
    );
    let other = scene.workspace(SECRET);
    other
        .write("provider.tf", &provider_block(&platform, ""))
        .unwrap();
    let reads = |part: &str| Match::method("GET").and(Match::path(part));
    for lie in [
        // The record of the name, and the organization's.
        reads("/planton/data/catalog/acme/secrets/"),
        reads("/planton/data/catalog/acme/organization"),
    ] {
        proxy.fail(Fault::status(404).on(lie));
        has(&other.fails(&THEIRS), &["Secret Already Exists"]);
        other.destroyed(&THEIRS);
        assert_eq!(record_of(&scene.records(), "db"), record);
        assert_eq!(scene.open(&id).text.unwrap(), "the owner's");
        // The superfluous put was deleted.
        assert_eq!(scene.objects().len(), 1, "{:?}", scene.objects());
    }
    // The owner's refresh does not accept the wrong "not found" either.
    owner
        .write("provider.tf", &provider_block(&platform, ""))
        .unwrap();
    for lie in [
        reads("/planton/data/catalog/acme/secrets/"),
        reads("/planton/metadata/planton/acme/"),
        reads("/planton/data/planton/acme/"),
    ] {
        proxy.fail(Fault::status(404).on(lie));
        owner.applied(&[]);
        assert_eq!(record_of(&scene.records(), "db"), record);
    }
    owner.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
