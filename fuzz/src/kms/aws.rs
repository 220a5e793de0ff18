//! AWS KMS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planton_core::kek::{ConnectKek, KekError, KekSettings, KeyDescription};
use planton_core::store::StoreCredential;
use planton_envelope::{DataKey, KekId, WrappedKey};
use planton_vendors::KekConnector;
use serde_json::json;

use super::canned::{Answer, Script};
use super::{Opened, Operation, Service, block_on, context, run, seeds_of};
use crate::Verdict;
use crate::keys::DEK;

const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

const ERROR: &[u8] =
    br#"{"__type":"com.amazonaws.kms#KMSInvalidStateException","message":"key is pending deletion."}"#;

struct Aws {
    opened: Opened,
    connector: KekConnector,
    wrapped: WrappedKey,
}

fn settings() -> KekSettings {
    let configuration = json!({"key_id": ARN, "access_key_id": "AKIAEXAMPLE"});
    KekSettings {
        kind: "aws_kms".to_owned(),
        configuration: serde_json::from_value(configuration).expect("an object"),
    }
}

fn credential() -> StoreCredential {
    [("secret_access_key".to_owned(), "secret".into())].into()
}

impl Aws {
    fn new() -> Self {
        let script = Script::default();
        let connector = KekConnector::new(script.settings(|_, _| None));
        let id = KekId {
            provider: "aws_kms".to_owned(),
            id: ARN.to_owned(),
        };
        let kek = connector.open(&settings(), &credential(), &id);
        let kek = kek.expect("a key");
        script.set(Answer::ok(encrypted()));
        let wrapped = block_on(kek.wrap(&DataKey::copy_of(&DEK), context(kek.id())));
        Self {
            connector,
            wrapped: wrapped.expect("wrapped"),
            opened: Opened { script, kek },
        }
    }
}

fn encrypted() -> Vec<u8> {
    let blob = STANDARD.encode([0xA5; 184]);
    let answer = json!({
        "CiphertextBlob": blob,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyId": ARN,
        "SourceKeyId": ARN,
    });
    answer.to_string().into_bytes()
}

impl Service for Aws {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn good_answer(&self, operation: Operation) -> Vec<u8> {
        let answer = match operation {
            Operation::Wrap | Operation::Rewrap => return encrypted(),
            Operation::Unwrap | Operation::UnwrapInput => json!({
                "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                "KeyId": ARN,
                "Plaintext": STANDARD.encode(DEK),
            }),
            // DescribeKey and GetKeyRotationStatus in one.
            Operation::Describe => json!({
                "KeyMetadata": {
                    "AWSAccountId": "123456789012",
                    "Arn": ARN,
                    "CreationDate": 1_700_000_000,
                    "Enabled": true,
                    "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab",
                    "KeyManager": "CUSTOMER",
                    "KeySpec": "SYMMETRIC_DEFAULT",
                    "KeyState": "Enabled",
                    "KeyUsage": "ENCRYPT_DECRYPT",
                    "MultiRegion": false,
                    "Origin": "AWS_KMS",
                },
                "KeyRotationEnabled": true,
                "RotationPeriodInDays": 365,
            }),
        };
        answer.to_string().into_bytes()
    }

    fn wrapped(&self) -> WrappedKey {
        self.wrapped.clone()
    }

    /// The context before the ciphertext is this record's, byte for byte.
    fn is_wrap(&self, wrapped: &[u8]) -> bool {
        let own = self.wrapped.as_bytes();
        let context = &own[..own.len() - 184];
        wrapped.len() > context.len() && wrapped.starts_with(context)
    }

    async fn resolve(&self) -> Result<(KekId, KeyDescription), KekError> {
        let resolved = self.connector.resolve(&settings(), &credential()).await?;
        Ok((resolved.id, resolved.description))
    }

    fn expect(&self, operation: Operation, body: &[u8]) {
        if operation == Operation::Unwrap {
            let texts = super::texts_of(body);
            assert!(texts.iter().any(|text| text == ARN), "of another key");
        }
    }
}

thread_local! {
    static SERVICE: Aws = Aws::new();
}

pub(crate) fn aws(input: &[u8]) -> Verdict {
    SERVICE.with(|service| run(service, input))
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    SERVICE.with(|service| seeds_of(service, ERROR))
}
