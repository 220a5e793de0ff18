//! Rotation of the organization's keys, and what remains under their former versions.

use planton_vendors::openbao::client::{PolicyRole, policy_text};
use serde_json::json;

use super::{Pins, SECRET, VALUE, json as json_of, run, told};
use crate::policies::{scope, token_of};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

/// Checks how often the server rotates the keys that the provider has created, and that
/// `platform status` says it.
pub(super) fn expect_rotation(scene: &Scene, days: u64) {
    let status = told(&run(scene, &["platform", "status"], &[]), 0);
    let Some(server) = scene.openbao() else {
        has(&status, &["main key, rotates when somebody rotates it"]);
        return;
    };
    let line = format!("main key, version 1, rotates every {days} days");
    has(&status, &[&line, "key of the catalog's MAC key, version 1"]);
    for key in ["planton-acme", "planton-acme.mac"] {
        let key = server.api().ok("GET", &format!("transit/keys/{key}"), None);
        let period = &key.unwrap()["data"]["auto_rotate_period"];
        assert_eq!(*period, days * 24 * 60 * 60);
    }
}

#[test]
fn acc_rewrap_with_the_apply_policy_moves_the_mac_key_and_everything_opens() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let workspace = scene.workspace(SECRET);
    let provider = scene.provider("");
    let of_block = provider.replace("token =", "key_rotation_period = \"1440h\", token =");
    assert_ne!(of_block, provider);
    workspace.write("provider.tf", &of_block).unwrap();
    workspace.settled(&[]);
    expect_rotation(&scene, 60);
    let server = scene.openbao().unwrap();
    let api = server.api();
    let policy = policy_text(&scope("acme"), PolicyRole::Apply);
    let token = token_of(api, "apply", &policy);
    for key in ["planton-acme", "planton-acme.mac"] {
        api.ok(
            "POST",
            &format!("transit/keys/{key}/rotate"),
            Some(&json!({})),
        )
        .unwrap();
    }
    let pins = Pins::of(&scene);
    let mut variables = pins.variables().to_vec();
    variables.push(("PLANTON_TOKEN", &token));
    let due = || {
        let status = json_of(&run(&scene, &["platform", "status", "--json"], &variables));
        let mac = status["keys"].as_array().unwrap().iter();
        let mut mac = mac.filter(|key| key["role"] == "mac");
        mac.next().unwrap()["rewrap_due"].clone()
    };
    assert_eq!(due(), true);
    let done = json_of(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(done["records"]["mac_key_rewrapped"], true, "{done}");
    assert_eq!(due(), false);
    assert_eq!(done["backends"][0]["rewrapped"], 1, "{done}");

    // Nothing is under the former versions, which may now be retired for good.
    for key in ["planton-acme", "planton-acme.mac"] {
        let config = json!({"min_decryption_version": 2});
        api.ok("POST", &format!("transit/keys/{key}/config"), Some(&config))
            .unwrap();
    }
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    workspace.unchanged(&[]);
    // While every version is retired, a refresh works, and an error names the remedy.
    let retire = |least: u64| {
        let config = json!({"min_decryption_version": least});
        api.ok("POST", "transit/keys/planton-acme/config", Some(&config))
            .unwrap();
    };
    let rotate = "transit/keys/planton-acme/rotate";
    api.ok("POST", rotate, Some(&json!({}))).unwrap();
    retire(3);
    workspace.unchanged(&[]);
    let reader = scene.workspace("ephemeral \"planton_secret\" \"db\" {\n  name = \"db\"\n}\n");
    let text = reader.fails(&[]);
    has(
        &text,
        &["Encryption Key Disabled", "min_decryption_version"],
    );
    retire(2);
    assert_eq!(scene.read(&["db"])["db"], VALUE);
    let moved = json_of(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(moved["backends"][0]["rewrapped"], 1, "{moved}");
    let again = json_of(&run(&scene, &["rewrap", "--json"], &variables));
    assert_eq!(again["records"]["mac_key_rewrapped"], false, "{again}");
    assert_eq!(again["backends"][0]["rewrapped"], 0, "{again}");
}
