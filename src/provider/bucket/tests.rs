#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;

const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const GCP: &str = "projects/acme/locations/global/keyRings/planton/cryptoKeys/main";

fn object(attributes: &[(&'static str, &str)]) -> Value {
    let value = |text: &str| match text {
        "?" => Value::Unknown,
        text => text.into(),
    };
    let all = attributes.iter().map(|(name, text)| (*name, value(text)));
    Value::object(all)
}

/// Returns a block with this URL and this block of a key.
fn block(url: &str, of: &'static str, key: Value) -> Value {
    let encryption = Value::object([(of, key)]);
    object(&[("url", url)]).with("encryption", encryption)
}

fn mistakes(block: &Value) -> Vec<(String, String)> {
    let mut diagnostics = Diagnostics::new();
    validate(block, &mut diagnostics);
    let told = diagnostics.iter();
    told.map(|one| {
        (
            one.path.to_string(),
            format!("{}: {}", one.summary, one.detail),
        )
    })
    .collect()
}

fn paths(block: &Value) -> Vec<String> {
    mistakes(block).into_iter().map(|(path, _)| path).collect()
}

fn opened(block: &Value, environment: &Environment) -> Result<BucketPlatform, Diagnostic> {
    let organization = "acme".parse().unwrap();
    let pins = KekPins::default();
    open(block, environment, &organization, &pins, Caller::Ordinary)
}

/// As [`opened`], with a pinned fingerprint.
fn opened_pinned(block: &Value, environment: &Environment) -> Result<BucketPlatform, Diagnostic> {
    let organization = "acme".parse().unwrap();
    let pins = KekPins {
        organization: "ab".repeat(16).parse().ok(),
        ..KekPins::default()
    };
    open(block, environment, &organization, &pins, Caller::Ordinary)
}

fn summary(block: &Value) -> String {
    opened(block, &Environment::default()).unwrap_err().summary
}

#[test]
fn an_unknown_url_hides_no_other_mistake() {
    let key = object(&[("key_id", "no key")]);
    for url in ["s3://example/prefix", "?"] {
        let block = block(url, "aws_kms", key.clone()).with("endpoint", "http://example.com");
        assert_eq!(
            paths(&block),
            ["bucket.endpoint", "bucket.encryption.aws_kms.key_id"],
            "{url}"
        );
    }
    let unknown = block("?", "aws_kms", object(&[("key_id", "?")]));
    assert_eq!(paths(&unknown), [""; 0]);
    assert_eq!(paths(&Value::object([("url", Value::Unknown)])), [""; 0]);
}

#[test]
fn arguments_of_each_vendor_are_valid_while_the_url_is_unknown_or_in_a_variable() {
    for (name, value) in [
        ("region", Value::from("eu-central-1")),
        ("profile", "acme".into()),
        (
            "impersonate_service_account",
            "a@acme.iam.gserviceaccount.com".into(),
        ),
        ("tenant_id", "11111111-2222-4333-8444-555555555555".into()),
        ("use_oidc", true.into()),
        ("use_cli", true.into()),
    ] {
        for url in [Value::Unknown, Value::Null] {
            let block = Value::object([("url", url), (name, value.clone())]);
            assert_eq!(paths(&block), [""; 0], "{name}");
        }
    }
    // What is wrong for the vendor of the arguments still counts.
    let secret = object(&[("url", "?"), ("client_secret", "hunter2")]);
    assert_eq!(paths(&secret), ["bucket.tenant_id", "bucket.client_id"]);
    let region = object(&[("url", "?"), ("region", "no region")]);
    assert_eq!(paths(&region), ["bucket.region"]);
}

#[test]
fn mistakes_name_the_arguments_of_the_provider_block_and_quote_no_value() {
    let key = object(&[
        ("key_id", ARN),
        ("access_key_id", "AKIAEXAMPLE"),
        ("session_token", "hunter2"),
    ]);
    for (block, at) in [
        (
            block("http://hunter2", "aws_kms", object(&[("key_id", ARN)])),
            "bucket.url",
        ),
        (
            block("s3://example", "key_file", object(&[("path", "~/hunter2")])),
            "bucket.encryption.key_file.path",
        ),
        (
            block(
                "s3://example",
                "key_file",
                object(&[("path", "relative/hunter2")]),
            ),
            "bucket.encryption.key_file.path",
        ),
    ] {
        let found = mistakes(&block);
        assert_eq!(found.len(), 1, "{found:?}");
        let (path, text) = &found[0];
        assert_eq!(path, at);
        assert!(!text.contains("hunter2") && !text.contains("_wo"), "{text}");
    }
    // Part of a credential may be unknown until the provider is configured.
    let none = Environment::default();
    let told = opened(&block("s3://example", "aws_kms", key), &none).unwrap_err();
    assert_eq!(
        told.path.to_string(),
        "bucket.encryption.aws_kms.secret_access_key"
    );
    let text = format!("{told:?}");
    assert!(!text.contains("hunter2") && !text.contains("_wo"), "{text}");
}

#[test]
fn exactly_one_key_is_named() {
    let both = Value::object([
        ("aws_kms", object(&[("key_id", ARN)])),
        ("key_file", object(&[("path", "/key")])),
    ]);
    let block_of = |encryption| object(&[("url", "s3://example")]).with("encryption", encryption);
    assert_eq!(paths(&block_of(both)), ["bucket.encryption.key_file"]);
    let none = Value::object([("aws_kms", Value::Null)]);
    assert_eq!(paths(&block_of(none)), ["bucket.encryption"]);
    let missing = object(&[("url", "s3://example")]);
    assert_eq!(summary(&missing), "Encryption Key Missing");
}

#[test]
fn a_second_key_is_another_key_of_the_same_form() {
    let with = |mac: &str| {
        let key = object(&[("key_name", GCP), ("mac_key_name", mac)]);
        paths(&block("gs://example", "gcp_kms", key))
    };
    let at = "bucket.encryption.gcp_kms.mac_key_name";
    assert_eq!(with("no name"), [at]);
    assert_eq!(with(GCP), [at]);
    assert_eq!(with(&format!("{GCP}-mac")), [""; 0]);
}

#[test]
fn a_key_that_leaves_the_mac_key_open_requires_the_fingerprint() {
    let gcp = object(&[("key_name", GCP)]);
    let azure = object(&[("key_url", "https://acme.vault.azure.net/keys/main")]);
    let aws = object(&[("key_id", ARN)]);
    let s3 = "s3://example";
    for (of, key) in [
        ("gcp_kms", gcp.clone()),
        ("azure_key_vault_key", azure),
        // A statement in the key's policy may be a guard. Nobody can see whether it is there.
        ("aws_kms", aws),
    ] {
        let block = block(s3, of, key);
        assert_eq!(summary(&block), "Organization Fingerprint Required");
        // `platform init` has none yet.
        let organization = "acme".parse().unwrap();
        let pins = KekPins::default();
        let environment = Environment::default();
        open(
            &block,
            &environment,
            &organization,
            &pins,
            Caller::Inspection,
        )
        .unwrap();
        let pinned = opened_pinned(&block, &environment).unwrap();
        let Platform { kek, mac_kek, .. } = pinned.platform;
        assert!(Arc::ptr_eq(&kek, &mac_kek));
    }
    let none = Environment::default();
    let second = gcp.with("mac_key_name", format!("{GCP}-mac").as_str());
    let opened_with_second = opened(&block(s3, "gcp_kms", second), &none).unwrap();
    let Platform { kek, mac_kek, .. } = opened_with_second.platform;
    assert!(!Arc::ptr_eq(&kek, &mac_kek));
}

#[test]
fn remedies_of_a_backends_key_name_the_arguments_of_the_provider_block() {
    for (of_backend, own) in [
        (
            "Set a new token_wo, and change credentials_wo_version.",
            "Set a new token.",
        ),
        (
            "Set a new jwt.jwt_wo and change credentials_wo_version, or set jwt.token_file.",
            "Set a new jwt.jwt, or set jwt.token_file.",
        ),
        (
            "The key ring team_work has no key.",
            "The key ring team_work has no key.",
        ),
        (
            "Declare the backend again with key_name = \"k\".",
            "Set key_name = \"k\".",
        ),
    ] {
        assert_eq!(in_provider_block(of_backend), own);
    }
}

#[test]
fn variables_set_what_the_block_omits() {
    let with = |key: &str| {
        let environment = Environment::of([
            ("PLANTON_BUCKET_URL", "s3://example/planton"),
            ("PLANTON_BUCKET_REGION", "eu-central-1"),
            ("PLANTON_BUCKET_KEY", key),
        ]);
        opened_pinned(&Value::Null, &environment)
    };
    let opened = with(&format!("aws_kms:key_id={ARN},region=eu-central-1")).unwrap();
    assert_eq!(opened.bucket.location().to_string(), "s3://example/planton");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for prefix in ["key_file:", "key_file:path="] {
        with(&format!("{prefix}{}", path.display())).unwrap();
    }
    assert!(!path.exists(), "configuring created a key");
    let mac = format!("gcp_kms:key_name={GCP},mac_key_name={GCP}-mac");
    with(&mac).unwrap();
    for wrong in [
        "hunter2",
        "age:age1hunter2",
        "aws_kms:key_id=a,mac_key_name=hunter2",
        "aws_kms:key_id=a,secret_access_key_wo=hunter2",
        "aws_kms:region=eu-central-1",
        "key_file:relative/hunter2",
        &format!("gcp_kms:key_name={GCP},mac_key_name={GCP}"),
        &format!("gcp_kms:key_name={GCP},mac_key_name={GCP}-a,mac_key_name={GCP}-b"),
    ] {
        let refused = with(wrong).unwrap_err();
        assert_eq!(refused.summary, "Invalid Key Variable", "{wrong}");
        assert!(!refused.detail.contains("hunter2"), "{}", refused.detail);
        let lists = refused.detail.matches("types are").count();
        assert_eq!(lists, 1, "{}", refused.detail);
    }
}

#[test]
fn a_variable_moves_no_bucket_of_the_block_to_another_endpoint() {
    let environment = Environment::of([
        ("PLANTON_BUCKET_ENDPOINT", "https://elsewhere.example"),
        ("PLANTON_BUCKET_REGION", "eu-central-1"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    // A Region is no argument of this bucket, and an endpoint would get its token.
    let key = object(&[("path", path.to_str().unwrap())]);
    opened(&block("gs://example", "key_file", key), &environment).unwrap();
    let read = |block: &Value| format!("{:?}", block::read(block, &environment));
    let url = object(&[("url", "s3://example")]);
    assert!(!read(&url).contains("elsewhere"));
    let all = Environment::of([
        ("PLANTON_BUCKET_URL", "s3://example"),
        ("PLANTON_BUCKET_ENDPOINT", "https://elsewhere.example"),
    ]);
    let read = format!("{:?}", block::read(&Value::Null, &all));
    assert!(read.contains("elsewhere"), "{read}");
}

#[test]
fn a_variable_without_the_url_is_incomplete_and_not_another_platform() {
    let environment = Environment::of([("PLANTON_BUCKET_REGION", "eu-central-1")]);
    assert!(is_in(&environment));
    let refused = opened(&Value::Null, &environment).unwrap_err();
    assert_eq!(refused.summary, "Invalid Bucket Configuration");
    assert!(
        refused.detail.contains("PLANTON_BUCKET_URL"),
        "{}",
        refused.detail
    );
}

mod key_file {
    use super::super::key_file::{Creation, KeyFileKek};
    use crate::provider::Environment;
    use planton_core::kek::{KekErrorKind, KeyEncryptionKey as _, ProvisionKek as _, WrapNames};
    use planton_envelope::{DataKey, WrapBinding};
    use planton_vendors::embedded::LocalKeyFile;
    use std::path::Path;

    fn open(path: &Path, creation: Creation) -> KeyFileKek {
        KeyFileKek::open(path, &"acme".parse().unwrap(), creation)
    }

    /// Does what first use does.
    async fn created(path: &Path) -> KeyFileKek {
        let kek = open(path, Creation::Allowed);
        kek.resolve().await.unwrap();
        kek.generate().await.unwrap();
        kek
    }

    #[tokio::test]
    async fn a_file_is_created_by_first_use_and_by_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = open(&path, Creation::Allowed);
        first.resolve().await.unwrap();
        assert!(!path.exists(), "before everything else was checked");
        first.generate().await.unwrap();
        let again = open(&path, Creation::RefusedInAutomation("CI"));
        assert_eq!(again.id(), first.id());
        again.resolve().await.unwrap();
        again.expect_recorded(first.id()).unwrap();
    }

    #[tokio::test]
    async fn no_file_is_created_in_automation_or_beside_pinned_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (creation, said) in [
            (Creation::RefusedInAutomation("CI"), "platform init"),
            (Creation::RefusedByPins, "allowed_key_ids"),
        ] {
            let refused = open(&path, creation).resolve().await.unwrap_err();
            assert_eq!(refused.kind(), KekErrorKind::NotFound);
            assert!(refused.remedy().unwrap().contains(said));
        }
        assert!(!path.exists());
    }

    #[test]
    fn automation_shows_by_three_variables() {
        let of = |name, value: &str| Environment::of([(name, value)]).automation();
        for name in ["TF_IN_AUTOMATION", "TFC_RUN_ID", "CI"] {
            assert_eq!(of(name, "true"), Some(name));
            assert_eq!(of(name, ""), None);
        }
        assert_eq!(of("CI", "false"), None);
        assert_eq!(of("HOME", "/root"), None);
    }

    #[tokio::test]
    async fn a_machine_without_the_file_refreshes_and_is_told_to_copy_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = created(&folder.path().join("first")).await;
        let path = folder.path().join("second");
        let second = open(&path, Creation::Allowed);
        // A refresh reads the record, and needs no key.
        second.expect_recorded(first.id()).unwrap();
        assert_eq!(second.id(), first.id());
        for refused in [
            second.resolve().await.unwrap_err(),
            second.describe().await.unwrap_err(),
            second.resolve_newest().await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), KekErrorKind::NotFound);
            assert!(refused.remedy().unwrap().contains("Copy the file"));
        }
        assert!(!path.exists());
        // A file of its own is no better, and stays.
        let own = created(&path).await;
        let refused = own.expect_recorded(first.id()).unwrap_err();
        assert_eq!(refused.kind(), KekErrorKind::Misconfigured);
        std::fs::copy(folder.path().join("first"), &path).unwrap();
        second.describe().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_stops_its_first_use_and_no_refresh() {
        let folder = tempfile::tempdir().unwrap();
        let first = created(&folder.path().join("first")).await;
        let damaged = folder.path().join("damaged");
        std::fs::write(&damaged, "no key").unwrap();
        let kek = open(&damaged, Creation::Allowed);
        kek.expect_recorded(first.id()).unwrap();
        let refused = kek.describe().await.unwrap_err();
        assert_eq!(refused.kind(), KekErrorKind::Misconfigured);
    }

    #[tokio::test]
    async fn a_rotated_file_wraps_under_the_key_of_the_record_until_a_rewrap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let recorded = created(&path).await.id().clone();
        LocalKeyFile::rotate(&path).unwrap();
        let apply = open(&path, Creation::Allowed);
        apply.expect_recorded(&recorded).unwrap();
        assert_eq!(apply.id(), &recorded);
        let dek = DataKey::generate().unwrap();
        let names = WrapNames::mac_key(&"acme".parse().unwrap());
        let context = names.bound(WrapBinding::for_mac_key(uuid::Uuid::nil(), &recorded));
        let wrapped = apply.wrap(&dek, context).await.unwrap();
        // A copy from before the rotation opens it.
        let keys = apply.all();
        let former = keys.iter().find(|kek| kek.id() == &recorded).unwrap();
        former.unwrap(&wrapped, context).await.unwrap();
        apply.resolve_newest().await.unwrap();
        assert_eq!(apply.id(), keys[0].id());
        assert_ne!(apply.id(), &recorded);
    }
}
