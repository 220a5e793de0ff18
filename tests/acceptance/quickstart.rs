//! The first configuration in the documentation works unchanged.

use xtask::canary::Canary;

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage};
use crate::steps::{Steps, text};

on_every_stage!(acc_quickstart_runs_unchanged_on_any_platform);

const QUICKSTART: &str = include_str!("../../examples/quickstart/main.tf");

fn acc_quickstart_runs_unchanged_on_any_platform(scene: &Scene) {
    let mut workspace = scene.bare_workspace();
    for (name, value) in scene.environment() {
        workspace.env(name, value);
    }
    workspace.write("main.tf", QUICKSTART).unwrap();
    let [first, second] = ["the first password", "the second password"].map(Canary::new);
    workspace.settled(&[("database_password", first.value())]);
    let rotate = [("database_password", second.value()), ("rotation", "2")];
    workspace.settled(&rotate);
    assert_eq!(workspace.output("database_version"), 2);
    for name in ["database", "copy"] {
        let id = text(&workspace.secret(name), "id");
        assert_eq!(scene.open(&id), Opened::text(2, second.value()), "{name}");
    }
    assert_eq!(workspace.secret("session_key")["version"], 1);

    // The three lines in it have the same effect as the variable.
    if let Some(server) = scene.openbao() {
        let mut shown = QUICKSTART.to_owned();
        for line in [
            "openbao = {",
            "  address = \"https://openbao.example.com:8200\"",
            "}",
        ] {
            let comment = format!("  # {line}\n");
            assert!(shown.contains(&comment), "{comment}");
            shown = shown.replace(&comment, &format!("  {line}\n"));
        }
        let shown = shown.replace("https://openbao.example.com:8200", server.address());
        workspace.write("main.tf", &shown).unwrap();
        workspace.env_remove("PLANTON_ADDR");
        workspace.unchanged(&rotate);
    }
    workspace.destroyed(&rotate);
    assert_eq!(scene.objects(), [""; 0]);
    for password in [first, second] {
        password.absent_below(workspace.root()).unwrap();
    }
}
