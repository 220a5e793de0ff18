//! Envelopes under a key in AWS KMS, opened and sealed by the second implementation.

use std::io::Write;
use std::process::{Command, Stdio};

use planton_core::kek::{KekErrorKind, KeyEncryptionKey, WrapNames};
use planton_envelope::{Context, Envelope, Purpose, Sealer, SecretValue, WrappedKey};
use planton_vendors::aws::AwsKmsKek;
use serde_json::{Value, json};
use test_support::second_implementation::{opening, sealing};
use uuid::Uuid;
use xtask::moto::{Moto, NewKmsKey};
use xtask::tools::Tools;

use super::support::Place;

const ENVELOPES: usize = 1_000;

/// Runs a script with the key and these lines, and returns the lines that it prints.
fn python(place: &Place, kek: &AwsKmsKek, script: &str, lines: &[String]) -> Vec<String> {
    let mut process = Command::new(Tools::locate().unwrap().python())
        .args(["-B", "-c", script, &kek.id().id])
        .args([Moto::REGION, place.moto.address()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("AWS_ACCESS_KEY_ID", &place.key_id)
        .env("AWS_SECRET_ACCESS_KEY", &place.secret_key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let lines = lines.join("\n");
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = process.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

fn context(version: usize) -> Context {
    Context {
        purpose: Purpose::Secret,
        organization: Uuid::from_bytes([1; 16]),
        object: Uuid::from_bytes([2; 16]),
        backend: Uuid::from_bytes([3; 16]),
        version: version as u64,
        extension: None,
    }
}

fn names() -> WrapNames {
    WrapNames::secret(&"acme".parse().unwrap(), &"prod/db".parse().unwrap())
}

fn text(at: usize) -> String {
    format!("value {at} \"grüße\"")
}

async fn seal(kek: &AwsKmsKek, at: usize) -> Envelope {
    let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
    let sealer = Sealer::new(context(at), &plaintext).unwrap();
    let names = names();
    let bound = names.bound(sealer.binding(kek.id()));
    let wrapped = kek.wrap(sealer.data_key(), bound).await.unwrap();
    sealer.seal(vec![(kek.id().clone(), wrapped)]).unwrap()
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_the_key_alone() {
    let place = Place::new().await;
    let kek = place.kek();
    let mut lines = Vec::new();
    for at in 0..ENVELOPES {
        lines.push(seal(&kek, at).await.encode_text());
    }
    let printed = python(&place, &kek, &opening("AwsKmsKek"), &lines);
    let expected: Vec<_> = (0..ENVELOPES).map(|at| json!(text(at))).collect();
    let read = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    assert!(printed.iter().map(read).eq(expected));
    let decrypts = place.requests(&place.arn);
    let decrypts = decrypts.iter().filter(|line| *line == "Decrypt 200");
    assert_eq!(decrypts.count(), ENVELOPES);
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A reader without the catalog MUST refuse a `wrapped` whose `planton:binding` is not the
//# binding that it computes.
#[tokio::test]
async fn python_and_this_code_refuse_a_wrap_of_another_version_without_a_catalog() {
    let place = Place::new().await;
    let kek = place.kek();
    let (one, mut other) = (seal(&kek, 1).await, seal(&kek, 2).await);
    let moved = one.wrapped_keys().to_vec();
    let stolen = moved[0].1.clone();
    other.replace_wrapped_keys(moved).unwrap();
    let lines = [one.encode_text(), other.encode_text()];
    let printed = python(&place, &kek, &opening("AwsKmsKek"), &lines);
    let expected = json!(text(1)).to_string();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap().to_string();
    assert_eq!(printed.len(), 2);
    assert_eq!((read(&printed[0]), printed[1].as_str()), (expected, "null"));

    let claimed = kek.claimed_names(&stolen).unwrap();
    assert_eq!(claimed, names());
    let sent = kek.requests();
    let bound = claimed.bound(other.binding(kek.id()));
    let error = kek.unwrap(&stolen, bound).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Refused);
    assert_eq!(kek.requests(), sent);
    kek.unwrap(&stolen, claimed.bound(one.binding(kek.id())))
        .await
        .unwrap();
    assert_eq!(
        kek.claimed_names(&WrappedKey::new(vec![1, 0, 2, b'{', b'}'])),
        None
    );
}

#[tokio::test]
async fn what_python_seals_under_a_multi_region_key_opens_here() {
    let place = Place::with(&NewKmsKey {
        multi_region: true,
        ..NewKmsKey::default()
    })
    .await;
    let id = place.arn.replacen(":eu-central-1:", "::", 1);
    let kek = place.open(json!({}), &id);
    let lines: Vec<_> = (0..ENVELOPES)
        .map(|at| {
            let asked = json!({
                "text": text(at),
                "context": {
                    "purpose": 1,
                    "organization": Uuid::from_bytes([1; 16]),
                    "object": Uuid::from_bytes([2; 16]),
                    "backend": Uuid::from_bytes([3; 16]),
                    "version": at,
                    "extension": null,
                },
                "names": {
                    "planton:organization": "acme",
                    "planton:environment": "prod",
                    "planton:secret": "db",
                    "planton:purpose": "secret",
                },
            });
            asked.to_string()
        })
        .collect();
    let sealed = python(&place, &kek, &sealing("AwsKmsKek"), &lines);
    assert_eq!(sealed.len(), ENVELOPES);
    for (at, stored) in sealed.iter().enumerate() {
        let envelope = Envelope::parse_stored(stored.as_bytes()).unwrap();
        let [(id, wrapped)] = envelope.wrapped_keys() else {
            panic!("it was wrapped once");
        };
        assert_eq!(id, kek.id());
        let names = names();
        let bound = names.bound(envelope.binding_in(&context(at), id));
        let key = kek.unwrap(wrapped, bound).await.unwrap();
        let opened = envelope.open(&key, &context(at)).unwrap();
        let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
        assert_eq!(opened.plaintext.expose(), plaintext.expose());
    }
}
