//! Tests the exact number of requests, for each process and for each secret.

use serde_json::json;
use xtask::terraform::Workspace;

use crate::reading::{REQUIRED, Requests, tally};
use crate::scene::{On, Scene, terraform_1_11};

const SECRETS: &str = r#"
variable "number" {
  type = number
}
variable "rotation" {
  default = "1"
}
variable "keep" {
  default = 2
}
resource "planton_secret" "each" {
  count            = var.number
  name             = "of-${var.number}-${count.index}"
  value_wo         = "hunter2"
  value_wo_version = var.rotation
  keep_versions    = var.keep
}
"#;

/// The number of requests of one kind: for the process, and for each secret.
pub(crate) type Cost = (&'static str, usize, usize);

/// Every process that opens the catalog reads it.
pub(crate) const ORGANIZATION: Cost = ("GET organization data 200", 1, 0);
/// Every process that writes or opens a secret unwraps the MAC key.
pub(crate) const MAC_KEY: Cost = ("POST transit decrypt 200", 1, 0);
/// Before a process wraps a key, it reads the KEK's properties.
pub(crate) const KEY: Cost = ("GET transit keys 200", 1, 0);
/// Before a process reports a secret as missing, it writes a fence.
pub(crate) const FENCE: Cost = ("POST fence data 200", 1, 0);

/// Ten refreshes or more list the records, and count and list the versions.
const LISTED: [Cost; 3] = [
    ORGANIZATION,
    ("GET records detailed-metadata 200", 1, 0),
    ("GET version detailed-metadata 200", 2, 0),
];

/// A workspace whose requests are counted.
pub(crate) struct Bench {
    pub(crate) workspace: Workspace,
    requests: Requests,
    number: usize,
}

impl Bench {
    pub(crate) fn new(mut workspace: Workspace, number: usize) -> Self {
        let requests = Requests::of(&mut workspace);
        Self {
            workspace,
            requests,
            number,
        }
    }

    /// Plans with `arguments`, and asserts the requests.
    #[track_caller]
    pub(crate) fn plan(
        &self,
        what: &str,
        variables: &[(&str, &str)],
        arguments: &[&str],
        costs: &[Cost],
    ) {
        let number = self.number.to_string();
        let variables = [&[("number", number.as_str())], variables].concat();
        let planned = self.workspace.plan_with(&variables, arguments).unwrap();
        assert!(
            matches!(planned.outcome().code(), Some(0 | 2)),
            "{planned:?}"
        );
        self.assert(what, costs);
    }

    /// Plans ten secrets or more, and asserts that they were listed. How many are asked for
    /// singly before the tenth depends on the host.
    #[track_caller]
    fn plan_listed(&self, what: &str, variables: &[(&str, &str)], arguments: &[&str]) {
        let number = self.number.to_string();
        let variables = [&[("number", number.as_str())], variables].concat();
        let planned = self.workspace.plan_with(&variables, arguments).unwrap();
        assert!(
            matches!(planned.outcome().code(), Some(0 | 2)),
            "{planned:?}"
        );
        let requests = self.requests.take();
        let sent = tally(&requests);
        let of = |kind| sent.iter().find(|(other, _)| *other == kind);
        let singly = of("GET record data 200").map_or(0, |(_, singly)| *singly);
        assert!(singly < 10, "{what}: {sent:?}");
        let each = [
            ("GET record data 200", singly),
            ("GET version metadata 200", singly),
        ];
        let listed = LISTED.map(|(kind, number, _)| (kind, number));
        let mut expected: Vec<_> = listed.into_iter().chain(each).collect();
        expected.retain(|(_, number)| *number > 0);
        expected.sort_unstable();
        assert_eq!(sent, expected, "{what}");
    }

    /// Plans without a request, applies, and asserts the requests.
    #[track_caller]
    pub(crate) fn apply(
        &self,
        what: &str,
        variables: &[(&str, &str)],
        arguments: &[&str],
        costs: &[Cost],
    ) {
        let plan = [&["-out=plan", "-refresh=false"], arguments].concat();
        self.plan(&format!("{what}: plan"), variables, &plan, &[]);
        let applied = self.workspace.run(&["apply", "-no-color", "plan"]).unwrap();
        applied.ok().unwrap();
        self.assert(what, costs);
    }

    /// Forgets the requests so far.
    fn forget(&self) {
        self.requests.take();
    }

    #[track_caller]
    fn assert(&self, what: &str, costs: &[Cost]) {
        let requests = self.requests.take();
        let mut sent = tally(&requests);
        for (kind, fixed, each) in costs.iter().filter(|(kind, ..)| is_batched(kind)) {
            let found = sent.iter_mut().find(|(other, _)| other == kind);
            let (_, count) = found.unwrap_or_else(|| panic!("{what}: no {kind}"));
            let most = fixed + each * self.number;
            // One request carries what concurrent operations wrap or unwrap, at least one for
            // the process and one for all secrets.
            let least = fixed + usize::from(*each > 0);
            assert!((least..=most).contains(count), "{what}: {count} {kind}");
            *count = most;
        }
        let mut expected: Vec<_> = costs
            .iter()
            .map(|(kind, fixed, each)| (*kind, fixed + each * self.number))
            .collect();
        expected.sort_unstable();
        assert_eq!(sent, expected, "{what} with {} secrets", self.number);
        let each: usize = costs.iter().map(|(_, _, each)| each).sum();
        println!(
            "{what}: {each} requests for each of {} secrets",
            self.number
        );
    }
}

/// Returns true for the requests that concurrent operations share: how many share one depends
/// on the host.
fn is_batched(kind: &str) -> bool {
    kind.starts_with("POST transit encrypt") || kind.starts_with("POST transit decrypt")
}

fn warm(scene: &Scene) {
    let first = scene.workspace(
        "resource \"planton_secret\" \"first\" {\n  name = \"first\"\n  generate = {}\n}\n",
    );
    first.apply(&[]).unwrap().ok().unwrap();
}

/// Runs with one secret and with twenty, to separate the requests of the process from
/// those of each secret.
#[test]
fn every_operation_costs_what_is_promised() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    warm(&scene);
    for number in [1, 20] {
        lifecycle(&Bench::new(scene.workspace(SECRETS), number));
    }
}

fn lifecycle(bench: &Bench) {
    // 4: record, wrap, put, commit. A process reads the default backend once, and again
    // behind the fence that it writes before it accepts that none is set.
    bench.apply(
        "create",
        &[],
        &[],
        &[
            ORGANIZATION,
            FENCE,
            MAC_KEY,
            KEY,
            ("GET default backend data 404", 2, 0),
            ("GET record data 404", 0, 1),
            ("POST record data 200", 0, 1),
            ("POST transit encrypt 200", 0, 1),
            ("POST version data 200", 0, 1),
        ],
    );
    // 2: record, metadata of the current version. No key.
    let refresh = [
        ORGANIZATION,
        ("GET record data 200", 0, 1),
        ("GET version metadata 200", 0, 1),
    ];
    if bench.number < 10 {
        bench.plan("refresh", &[], &["-refresh-only"], &refresh);
        bench.plan("plan with a trigger", &[("rotation", "2")], &[], &refresh);
    } else {
        bench.plan_listed("refresh", &[], &["-refresh-only"]);
        bench.plan_listed("plan with a trigger", &[("rotation", "2")], &[]);
    }
    // 4: record, wrap, put, commit.
    let rotate = [
        ORGANIZATION,
        MAC_KEY,
        KEY,
        ("GET record data 200", 0, 1),
        ("POST transit encrypt 200", 0, 1),
        ("POST version data 200", 0, 1),
        ("POST record data 200", 0, 1),
    ];
    bench.apply("rotate", &[("rotation", "2")], &[], &rotate);
    // Each deleted version costs one request more.
    let one_pruned = [&rotate[..], &[("DELETE version metadata 204", 0, 1)]].concat();
    bench.apply(
        "rotate and prune one",
        &[("rotation", "3")],
        &[],
        &one_pruned,
    );
    // 2: record, commit.
    let edit = [
        ORGANIZATION,
        MAC_KEY,
        ("GET record data 200", 0, 1),
        ("POST record data 200", 0, 1),
    ];
    bench.apply("edit", &[("rotation", "3"), ("keep", "3")], &[], &edit);
    bench.apply(
        "rotate and keep three",
        &[("rotation", "4"), ("keep", "3")],
        &[],
        &rotate,
    );
    let edit_pruned = [&edit[..], &[("DELETE version metadata 204", 0, 1)]].concat();
    bench.apply(
        "edit and prune one",
        &[("rotation", "4"), ("keep", "2")],
        &[],
        &edit_pruned,
    );
    let two_pruned = [&rotate[..], &[("DELETE version metadata 204", 0, 2)]].concat();
    bench.apply(
        "rotate and prune two",
        &[("rotation", "5"), ("keep", "1")],
        &[],
        &two_pruned,
    );
    // 5: record, mark, remove its one version, tombstone, forget the history.
    bench.apply(
        "destroy",
        &[("rotation", "5"), ("keep", "1")],
        &["-destroy"],
        &[
            ORGANIZATION,
            MAC_KEY,
            ("GET record data 200", 0, 1),
            ("POST record data 200", 0, 2),
            ("DELETE version metadata 204", 0, 1),
            ("POST record destroy 204", 0, 1),
        ],
    );
}

/// KV has a path for each version, so a deletion sends one more request for each.
#[test]
fn a_destroy_costs_one_request_more_for_each_further_version() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let bench = Bench::new(scene.workspace(SECRETS), 5);
    for rotation in ["1", "2", "3"] {
        let variables = [("number", "5"), ("rotation", rotation), ("keep", "3")];
        bench.workspace.apply(&variables).unwrap().ok().unwrap();
    }
    bench.forget();
    bench.apply(
        "destroy of three versions",
        &[("rotation", "3"), ("keep", "3")],
        &["-destroy"],
        &[
            ORGANIZATION,
            MAC_KEY,
            ("GET record data 200", 0, 1),
            ("POST record data 200", 0, 2),
            ("DELETE version metadata 204", 0, 3),
            ("POST record destroy 204", 0, 1),
        ],
    );
}

#[test]
fn an_ephemeral_read_costs_three_requests() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let made = scene.workspace(SECRETS);
    made.apply(&[("number", "20")]).unwrap().ok().unwrap();
    for number in [1, 20] {
        let bench = Bench::new(
            scene.workspace(
                "variable \"number\" {\n  type = number\n}\nephemeral \"planton_secret\" \"each\" {\n  \
                 count = var.number\n  name = \"of-20-${count.index}\"\n}\n",
            ),
            number,
        );
        // 3: record, envelope, unwrap.
        bench.plan(
            "ephemeral read",
            &[],
            &[],
            &[
                ORGANIZATION,
                ("GET record data 200", 0, 1),
                ("GET version data 200", 0, 1),
                (MAC_KEY.0, 1, 1),
            ],
        );
    }
}

/// A login is a write, so its consistency index replaces a fence.
#[test]
fn a_process_logs_in_once_and_needs_no_fence_then() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    warm(&scene);
    let server = scene.openbao().unwrap();
    server.api().write_policy("all", "path \"*\" { capabilities = [\"sudo\", \"create\", \"read\", \"update\", \"delete\", \"list\"] }").unwrap();
    let role = server
        .api()
        .approle("approle", "ci", &["all"], json!({}))
        .unwrap();
    let workspace = scene.workspace(SECRETS);
    workspace
        .write(
            "provider.tf",
            &format!(
                "{REQUIRED}provider \"planton\" {{\n  organization = \"acme\"\n  openbao = {{\n    address = \
                 {:?}\n    approle = {{ role_id = {:?}, secret_id = {:?} }}\n  }}\n}}\n",
                server.address(),
                role.role_id,
                role.secret_id
            ),
        )
        .unwrap();
    Bench::new(workspace, 20).apply(
        "create after a login",
        &[],
        &[],
        &[
            ("POST login 200", 1, 0),
            ORGANIZATION,
            MAC_KEY,
            KEY,
            ("GET default backend data 404", 1, 0),
            ("GET record data 404", 0, 1),
            ("POST record data 200", 0, 1),
            ("POST transit encrypt 200", 0, 1),
            ("POST version data 200", 0, 1),
        ],
    );
}
