//! Sets the default after secrets were created on the former one. A warning in the plan
//! and in the apply names them.

use super::Place;
use super::configuration::VARIABLES;
use crate::reading::Told;
use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, has, text};

with_every_terraform!(
    acc_default_set_after_its_secrets_warns_and_names_them,
    acc_default_set_before_its_secrets_does_not_warn,
);

fn backend(place: &Place) -> String {
    format!(
        "resource \"planton_secret_backend\" \"corp\" {{\n  name = \"corp\"\n{}  \
         credentials_wo_version = \"1\"\n}}\n",
        place.block()
    )
}

fn secrets(more: &str) -> String {
    format!(
        "resource \"planton_secret\" \"s\" {{\n  count = 3\n  name = \"s${{count.index}}\"\n  \
         generate = {{}}\n  value_wo_version = \"1\"\n  {more}\n}}\n"
    )
}

const DEFAULT: &str = "resource \"planton_default_backend\" \"this\" {\n  backend = \
                       planton_secret_backend.corp.name\n}\n";

fn acc_default_set_after_its_secrets_warns_and_names_them(scene: &Scene) {
    let place = Place::openbao();
    let given = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    // The default depends on the secrets, so Terraform always creates them first.
    let late = DEFAULT.replace("\n}\n", "\n  depends_on = [planton_secret.s]\n}\n");
    let whole = [VARIABLES, &backend(&place), &secrets(""), &late];
    workspace.write("main.tf", &whole.concat()).unwrap();
    let names = ["\"s0\"", "\"s1\"", "\"s2\""];
    let depends = "depends_on = [planton_default_backend.";
    let told = Told::by_plan(&workspace, &given, &[]);
    assert!(told.success, "{told:#?}");
    assert_eq!(told.len(), 1, "{told:#?}");
    has(
        &told.at("this"),
        &["Warning: Secrets Planned Before Default", depends],
    );
    has(&told.at("this"), &names);

    let told = Told::by_apply(&workspace, &given, &[]);
    assert!(told.success, "{told:#?}");
    has(
        &told.everything(),
        &["Warning: Secrets On Former Default", depends],
    );
    has(&told.everything(), &names);
    assert_eq!(scene.objects().len(), 3, "all on the former one");
    let told = Told::by_plan(&workspace, &given, &[]);
    assert_eq!(told.len(), 0, "said once: {told:#?}");

    // The default changes back. A secret with an explicit backend causes no warning.
    let named = secrets("backend = \"corp\"")
        .replace("\"s\"", "\"named\"")
        .replace("s$", "named$");
    let back = late
        .replace("planton_secret_backend.corp.name", "\"platform\"")
        .replace("planton_secret.s", "planton_secret.named");
    let whole = [VARIABLES, &backend(&place), &secrets(""), &named, &back];
    workspace.write("main.tf", &whole.concat()).unwrap();
    let told = Told::by_apply(&workspace, &given, &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
}

fn acc_default_set_before_its_secrets_does_not_warn(scene: &Scene) {
    let place = Place::openbao();
    let given = [("backend_secret", place.secret.as_str())];
    let workspace = place.workspace(scene);
    let after = secrets("depends_on = [planton_default_backend.this]");
    let whole = [VARIABLES, &backend(&place), &after, DEFAULT];
    workspace.write("main.tf", &whole.concat()).unwrap();
    let told = Told::by_plan(&workspace, &given, &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
    let told = Told::by_apply(&workspace, &given, &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
    let one = "resource \"planton_secret\" \"one\" {\n  name = \"one\"\n  generate = {}\n}\n";
    workspace.write("more.tf", one).unwrap();
    let told = Told::by_apply(&workspace, &given, &[]);
    assert!(told.success && told.len() == 0, "{told:#?}");
    assert_eq!(text(&workspace.secret("one"), "backend"), "corp");
}
