//! Tests responses that do not come from the vendor: a success without a body, and a page
//! of a proxy.

use xtask::faults::{Fault, Match};

use super::faults::workspace;
use super::{Place, at_every_server};
use crate::scene::Scene;
use crate::steps::{Steps, flat, has};

at_every_server!(
    acc_deletions_that_are_answered_without_a_body_are_done,
    acc_page_in_place_of_an_answer_is_told_as_such,
);

const SECRET: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}

resource "planton_secret" "s" {
  name             = "s"
  backend          = planton_secret_backend.own.name
  value_wo         = "value"
  value_wo_version = "1"
}
"#;

fn acc_deletions_that_are_answered_without_a_body_are_done(scene: &Scene, place: Place) {
    let place = place.behind_a_proxy();
    let workspace = workspace(scene, &place, &place.block(), SECRET);
    let credential = place.secret.clone();
    let given = [("backend_secret", credential.as_str())];
    let proxy = place.proxy();
    let bodiless = |deletions: Match| proxy.fail(Fault::answer_in_place(204).on(deletions));
    bodiless(place.deletes_in("probe", "own"));
    workspace.settled(&given);
    bodiless(place.deletes_in("org", "s"));
    bodiless(place.deletes_in("backend", "own"));
    workspace.destroyed(&given);
    assert_eq!(proxy.unused_faults(), [""; 0]);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

fn acc_page_in_place_of_an_answer_is_told_as_such(scene: &Scene, place: Place) {
    let place = place.behind_a_proxy();
    let workspace = workspace(scene, &place, &place.block(), SECRET);
    let credential = place.secret.clone();
    let given = [("backend_secret", credential.as_str())];
    let proxy = place.proxy();
    let page = || {
        Fault::status(200)
            .with_header("content-type", "text/html; charset=utf-8")
            .with_body("<html>Welcome to our network</html>")
    };
    let expect_page = |what: &str, told: &str| {
        let told = flat(told);
        has(
            &told,
            &[
                "Unexpected Response",
                "returned status 200 with content type text/html",
                "proxy or gateway",
                "127.0.0.1:",
            ],
        );
        for wrong in ["Corrupt", "value_wo_version", "who can write", "Welcome"] {
            assert!(!told.contains(wrong), "{what}: {told}");
        }
    };
    // In a declaration, without any secret.
    proxy.fail(page().on(place.puts_in("probe", "own")));
    let told = workspace.apply(&given).unwrap().error().unwrap();
    expect_page("registration", &told);
    // The provider checks for a test object and removes it, or the next try finds it.
    proxy.forget();
    workspace.settled(&given);
    // In a refresh. The secret counts neither as gone nor as changed.
    proxy.fail(page().on(place.looks_of("s")));
    let told = workspace.plan(&given).unwrap().error().unwrap();
    expect_page("refresh", &told);
    workspace.unchanged(&given);
    assert_eq!(proxy.unused_faults(), [""; 0]);
}
