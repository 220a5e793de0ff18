//! No value is anywhere that a run on a bucket leaves behind.

use serde_json::json;
use xtask::bucket::BucketService;
use xtask::canary::Canary;

use super::scene::OnBucket;
use crate::canary::{Searched, expect_no_part_of, read, search};
use crate::steps::{Steps, flat};

#[test]
fn acc_bucket_of_s3_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::S3);
}

#[test]
fn acc_bucket_of_gcs_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::Gcs);
}

#[test]
fn acc_bucket_of_azure_holds_no_value_and_no_credential() {
    holds_no_value_and_no_credential(BucketService::Azure);
}

fn holds_no_value_and_no_credential(service: BucketService) {
    let on = OnBucket::new(service);
    // In Azure, no request to the service with the blobs shows a rule.
    let shows_rules = service != BucketService::Azure;
    if shows_rules {
        on.bucket.expire("").unwrap();
    }
    let (_, credential) = on.bucket.credential();
    let mut searched = Searched::new(vec![
        Canary::alphanumeric("the first value"),
        Canary::alphanumeric("the second value"),
        Canary::of("the credential of the bucket", secret_part(&credential)),
    ]);
    let mark = searched.mark.value().to_owned();
    let configuration = super::SECRETS
        .replace("\"given\"\n", &format!("\"{mark}\"\n"))
        .replace("\"generated\"\n", &format!("\"{mark}-generated\"\n"));
    let mut workspace = on.workspace(&configuration);
    // The provider block contains the credential, as a user's would not.
    let block = std::fs::read_to_string(workspace.path().join("provider.tf")).unwrap();
    let given = json!(credential).to_string();
    assert!(block.contains(&given), "{block}");
    let with_variable = block.replace(&given, "var.credential");
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
        let is_told = flat(applied.stdout()).contains("Lifecycle Rule Deletes Objects");
        assert_eq!(is_told, shows_rules && trigger == "1", "once");
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
    let key_file = std::fs::read(on.key_file()).unwrap();
    expect_no_part_of(&key_file, "the bucket", &all);
    let state = read(&workspace, "terraform.tfstate");
    expect_no_part_of(&key_file, "the state", &state);
    searched.add("the bucket", all);
    search(&searched, &[workspace.root()]);
}

/// Returns a part of a credential that is nowhere else: of a key file in JSON, the second line
/// of its private key.
pub(crate) fn secret_part(credential: &str) -> &str {
    match credential.split_once("PRIVATE KEY-----\\n") {
        Some((_, key)) => key.split("\\n").nth(1).unwrap(),
        None => credential,
    }
}
