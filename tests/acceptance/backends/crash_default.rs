//! Kills the provider before each step of the default backend.

use super::Place;
use super::configuration::{VARIABLES, backend, default};
use crate::crash::{apply_killed, resumed};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::{Steps, has};

pub(super) const SET_DEFAULT: [&str; 3] = [
    "set default backend",
    "commit default backend",
    "clear default backend",
];
pub(super) const UNSET_DEFAULT: &str = "unset default backend";

/// Kills before each step of a default, which consists of catalog records only.
#[test]
fn acc_default_backend_survives_a_kill_before_each_of_its_steps() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let mut workspace = place.workspace(&scene);
    let variables = [("backend_secret", place.secret.as_str())];
    let with = |parts: &[String]| [VARIABLES, &backend(&place, "own"), &parts.concat()].concat();
    let own = default("planton_secret_backend.own.name");
    let platform = default("\"platform\"");
    let observer = place.workspace(&scene);
    observer
        .write(
            "main.tf",
            "data \"planton_default_backend\" \"now\" {}\noutput \"now\" {\n  value = \
             data.planton_default_backend.now.backend\n}\n",
        )
        .unwrap();
    let in_force = || {
        observer.applied(&[]);
        observer.output("now").as_str().unwrap().to_owned()
    };
    workspace.write("main.tf", &with(&[])).unwrap();
    workspace.settled(&variables);
    let mut is_first = true;
    for step in SET_DEFAULT {
        // Creates, changes, changes back, and destroys the default.
        for (parts, before, after) in [
            (&[own.clone()][..], "platform", "own"),
            (std::slice::from_ref(&platform), "own", "platform"),
            (std::slice::from_ref(&own), "platform", "own"),
            (&[], "own", "platform"),
        ] {
            workspace.write("main.tf", &with(parts)).unwrap();
            let is_unset = parts.is_empty();
            let step = match step {
                "set default backend" if is_unset => UNSET_DEFAULT,
                step => step,
            };
            apply_killed(&mut workspace, step, &variables);
            let is_committed = step == "clear default backend";
            let expected = if is_committed { after } else { before };
            assert_eq!(in_force(), expected, "{step}");
            if is_committed && before == "platform" && is_first {
                let told = workspace.fails(&variables);
                has(&told, &["Default Backend Already Set"]);
                workspace.env("PLANTON_RESUME", resumed(&told));
                workspace.applied(&variables);
                workspace.env_remove("PLANTON_RESUME");
            }
            is_first = is_unset;
            workspace.settled(&variables);
            assert_eq!(in_force(), after, "{step}");
        }
    }
    // Nothing prevents the destroy.
    workspace.destroyed(&variables);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
