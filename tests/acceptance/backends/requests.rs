//! Counts the requests of every operation on a registered backend exactly. The counts
//! include platform and backend, per process and per secret. The platform is an OpenBAO.

use super::Place;
use super::configuration::{VARIABLES, backend, default};
use crate::reading::{Requests, tally};
use crate::requests::{Bench, Cost, FENCE, KEY, MAC_KEY, ORGANIZATION};
use crate::scene::{On, Scene, terraform_1_11};
use crate::steps::Steps;

const SECRETS: &str = r#"
variable "number" {
  type = number
}
variable "rotation" {
  default = "1"
}
resource "planton_secret" "each" {
  count            = var.number
  name             = "of-${var.number}-${count.index}"
  value_wo         = "hunter2"
  value_wo_version = var.rotation
}
"#;

const READS: &str = r#"
variable "number" {
  type = number
}
ephemeral "planton_secret" "each" {
  count = var.number
  name  = "of-${var.number}-${count.index}"
}
"#;

const PAGE: &str = include_str!("../../../docs/benchmarks.md");

/// The requests of a vendor's verbs, counted per secret.
struct Vendor {
    name: &'static str,
    /// The requests of a process before its first verb.
    login: &'static [&'static str],
    /// The requests of a process before its first write.
    writer: &'static [&'static str],
    first_put: &'static [&'static str],
    later_put: &'static [&'static str],
    describe: &'static [&'static str],
    get: &'static [&'static str],
    /// The requests of deleting an object with two versions.
    delete: &'static [&'static str],
    /// The requests of deleting an object with one version for good.
    purge: &'static [&'static str],
    /// The maximum requests of a creation and of a rotation, without those of the
    /// process.
    budgets: [usize; 2],
}

const KV: Vendor = Vendor {
    name: "self-hosted OpenBAO",
    login: &[],
    writer: &[],
    first_put: &["POST version data 200"],
    later_put: &["POST version data 200"],
    describe: &["GET version metadata 200"],
    get: &["GET version data 200"],
    // Each version has its own path.
    delete: &["DELETE version metadata 204", "DELETE version metadata 204"],
    purge: &["DELETE version metadata 204"],
    budgets: [6, 4],
};

const VAULT: Vendor = Vendor {
    name: "HashiCorp Vault",
    // Checks whether the server supports the namespace.
    writer: &["GET /v1/sys/internal/ui/mounts 404"],
    ..KV
};

const AWS: Vendor = Vendor {
    name: "AWS Secrets Manager",
    login: &[],
    writer: &[],
    // CreateSecret, which takes no stage labels, and PutSecretValue.
    first_put: &["POST / 200", "POST / 200"],
    later_put: &["POST / 200"],
    describe: &["POST / 200"],
    get: &["POST / 200"],
    delete: &["POST / 200"],
    purge: &["POST / 200"],
    budgets: [7, 4],
};

const GCP: Vendor = Vendor {
    name: "GCP Secret Manager",
    // A key file signs tokens without a request.
    login: &[],
    writer: &[],
    first_put: &["POST secrets 200", "POST secret:addVersion 200"],
    later_put: &["POST secret:addVersion 200"],
    describe: &["GET secret version:access 200"],
    get: &["GET secret version:access 200"],
    delete: &["DELETE secret 200"],
    purge: &["DELETE secret 200"],
    budgets: [7, 4],
};

const AZURE: Vendor = Vendor {
    name: "Azure Key Vault",
    login: &["challenge 401", "POST token 200"],
    writer: &[],
    // Key Vault has no create-only write, so the provider reads the name first:
    // https://learn.microsoft.com/rest/api/keyvault/secrets/set-secret/set-secret
    first_put: &["GET secret versions 404", "PUT secret 200"],
    later_put: &["PUT secret 200"],
    describe: &["GET secret versions 200"],
    get: &["GET secret version 200"],
    delete: &["DELETE secret 200", "DELETE deleted secret 204"],
    purge: &["DELETE secret 200", "DELETE deleted secret 204"],
    budgets: [7, 4],
};

impl Vendor {
    /// Returns the requests of the marker check, once per process that writes or deletes.
    fn place(&self) -> Vec<Cost> {
        once(self.describe)
    }
}

/// The organization's record, the MAC key, the backend's record, and its credential. A
/// process reads them once, however many secrets it has.
const OPENING: [Cost; 4] = [
    ORGANIZATION,
    MAC_KEY,
    ("GET backend record data 200", 1, 0),
    CREDENTIAL,
];
const CREDENTIAL: Cost = MAC_KEY;

#[test]
fn acc_requests_on_openbao_are_counted() {
    counted(&Place::openbao(), &KV);
}

#[test]
fn acc_requests_on_hashicorp_vault_are_counted() {
    counted(&Place::vault(), &VAULT);
}

#[test]
fn acc_requests_on_aws_secrets_manager_are_counted() {
    counted(&Place::aws(), &AWS);
}

#[test]
fn acc_requests_on_gcp_secret_manager_are_counted() {
    counted(&Place::gcp(), &GCP);
}

#[test]
fn acc_requests_on_azure_key_vault_are_counted() {
    counted(&Place::azure(), &AZURE);
}

fn counted(place: &Place, vendor: &Vendor) {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    // Creates the organization first, so that the counts exclude it.
    let first = scene.workspace(
        "resource \"planton_secret\" \"first\" {\n  name = \"first\"\n  generate = {}\n}\n",
    );
    first.applied(&[]);
    backends(&scene, place, vendor);

    let declaring = place.workspace(&scene);
    let parts = [VARIABLES.to_owned(), backend(place, "own"), default(OWN)];
    declaring.write("main.tf", &parts.concat()).unwrap();
    declaring.applied(&[("backend_secret", &place.secret)]);
    // Runs with one secret and with five, which separates the counts per process from
    // those per secret.
    for number in [1, 5] {
        secrets(&scene, place, vendor, number);
    }
}

const OWN: &str = "planton_secret_backend.own.name";

fn secrets(scene: &Scene, place: &Place, vendor: &Vendor, number: usize) {
    let mut bench = Bench::new(workspace(scene, place, SECRETS), number);
    let create = sum(&[
        &OPENING,
        &once(vendor.login),
        &once(vendor.writer),
        &vendor.place(),
        &[
            KEY,
            // The first creation of a process reads the default. If it finds no record,
            // it reads again after a fence.
            FENCE,
            ("GET record data 404", 1, 1),
            ("GET default backend data 200", 1, 0),
            ("POST entry data 200", 0, 1),
            // After the entry, it reads again whether the backend is being deleted.
            ("GET backend record data 200", 0, 1),
            ("POST transit encrypt 200", 0, 1),
            ("POST record data 200", 0, 1),
        ],
        &each(vendor.first_put),
    ]);
    // Without parallelism: concurrent creations may each read the default before the
    // first one has it.
    bench.workspace.env("TF_CLI_ARGS_apply", "-parallelism=1");
    bench.apply("create", &[], &[], &create);
    bench.workspace.env_remove("TF_CLI_ARGS_apply");

    let refresh = sum(&[
        &OPENING,
        &once(vendor.login),
        &[("GET record data 200", 0, 1)],
        &each(vendor.describe),
    ]);
    bench.plan("refresh", &[], &["-refresh-only"], &refresh);

    let rotate = sum(&[
        &OPENING,
        &once(vendor.login),
        &once(vendor.writer),
        &vendor.place(),
        &[
            KEY,
            ("GET record data 200", 0, 1),
            ("POST transit encrypt 200", 0, 1),
            ("POST record data 200", 0, 1),
        ],
        &each(vendor.later_put),
    ]);
    bench.apply("rotate", &[("rotation", "2")], &[], &rotate);

    let read = sum(&[
        &OPENING,
        &once(vendor.login),
        &[
            ("GET record data 200", 0, 1),
            ("POST transit decrypt 200", 0, 1),
        ],
        &each(vendor.get),
    ]);
    let reading = Bench::new(workspace(scene, place, READS), number);
    reading.plan("ephemeral read", &[], &[], &read);

    let destroy = sum(&[
        &OPENING,
        &once(vendor.login),
        &vendor.place(),
        &[
            ("GET record data 200", 0, 1),
            ("POST record data 200", 0, 2),
            ("DELETE entry metadata 204", 0, 1),
            ("POST record destroy 204", 0, 1),
        ],
        &each(vendor.delete),
    ]);
    let rotated = [("rotation", "2")];
    bench.apply("destroy", &rotated, &["-destroy"], &destroy);

    let operations = [&create, &rotate, &refresh, &read, &destroy];
    let of_each = operations.map(|costs| costs.iter().map(|cost| cost.2).sum::<usize>());
    let of_process = operations.map(|costs| costs.iter().map(|cost| cost.1).sum::<usize>());
    let cells = of_each.iter().zip(of_process);
    let cells: Vec<_> = cells
        .map(|(each, process)| format!("{each} (+{process})"))
        .collect();
    let row = format!("| {} | {} |\n", vendor.name, cells.join(" | "));
    assert!(
        PAGE.contains(&row),
        "docs/benchmarks.md lacks this row:\n{row}"
    );
    let [create, rotate, refresh, ..] = of_each;
    let [create_budget, rotate_budget] = vendor.budgets;
    assert!(create <= create_budget, "{create} for a creation");
    assert!(rotate <= rotate_budget && refresh <= 2);
}

/// Counts the requests of a backend's own operations, one process each.
fn backends(scene: &Scene, place: &Place, vendor: &Vendor) {
    let mut workspace = workspace(scene, place, "");
    let requests = Requests::of(&mut workspace);
    let variables = [("backend_secret", place.secret.as_str())];
    let whole = [VARIABLES.to_owned(), backend(place, "spare")].concat();
    workspace.write("main.tf", &whole).unwrap();
    let no_refresh = ["-refresh=false"];
    let run = |what: &str, costs: &[Cost], variables: &[(&str, &str)], more: &[&str]| {
        let arguments = [&no_refresh[..], more].concat();
        let outcome = workspace.apply_with(variables, &arguments).unwrap();
        outcome.ok().unwrap();
        let mut expected: Vec<_> = costs
            .iter()
            .map(|(kind, count, _)| (*kind, *count))
            .collect();
        expected.sort_unstable();
        assert_eq!(tally(&requests.take()), expected, "{what}");
        let total: usize = costs.iter().map(|(_, count, _)| count).sum();
        println!("{what} on {}: {total} requests", vendor.name);
    };
    let probe = sum(&[
        &once(vendor.first_put),
        &once(vendor.get),
        &once(vendor.describe),
        &once(vendor.purge),
        &[("POST transit encrypt 200", 1, 0)],
    ]);
    let sealed: Cost = ("POST transit encrypt 200", 1, 0);
    let register = sum(&[
        &[ORGANIZATION, FENCE, MAC_KEY, KEY],
        &once(vendor.login),
        &once(vendor.writer),
        &[("GET backend record data 404", 1, 0)],
        &probe,
        &[("POST backend record data 200", 1, 0)],
        &once(vendor.first_put),
        &[sealed, sealed],
    ]);
    run("register", &register, &variables, &[]);
    let renew = sum(&[
        &[ORGANIZATION, MAC_KEY, KEY],
        &once(vendor.login),
        &once(vendor.writer),
        &[FENCE, ("GET backend record data 200", 1, 0)],
        &vendor.place(),
        &probe,
        &[sealed, ("POST backend record data 200", 1, 0)],
    ]);
    let renewed = [variables[0], ("credentials", "2")];
    run("renew the credentials", &renew, &renewed, &[]);
    // Lists the entries before and after the mark, and raises the default's record, so
    // that a concurrent change of the default fails.
    let destroy = sum(&[
        &OPENING,
        &once(vendor.login),
        &[
            // The organization again: whether a restoration waits to be accepted.
            (ORGANIZATION.0, 1, 0),
            // Fences before the reads of the entries, of the default, of the backend's own
            // record, and of the organization's.
            (FENCE.0, 4, 0),
            ("GET backend record data 200", 1, 0),
            ("GET entries metadata 404", 2, 0),
            ("GET default backend data 404", 2, 0),
            ("POST default backend data 200", 1, 0),
            ("POST backend record data 200", 2, 0),
            ("POST backend record destroy 204", 1, 0),
        ],
        &once(vendor.purge),
    ]);
    run("destroy", &destroy, &renewed, &["-destroy"]);
}

fn workspace(scene: &Scene, place: &Place, text: &str) -> xtask::terraform::Workspace {
    let workspace = place.workspace(scene);
    workspace.write("main.tf", text).unwrap();
    workspace
}

fn once(kinds: &[&'static str]) -> Vec<Cost> {
    kinds.iter().map(|kind| (*kind, 1, 0)).collect()
}

fn each(kinds: &[&'static str]) -> Vec<Cost> {
    kinds.iter().map(|kind| (*kind, 0, 1)).collect()
}

/// Adds the counts of each kind of request.
fn sum(parts: &[&[Cost]]) -> Vec<Cost> {
    let mut sums: Vec<Cost> = Vec::new();
    for (kind, process, each) in parts.concat() {
        match sums.iter_mut().find(|sum| sum.0 == kind) {
            Some(sum) => *sum = (kind, sum.1 + process, sum.2 + each),
            None => sums.push((kind, process, each)),
        }
    }
    sums
}
