//! Changes the backend of a secret, which replaces the secret.

use std::cell::{Cell, RefCell};

use super::configuration::{VARIABLES, backend, secret};
use super::{Place, at_every_place};
use crate::scene::Scene;
use crate::steps::{Steps, has, text};

at_every_place!(acc_secret_moves_to_another_backend_by_a_replacement);

/// The types that also test a move between two registered backends, which is independent
/// of the vendor.
const BETWEEN_OWN: [&str; 2] = ["openbao", "aws_secrets_manager"];

const PLATFORM: &str = "\"platform\"";
const OWN: &str = "planton_secret_backend.own.name";
const OTHER: &str = "planton_secret_backend.other.name";

fn acc_secret_moves_to_another_backend_by_a_replacement(scene: &Scene, place: Place) {
    let credential = place.secret.clone();
    let variables = [("backend_secret", credential.as_str())];
    let workspace = place.workspace(scene);
    let own = backend(&place, "own");
    let other = backend(&place, "other").replace(
        "name = \"other\"",
        "name = \"other\"\n  name_prefix = \"other\"",
    );
    let both = format!("{own}{other}");
    let on = |backends: &str, backend: &str, more: &str| {
        let db = secret("db", &format!("backend = {backend}\n  {more}"));
        let whole = [VARIABLES, backends, &db].concat();
        workspace.write("main.tf", &whole).unwrap();
    };
    on(&own, PLATFORM, "");
    workspace.settled(&variables);
    let id = RefCell::new(text(&workspace.secret("db"), "id"));
    let revision = Cell::new(0);
    // Checks that another secret exists on the backend `name`, and that the former one is
    // gone.
    let moved = |name: &str, here: Option<&str>| {
        let now = workspace.secret("db");
        assert_eq!(text(&now, "backend"), name);
        assert_ne!(text(&now, "id"), *id.borrow(), "{name}");
        id.replace(text(&now, "id"));
        let grown = now["revision"].as_u64().unwrap();
        assert!(grown > revision.replace(grown), "{name}");
        assert_eq!(place.read(scene, "db"), "first value", "{name}");
        let secrets = place.secrets();
        match here {
            None => assert_eq!(secrets, [""; 0], "{name}"),
            Some(prefix) => {
                assert_eq!(secrets.len(), 1, "{name}: {secrets:?}");
                assert!(secrets[0].starts_with(prefix), "{name}: {secrets:?}");
            }
        }
        let on_platform = scene.objects();
        assert_eq!(on_platform.is_empty(), here.is_some(), "{on_platform:?}");
    };

    on(&own, OWN, "");
    let planned = workspace.changes(&variables);
    has(
        &planned,
        &["must be replaced", "1 to add, 0 to change, 1 to destroy"],
    );
    workspace.settled(&variables);
    moved("own", Some("planton"));

    // With `create_before_destroy`, the name passes to the new secret only with
    // `takes_over`.
    let first = "lifecycle {\n    create_before_destroy = true\n  }";
    let consent = || format!("takes_over = {:?}\n  {first}", id.borrow());
    on(&own, PLATFORM, first);
    let refused = workspace.fails(&variables);
    let needed = format!("takes_over = {:?}", id.borrow());
    has(&refused, &["Secret Already Exists", &needed]);
    on(&own, PLATFORM, &consent());
    workspace.settled(&variables);
    moved("platform", None);

    if BETWEEN_OWN.contains(&place.block_name) {
        on(&both, OWN, &consent());
        workspace.settled(&variables);
        moved("own", Some("planton"));
        on(&both, OTHER, "");
        workspace.settled(&variables);
        moved("other", Some("other"));
        on(&both, OWN, first);
        let refused = workspace.fails(&variables);
        let needed = format!("takes_over = {:?}", id.borrow());
        has(&refused, &["Secret Already Exists", &needed]);
        on(&both, OWN, &consent());
        workspace.settled(&variables);
        moved("own", Some("planton"));
        on(&own, PLATFORM, "");
        workspace.settled(&variables);
        moved("platform", None);
    }

    // With deletion protection, the replacement fails.
    let protected = "deletion_protection = true";
    on(&own, PLATFORM, protected);
    workspace.settled(&variables);
    on(&own, OWN, protected);
    has(
        &workspace.refused(&variables),
        &["Secret Deletion Protected"],
    );

    on(&own, PLATFORM, "");
    workspace.applied(&variables);
    workspace.destroyed(&variables);
    place.assert_empty();
}
