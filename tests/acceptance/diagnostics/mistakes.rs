//! Tests everyday mistakes around the provider. Each one has a clear error, ends at once,
//! and leaves nothing behind.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use xtask::terraform::Workspace;

use crate::scene::{ORGANIZATION, PROVIDER, Scene, provider_block, with_every_terraform};
use crate::steps::{Steps, flat, has};

with_every_terraform!(
    acc_path_that_only_a_shell_expands_is_refused,
    acc_pipe_in_the_place_of_a_file_is_refused_at_once,
    acc_value_that_is_no_text_is_said_to_be_none,
    acc_page_of_a_proxy_at_login_is_said_to_be_one,
    acc_organization_under_another_name_is_told_apart,
    acc_locked_platform_is_waited_for_once,
    acc_full_disk_is_said_to_be_one_and_the_next_apply_goes_on,
);

const SECRET: &str = "resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  generate = {}\n}\n";

fn provider(workspace: &Workspace, platform: &str) {
    workspace
        .write("provider.tf", &provider_block(platform, ""))
        .unwrap();
}

fn acc_path_that_only_a_shell_expands_is_refused(scene: &Scene) {
    let mut workspace = scene.workspace(SECRET);
    provider(&workspace, "embedded = { path = \"~/data\" }");
    let refused = workspace.refused(&[]);
    has(&refused, &["Invalid Path", "pathexpand(\"~/…\")"]);
    provider(&workspace, "embedded = {}");
    workspace.env("PLANTON_DATA_DIR", "~/data");
    let refused = workspace.refused(&[]);
    has(
        &refused,
        &["Invalid Path", "PLANTON_DATA_DIR", "absolute path"],
    );
    assert!(!workspace.path().join("~").exists());
}

fn pipe(path: &std::path::Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

fn acc_pipe_in_the_place_of_a_file_is_refused_at_once(scene: &Scene) {
    let mut workspace = scene.workspace(SECRET);
    // Opening a pipe without a writer would block forever.
    workspace.bound(Duration::from_secs(60));
    let folder = scene.embedded().unwrap();
    workspace.applied(&[]);
    for file in ["planton.key", "planton.db"] {
        let (path, aside) = (folder.join(file), folder.join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        pipe(&path);
        let refused = workspace.refused(&[]);
        has(&refused, &["Embedded Platform Not Usable", "regular file"]);
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
    workspace.unchanged(&[]);

    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pipe");
    pipe(&path);
    for line in [
        format!("token_file = {path:?}"),
        format!("ca_cert_file = {path:?}\n    token = \"x\""),
        format!("client_cert_file = {path:?}\n    client_key_file = {path:?}\n    token = \"x\""),
        format!("jwt = {{ role = \"x\", token_file = {path:?} }}"),
    ] {
        let platform =
            format!("openbao = {{\n    address = \"http://127.0.0.1:1\"\n    {line}\n  }}");
        provider(&workspace, &platform);
        let refused = workspace.refused(&[]);
        has(&refused, &["regular file"]);
    }
}

fn acc_value_that_is_no_text_is_said_to_be_none(scene: &Scene) {
    let bytes = || OsString::from_vec(vec![b'x', 0xff, 0xfe]);
    let value = "variable \"value\" {\n  type = string\n  ephemeral = true\n}\nresource \
                 \"planton_secret\" \"s\" {\n  name = \"s\"\n  value_wo = var.value\n}\n";
    let mut workspace = scene.workspace(value);
    workspace.env("TF_VAR_value", bytes());
    let refused = workspace.refused(&[]);
    has(&refused, &["Value Not Valid Text", "not valid UTF-8"]);
    assert!(!refused.contains("Defect"), "{refused}");

    let mut workspace = scene.workspace(SECRET);
    workspace.env("PLANTON_TOKEN", bytes());
    let refused = workspace.refused(&[]);
    has(
        &refused,
        &["Environment Variable Not Text", "PLANTON_TOKEN"],
    );
    workspace.env_remove("PLANTON_TOKEN");

    let file = workspace.root().join("token");
    std::fs::write(&file, b"x\xff").unwrap();
    let platform =
        format!("openbao = {{ address = \"http://127.0.0.1:1\", token_file = {file:?} }}");
    provider(&workspace, &platform);
    let refused = workspace.fails(&[]);
    has(&refused, &["not text in UTF-8", "token_file"]);
}

/// Starts a server that returns a page for every request. Returns its address.
fn proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let page = "<html><body>Please log in to the network</body></html>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: \
                 close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    address
}

fn acc_page_of_a_proxy_at_login_is_said_to_be_one(scene: &Scene) {
    let address = proxy();
    for login in [
        "approle = { role_id = \"x\", secret_id = \"hunter2\" }",
        "jwt = { role = \"x\", token = \"hunter2\" }",
        "token = \"hunter2\"",
    ] {
        let workspace = scene.workspace(SECRET);
        let platform = format!("openbao = {{\n    address = {address:?}\n    {login}\n  }}");
        provider(&workspace, &platform);
        let refused = workspace.fails(&[]);
        has(&refused, &["Unexpected Response", "proxy", "text/html"]);
        assert!(!refused.contains("backup"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

fn acc_organization_under_another_name_is_told_apart(scene: &Scene) {
    let backend = "resource \"planton_secret_backend\" \"aws\" {\n  name = \"aws\"\n  \
                   verify_connection = false\n  aws_secrets_manager = { region = \"eu-central-1\" \
                   }\n}\n";
    let default = "resource \"planton_default_backend\" \"this\" {\n  backend = \"aws\"\n}\n";
    let workspace = scene.workspace(backend);
    workspace.applied(&[]);
    workspace.write("default.tf", default).unwrap();
    workspace.settled(&[]);
    let other = scene
        .provider("")
        .replace(&format!("{ORGANIZATION:?}"), "\"acme-inc\"");
    workspace.write("provider.tf", &other).unwrap();
    let refused = workspace.refused(&[]);
    assert_eq!(
        refused.matches("Different Organization").count(),
        2,
        "{refused}"
    );
    has(
        &refused,
        &["\"acme\"", "\"acme-inc\"", "terraform state rm"],
    );
    workspace.write("provider.tf", &scene.provider("")).unwrap();
    workspace.unchanged(&[]);
}

fn acc_locked_platform_is_waited_for_once(scene: &Scene) {
    let many = "resource \"planton_secret\" \"s\" {\n  count = 6\n  name = \"s${count.index}\"\n  \
                generate = {}\n}\n";
    let first = "resource \"planton_secret\" \"first\" {\n  name = \"first\"\n  generate = {}\n}\n";
    let workspace = scene.workspace(first);
    workspace.applied(&[]);
    workspace.write("more.tf", many).unwrap();
    let database = scene.embedded().unwrap().join("planton.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let outcome = workspace.apply_with(&[], &["-parallelism=1"]).unwrap();
    let told = flat(&outcome.error().unwrap());
    // One call waits for 15 s, so six would take a minute and a half.
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        told.matches("keeps the database locked").count(),
        6,
        "{told}"
    );
    connection.execute_batch("ROLLBACK").unwrap();
    workspace.applied(&[]);
}

/// Limits the files that the provider writes to `blocks` of 512 bytes each, like a full
/// disk or a used-up quota.
fn limited(workspace: &Workspace, blocks: u64) -> std::path::PathBuf {
    let script = workspace.root().join("limited");
    // Terraform's own files have no limit. Without the trap, the signal would end the
    // process before its write fails.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f {blocks}\nexec {PROVIDER:?} \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    script
}

fn acc_full_disk_is_said_to_be_one_and_the_next_apply_goes_on(scene: &Scene) {
    let many = "variable \"amount\" { type = number }\nresource \"planton_secret\" \"s\" {\n  count \
                = var.amount\n  name = \"s${count.index}\"\n  value_wo = \"value \
                ${count.index}\"\n  value_wo_version = \"1\"\n}\n";
    let roomy = scene.workspace(many);
    roomy.applied(&[("amount", "2")]);
    let folder = scene.embedded().unwrap();
    let database = folder.join("planton.db").metadata().unwrap().len();

    // Enough space for some of them.
    let script = limited(&roomy, database / 512 + 64);
    let full = Workspace::new(scene.terraform(), &script).unwrap();
    full.write("provider.tf", &scene.provider("")).unwrap();
    full.write("main.tf", many).unwrap();
    let state = roomy.state_text().unwrap();
    full.write("terraform.tfstate", &state).unwrap();
    let told = full.fails(&[("amount", "60")]);
    has(&told, &["Platform Unavailable", "disk is full", "quota"]);
    for wrong in ["Corrupt", "Altered", "Defect", "backup"] {
        assert!(!told.contains(wrong), "{wrong}: {told}");
    }

    // With enough space, the same state continues, and all of them exist.
    let state = full.state_text().unwrap();
    roomy.write("terraform.tfstate", &state).unwrap();
    roomy.settled(&[("amount", "60")]);
    let read = scene.read(&["s0", "s59"]);
    assert_eq!(read["s0"], "value 0");
    assert_eq!(read["s59"], "value 59");
    // Objects that were put, and that could be neither committed nor deleted on the full
    // disk, are sealed, and no record names them. There is at most one for each
    // concurrent operation.
    let objects = scene.objects().len();
    assert!((60..=70).contains(&objects), "{objects}");
    roomy.destroyed(&[("amount", "60")]);
}
