//! Tests a platform that does not respond. An interrupt and the deadline end every call
//! on a backend or the default, and those of data sources and ephemeral resources.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use xtask::terraform::Workspace;

use super::Place;
use super::configuration::VARIABLES;
use crate::scene::{On, Scene, provider_block, terraform_1_11, terraform_1_15};
use crate::steps::{flat, has};

/// The time limit of an interrupted run: less than the timeout of one request, and far
/// less than all retries.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The time limit of waiting for the first request.
const BOUND: Duration = Duration::from_secs(60);

const OWN: &str = "resource \"planton_default_backend\" \"this\" {\n  backend = \"platform\"\n  \
                   timeouts = { read = \"READ\", create = \"READ\" }\n}\nresource \
                   \"planton_secret_backend\" \"own\" {\n  name = \"own\"\n  timeouts = { read = \
                   \"READ\", create = \"READ\" }\n";

/// The behavior of a silent server on a connection.
#[derive(Clone, Copy)]
enum Silence {
    /// The connection stays open without a response.
    Held,
    /// The connection is closed at once, so the provider retries.
    Closed,
}

/// A server that never responds, and reports each connection.
struct Silent {
    address: String,
    connected: Receiver<()>,
}

impl Silent {
    fn start(silence: Silence) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (told, connected) = channel();
        thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                match silence {
                    Silence::Held => held.push(stream.unwrap()),
                    Silence::Closed => drop(stream),
                }
                if told.send(()).is_err() {
                    return;
                }
            }
        });
        Self { address, connected }
    }

    fn provider(&self) -> String {
        let platform = format!(
            "openbao = {{ address = {:?}, token = \"none\" }}",
            self.address
        );
        provider_block(&platform, "")
    }
}

/// Interrupts a run after its first request to a new silent platform, and returns its
/// diagnostics.
fn interrupted(workspace: &Workspace, silence: Silence, arguments: &[&str]) -> String {
    let silent = Silent::start(silence);
    workspace.write("provider.tf", &silent.provider()).unwrap();
    let command = [arguments, &["-no-color", "-input=false"]].concat();
    let run = workspace.spawn(&command, &[]).unwrap();
    silent.connected.recv_timeout(BOUND).unwrap();
    let asked = Instant::now();
    run.running.signal(Signal::INT).unwrap();
    let outcome = run.wait().unwrap();
    assert!(
        asked.elapsed() < AT_ONCE,
        "{arguments:?}: {:?}",
        asked.elapsed()
    );
    flat(&outcome.diagnostics())
}

fn written(scene: &Scene, place: &Place, limit: &str) -> Workspace {
    let workspace = place.workspace(scene);
    let whole = format!(
        "{VARIABLES}{}{}}}\n",
        OWN.replace("READ", limit),
        place.block()
    );
    workspace.write("main.tf", &whole).unwrap();
    let given = [("backend_secret", place.secret.as_str())];
    workspace.apply(&given).unwrap().ok().unwrap();
    workspace
}

const DATA: &str = r#"
data "planton_default_backend" "now" {}
"#;
const DATA_BACKEND: &str = "data \"planton_secret_backend\" \"own\" { name = \"own\" }\n";
const DATA_SECRET: &str = "data \"planton_secret\" \"s\" { name = \"s\" }\n";
const EPHEMERAL: &str = "ephemeral \"planton_secret\" \"s\" { name = \"s\" }\n";

#[test]
fn acc_interrupt_ends_every_call_that_waits_for_the_platform() {
    for (terraform, silence) in [
        (terraform_1_11(), Silence::Held),
        (terraform_1_15(), Silence::Closed),
    ] {
        let scene = Scene::new(&terraform, On::OpenBao);
        let place = Place::openbao();
        let workspace = written(&scene, &place, "3m");
        // The plan within an apply continues until its calls end: Terraform passes an
        // interrupt to the provider only in a plan and in the apply's own walk.
        for arguments in [&["plan"][..], &["plan", "-destroy"], &["refresh"]] {
            let told = interrupted(&workspace, silence, arguments);
            has(&told, &["Operation Cancelled"]);
        }

        for reading in [DATA, DATA_BACKEND, DATA_SECRET, EPHEMERAL] {
            let workspace = scene.workspace(reading);
            let told = interrupted(&workspace, silence, &["plan"]);
            has(&told, &["Operation Cancelled"]);
        }
        let resources = format!(
            "{VARIABLES}{}{}}}\n",
            OWN.replace("READ", "3m"),
            place.block()
        );
        let (default, backend) = resources
            .split_once("resource \"planton_secret_backend\"")
            .unwrap();
        let backend = format!("{VARIABLES}resource \"planton_secret_backend\"{backend}");
        for (resource, to, id) in [
            (backend.as_str(), "planton_secret_backend.own", "own"),
            (default, "planton_default_backend.this", "acme"),
        ] {
            let import = format!("import {{\n  to = {to}\n  id = {id:?}\n}}\n");
            let workspace = scene.workspace(&format!("{resource}{import}"));
            let told = interrupted(&workspace, silence, &["plan"]);
            has(&told, &["Operation Cancelled"]);
        }
    }
}

/// A creation finishes its current request, and sends no other.
#[test]
fn acc_interrupt_ends_creations_between_their_requests() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        for declared in [
            "resource \"planton_default_backend\" \"this\" {\n  backend = \"platform\"\n}\n",
            "resource \"planton_secret_backend\" \"own\" {\n  name = \"own\"\n  openbao = { \
             address = \"http://127.0.0.1:1\", token_wo = \"x\" }\n}\n",
            "resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  backend = \"platform\"\n  \
             generate = {}\n}\n",
        ] {
            let workspace = scene.workspace(declared);
            let apply = ["apply", "-auto-approve"];
            let told = interrupted(&workspace, Silence::Closed, &apply);
            has(&told, &["Operation Cancelled"]);
        }
    }
}

/// The deadlines in a `timeouts` block bound reads and creations, including retries.
#[test]
fn acc_limits_bound_every_call_that_waits_for_the_platform() {
    // With a closed connection, the error reports the platform, not the deadline.
    for (terraform, silence, why) in [
        (terraform_1_11(), Silence::Closed, "Platform Unavailable"),
        (terraform_1_15(), Silence::Held, "Operation Timed Out"),
    ] {
        let scene = Scene::new(&terraform, On::OpenBao);
        let place = Place::openbao();
        let workspace = written(&scene, &place, "2s");
        let silent = Silent::start(silence);
        workspace.write("provider.tf", &silent.provider()).unwrap();
        let started = Instant::now();
        let told = flat(&workspace.plan(&[]).unwrap().error().unwrap());
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        assert_eq!(told.matches(why).count(), 2, "{told}");

        let silent = Silent::start(Silence::Closed);
        let new = scene.workspace(&OWN.replace("READ", "2s").replace(
            "  name = \"own\"\n",
            "  name = \"own\"\n  openbao = { address = \"http://127.0.0.1:1\", token_wo = \"x\" \
             }\n",
        ));
        let closed = new.path().join("main.tf");
        let whole = std::fs::read_to_string(&closed).unwrap();
        new.write("main.tf", &format!("{whole}}}\n")).unwrap();
        new.write("provider.tf", &silent.provider()).unwrap();
        let started = Instant::now();
        let told = flat(&new.apply(&[]).unwrap().error().unwrap());
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        assert_eq!(told.matches("Platform Unavailable").count(), 2, "{told}");
    }
}
