//! Envelopes under a Transit key, opened and sealed by the second implementation.

use std::io::Write;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use planton_core::kek::{KeyEncryptionKey, ProvisionKek};
use planton_envelope::{Context, Envelope, KekId, Purpose, Sealer, SecretValue};
use planton_vendors::openbao::TransitKek;
use serde_json::{Value, json};
use test_support::second_implementation::{opening, sealing};
use test_support::wrapping::bound;
use uuid::Uuid;
use xtask::tools::Tools;

use super::support::Customer;
use crate::support::Place;

const ENVELOPES: usize = 1_000;

/// Runs a script with the key and these lines, and returns the lines that it prints.
fn python(place: &Place, kek: &KekId, script: &str, lines: &[String]) -> Vec<String> {
    let mut process = Command::new(Tools::locate().unwrap().python())
        .args(["-B", "-c", script, &kek.provider, &kek.id])
        .args([&place.admin.address, place.root_token()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
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

fn text(at: usize) -> String {
    format!("value {at} \"grüße\"")
}

async fn seal(kek: &dyn KeyEncryptionKey, at: usize) -> Envelope {
    let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
    let sealer = Sealer::new(context(at), &plaintext).unwrap();
    let binding = sealer.binding(kek.id());
    let wrapped = kek.wrap(sealer.data_key(), bound(&binding)).await.unwrap();
    sealer.seal(vec![(kek.id().clone(), wrapped)]).unwrap()
}

async fn python_opens_all_under(place: &Place, kek: &dyn KeyEncryptionKey) {
    let sealed = join_all((0..ENVELOPES).map(|at| seal(kek, at))).await;
    let mut lines: Vec<_> = sealed.iter().map(Envelope::encode_text).collect();
    // The wrap of another version, last.
    let mut moved = seal(kek, ENVELOPES).await;
    moved
        .replace_wrapped_keys(sealed[0].wrapped_keys().to_vec())
        .unwrap();
    lines.push(moved.encode_text());
    let printed = python(place, kek.id(), &opening("TransitKek"), &lines);
    let read = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let expected = (0..ENVELOPES)
        .map(|at| json!(text(at)))
        .chain([Value::Null]);
    assert!(printed.iter().map(read).eq(expected));
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_a_token_alone() {
    let place = Place::new().await;
    let customers = Customer::created(&place, "theirs").await.resolved().await;
    python_opens_all_under(&place, customers.kek.as_ref()).await;
    let platforms = TransitKek::platform(&place.client(), &place.scope);
    platforms.provision().await.unwrap();
    python_opens_all_under(&place, &platforms).await;
}

#[tokio::test]
async fn what_python_seals_under_a_customers_key_opens_here() {
    let place = Place::new().await;
    let resolved = Customer::created(&place, "theirs").await.resolved().await;
    let kek = resolved.kek.as_ref();
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
            });
            asked.to_string()
        })
        .collect();
    let sealed = python(&place, kek.id(), &sealing("TransitKek"), &lines);
    assert_eq!(sealed.len(), ENVELOPES);
    let opened = sealed.iter().enumerate().map(async |(at, stored)| {
        let envelope = Envelope::parse_stored(stored.as_bytes()).unwrap();
        let [(id, wrapped)] = envelope.wrapped_keys() else {
            panic!("it was wrapped once");
        };
        assert_eq!(id, kek.id());
        let binding = envelope.binding_in(&context(at), id);
        let key = kek.unwrap(wrapped, bound(&binding)).await.unwrap();
        let opened = envelope.open(&key, &context(at)).unwrap();
        let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
        assert_eq!(opened.plaintext.expose(), plaintext.expose());
    });
    join_all(opened).await;
}
