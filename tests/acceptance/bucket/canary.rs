//! No value is anywhere that a run on a bucket leaves behind.

use xtask::bucket::BucketService;
use xtask::canary::Canary;

use super::scene::OnBucket;
use crate::canary::{Searched, read, search};
use crate::steps::Steps;

#[test]
fn acc_bucket_holds_no_value_and_no_credential() {
    let on = OnBucket::new(BucketService::S3);
    let (_, credential) = on.bucket.credential();
    let mut searched = Searched::new(vec![
        Canary::alphanumeric("the first value"),
        Canary::alphanumeric("the second value"),
        Canary::of("the credential of the bucket", &credential),
    ]);
    let mark = searched.mark.value().to_owned();
    let configuration = super::SECRETS
        .replace("\"given\"\n", &format!("\"{mark}\"\n"))
        .replace("\"generated\"\n", &format!("\"{mark}-generated\"\n"));
    let mut workspace = on.workspace(&configuration);
    // The provider block contains the credential, as a user's would not.
    let block = std::fs::read_to_string(workspace.path().join("provider.tf")).unwrap();
    let with_variable = block.replace(&format!("{credential:?}"), "var.credential");
    let declared = "variable \"credential\" {\n  type      = string\n  sensitive = true\n}\n";
    workspace
        .write("provider.tf", &format!("{with_variable}{declared}"))
        .unwrap();
    workspace.trace();
    let values = [
        searched.planted[0].value().to_owned(),
        searched.planted[1].value().to_owned(),
    ];
    for (trigger, value) in ["1", "2"].into_iter().zip(&values) {
        let variables = [
            ("value", value.as_str()),
            ("trigger", trigger),
            ("credential", &credential),
        ];
        let applied = workspace.applied(&variables);
        searched.add_run("the apply", &applied);
        let planned = workspace.unchanged(&variables);
        searched.add_run("the plan", &planned);
        assert_eq!(on.value(&mark), *value);
    }
    let generated = Canary::of(
        "the generated value",
        &on.value(&format!("{mark}-generated")),
    );
    searched.planted.push(generated);
    searched.add("the state", read(&workspace, "terraform.tfstate"));
    let objects = on.objects();
    let all: Vec<u8> = objects
        .iter()
        .flat_map(|(key, body)| [key.as_bytes(), b"\n", body, b"\n"].concat())
        .collect();
    searched.add("the bucket", all);
    let key_file = std::fs::read(on.key_file()).unwrap();
    assert!(!objects.values().any(|body| body == &key_file));
    search(&searched, &[workspace.root()]);
}
