//! Tests backends without a sealed credential. The provider finds the credential in its
//! environment, as the vendor's own tools do.

use planton_vendors::openbao::client::{PolicyRole, policy_text};

use super::{Place, at_every_place};
use crate::policies::{scope, token_of};
use crate::scene::{On, Scene, provider_block, terraform_1_11};
use crate::steps::{Steps, flat, has, text};

at_every_place!(acc_backend_without_a_credential_takes_the_ambient_one);

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
  default   = null
}
variable "rotation" { default = "1" }
variable "credentials" { default = null }
"#;

const SECRET: &str = r#"
resource "planton_secret" "db" {
  name             = "db"
  backend          = planton_secret_backend.own.name
  value_wo         = "hunter2-${var.rotation}"
  value_wo_version = var.rotation
}
"#;

const OWN: &str = "planton_secret_backend.own";

fn configuration(block: &str) -> String {
    format!(
        "{VARIABLES}resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  \
         credentials_wo_version = var.credentials\n{block}}}\n{SECRET}"
    )
}

fn acc_backend_without_a_credential_takes_the_ambient_one(scene: &Scene, place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = place.with_ambient_secret(folder.path());
    let ambient = configuration(&place.ambient_block());
    assert!(!ambient.contains("= var.backend_secret"), "{ambient}");
    let mut workspace = place.workspace(scene);
    workspace.write("main.tf", &ambient).unwrap();

    workspace.settled(&[]);
    let source = |workspace: &xtask::terraform::Workspace| {
        text(&workspace.attributes(OWN).unwrap(), "credential_source")
    };
    assert_eq!(source(&workspace), "ambient");
    assert_eq!(place.read(scene, "db"), "hunter2-1");
    workspace.settled(&[("rotation", "2")]);
    assert_eq!(place.read(scene, "db"), "hunter2-2");

    // A static credential shows in the plan, and replaces the environment's.
    let rotated = ("rotation", "2");
    let given = [rotated, ("backend_secret", place.secret.as_str())];
    workspace
        .write("main.tf", &configuration(&place.block()))
        .unwrap();
    let planned = workspace.changes(&given);
    has(
        &planned,
        &[
            "~ credential_source = \"ambient\" -> (known after apply)",
            "0 to add, 1 to change, 0 to destroy",
        ],
    );
    workspace.applied(&given);
    assert_eq!(source(&workspace), "static");
    // The provider no longer reads the environment.
    let variables = place.ambient_variables();
    for (name, _) in &variables {
        workspace.env(*name, "wrong");
    }
    workspace.unchanged(&given);

    // Back to the environment, by the trigger. The provider verifies the environment's
    // credential, and changes nothing while it is wrong.
    let back = [rotated, ("credentials", "2")];
    workspace.write("main.tf", &ambient).unwrap();
    has(
        &workspace.changes(&back),
        &["~ credential_source = \"static\" -> "],
    );
    let refused = workspace.fails(&back);
    has(
        &refused,
        &["The backend was not saved", "Secret Backend Login Failed"],
    );
    assert!(!refused.contains(&flat(&place.secret)), "{refused}");
    assert_eq!(source(&workspace), "static");
    for (name, value) in &variables {
        workspace.env(*name, value);
    }
    workspace.settled(&back);
    // A credential that becomes wrong later is an error. No secret counts as gone.
    for (name, _) in &variables {
        workspace.env(*name, "wrong");
    }
    let refused = workspace.refused(&back);
    has(&refused, &["Secret Backend Login Failed"]);
    assert_eq!(text(&workspace.secret("db"), "backend"), "own");
    for (name, value) in &variables {
        workspace.env(*name, value);
    }
    workspace.settled(&back);
    assert_eq!(source(&workspace), "ambient");
    workspace.destroyed(&back);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

/// A token that may only plan checks the secrets of an ambient backend. With a sealed
/// credential, the plan warns that it did not check them.
#[test]
fn a_plan_that_may_not_decrypt_takes_nothing_for_gone() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    let server = scene.openbao().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = Place::aws().with_ambient_secret(folder.path());
    let workspace = place.workspace(&scene);
    let given = [("backend_secret", place.secret.as_str())];
    let policy = policy_text(&scope("acme"), PolicyRole::Plan);
    let token = token_of(server.api(), "plan", &policy);
    let address = server.address();
    let plans = provider_block(
        &format!("openbao = {{ address = {address:?}, token = {token:?} }}"),
        "",
    );
    let whole = scene.provider("");

    workspace
        .write("main.tf", &configuration(&place.ambient_block()))
        .unwrap();
    workspace.settled(&[]);
    workspace.write("provider.tf", &plans).unwrap();
    let planned = workspace.unchanged(&[]);
    assert!(!planned.stdout().contains("Warning: Secret"), "{planned:?}");
    // The plan checked the backend, and finds that the object is gone.
    let secrets = place.secrets();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    place.remove(&secrets[0]);
    has(
        &workspace.changes(&[]),
        &["0 to add, 1 to change, 0 to destroy"],
    );

    workspace.write("provider.tf", &whole).unwrap();
    workspace
        .write("main.tf", &configuration(&place.block()))
        .unwrap();
    workspace.settled(&given);
    workspace.write("provider.tf", &plans).unwrap();
    let planned = workspace.unchanged(&given);
    has(
        &flat(planned.stdout()),
        &["Warning: Secret Backend Not Checked", "declare the backend"],
    );
    place.remove(&place.secrets()[0]);
    workspace.unchanged(&given);
    workspace.write("provider.tf", &whole).unwrap();
    has(
        &workspace.changes(&given),
        &["0 to add, 1 to change, 0 to destroy"],
    );
}
