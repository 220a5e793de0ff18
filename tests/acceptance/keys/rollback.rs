//! An older record of the organization, with its valid MAC, that names a removed escrow key.

use super::{RECIPIENT, backend};
use crate::backends::Place;
use crate::backends::configuration::{VARIABLES, default, secret};
use crate::operator::Pins;
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, has};

/// Returns the providers of the keys that wrapped the newest version of `name`.
fn wrapped_for(scene: &Scene, name: &str) -> Vec<String> {
    let record = record_of(&scene.records(), name);
    let versions = record["versions"].as_array().unwrap();
    let keks = versions.last().unwrap()["keks"].as_array().unwrap();
    let providers = keks.iter().map(|kek| kek["provider"].as_str().unwrap());
    providers.map(str::to_owned).collect()
}

#[test]
fn acc_removed_escrow_recipient_brought_back_by_an_older_record_wraps_nothing() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let place = Place::toy_folder();
    let workspace = place.workspace(&scene);
    let write = |description: &str, by_default: &str| {
        let own = backend(&place, &format!("description = {description:?}"));
        let db = secret("db", "backend = \"platform\"");
        let parts = [VARIABLES, &own, &default(by_default), &db];
        workspace.write("main.tf", &parts.concat()).unwrap();
    };
    let own = "planton_secret_backend.own.name";
    let at = |rotation: &'static str| {
        [
            ("backend_secret", place.secret.clone()),
            ("rotation", rotation.to_owned()),
        ]
    };
    fn all<'a>(variables: &'a [(&'static str, String); 2]) -> [(&'a str, &'a str); 2] {
        let [one, other] = variables;
        [(one.0, &one.1), (other.0, &other.1)]
    }

    // The organization has an escrow key, and gives it up.
    Pins::initialized(&scene, &["--escrow", &format!("age:{RECIPIENT}")]);
    write("first", own);
    workspace.settled(&all(&at("1")));
    assert_eq!(wrapped_for(&scene, "db"), ["transit", "age"]);
    let older = scene.take_organization();
    scene.put_organization(&older);
    let pins = Pins::of(&scene);
    let id = pins.key("age:");
    pins.done(&scene, &["platform", "escrow", "remove", &id]);
    write("second", own);
    workspace.settled(&all(&at("2")));
    assert_eq!(wrapped_for(&scene, "db"), ["transit"]);

    let newer = scene.take_organization();
    scene.put_organization(&older);
    let before = (scene.objects(), place.objects());
    // A refresh wraps nothing, so a plan works.
    workspace.unchanged(&all(&at("2")));
    write("third", "\"platform\"");
    let text = workspace.fails(&all(&at("3")));
    has(
        &text,
        &[
            "Organization Rolled Back",
            "names other escrow keys",
            "platform accept-rollback",
        ],
    );
    for address in [
        "planton_secret.db",
        "planton_secret_backend.own",
        "planton_default_backend.this",
    ] {
        let told = format!("with {address}");
        assert!(text.contains(&told), "{address}: {text}");
    }
    assert_eq!((scene.objects(), place.objects()), before);

    // A process that knows nothing is exposed: only `allowed_key_ids` protects it.
    let fresh = place.workspace(&scene);
    let other = secret("other", "backend = \"platform\"");
    let configuration = [VARIABLES, &other].concat();
    fresh.write("main.tf", &configuration).unwrap();
    fresh.settled(&all(&at("1")));
    assert_eq!(wrapped_for(&scene, "other"), ["transit", "age"]);

    scene.take_organization();
    scene.put_organization(&newer);
    workspace.settled(&all(&at("3")));
    assert_eq!(wrapped_for(&scene, "db"), ["transit"]);

    // A destroy wraps nothing, so an older record does not block it.
    scene.take_organization();
    scene.put_organization(&older);
    workspace.destroyed(&all(&at("3")));
}
