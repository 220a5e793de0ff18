//! Progress of a command on a terminal and elsewhere.

use std::process::{Command, Stdio};

use super::{Pins, told};
use crate::scene::{PROVIDER, Scene};
use crate::steps::{flat, has};

/// Runs a command on a terminal, and returns what it writes there.
fn on_terminal(scene: &Scene, pins: &Pins, arguments: &[&str]) -> String {
    let python = std::env::var_os("PLANTON_TEST_PYTHON").unwrap();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/acceptance/operator/terminal.py"
    );
    let mut command = Command::new(python);
    command.args(["-B", script, PROVIDER]).args(arguments);
    command.env("PLANTON_ORG", "acme").env("TERM", "xterm");
    command.envs(scene.environment()).envs(pins.variables());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A terminal gets a bar, which is gone at the end, and anything else gets lines.
pub(super) fn expect_progress(scene: &Scene, pins: &Pins) {
    let verify = ["verify", "--backend", "platform"];
    let rewrap = ["rewrap", "--backend", "platform"];
    let gc = ["gc", "--backend", "platform"];
    for (command, what, unit) in [
        (&verify, "verify", "secrets"),
        (&rewrap, "platform", "secrets"),
        (&gc, "gc of platform", "records and objects"),
    ] {
        let line = format!("{what}: 1 of 1 {unit}");
        let printed = pins.run(scene, command);
        told(&printed, 0);
        let printed = [printed.stderr, printed.stdout].map(|it| String::from_utf8(it).unwrap());
        assert!(
            printed[0].lines().any(|printed| printed == line),
            "{printed:?}"
        );
        let shown = on_terminal(scene, pins, command);
        assert!(!shown.contains(&line), "{shown:?}");
        let (bar, after) = shown.rsplit_once("\u{1b}[2K").unwrap();
        has(bar, &[&format!("{what} [======"), "] 1/1"]);
        assert!(!after.contains('\u{1b}'), "{shown:?}");
        assert_eq!(flat(after), flat(&printed[1]));
        assert!(!printed.concat().contains('\u{1b}'), "{printed:?}");
    }
}
