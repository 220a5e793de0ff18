//! The Transit engine of OpenBAO and Vault, in single requests and in batches.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use planton_core::kek::{KekError, KeyDescription, KeyEncryptionKey};
use planton_envelope::{DataKey, KekId, WrappedKey};
use planton_vendors::http::CannedAnswer;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{
    MountPath, OpenBaoAddress, OpenBaoAuth, OpenBaoClient, OpenBaoConfig,
};
use serde_json::{Value, json};

use super::canned::{Answer, Script, canned, occurs_in, texts_of};
use super::{Opened, Operation, Service, block_on, context, run, seeds_of};
use crate::Verdict;
use crate::keys::DEK;

const ERROR: &[u8] = br#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;

const WRAP: &str = "vault:v1:q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJ";

/// Operations whose items share a request, after those of [`Operation`].
const BATCHES: u8 = 2;

struct Vault {
    opened: Opened,
    described: TransitKek,
}

fn key() -> Value {
    json!({"data": {
        "type": "aes256-gcm96",
        "derived": true,
        "convergent_encryption": false,
        "exportable": false,
        "auto_rotate_period": 7_776_000,
        "latest_version": 2,
        "min_decryption_version": 1,
    }})
}

fn client(script: &Script, knows_the_key: bool) -> OpenBaoClient {
    let config = OpenBaoConfig {
        address: OpenBaoAddress::parse("https://bao.example.com").expect("a URL"),
        namespace: None,
        kv_mount_path: MountPath::parse("secret").expect("a path"),
        transit_mount_path: MountPath::parse("transit").expect("a path"),
        ca_cert_pem: None,
        client_identity: None,
        auth: OpenBaoAuth::Token("t".into()),
        vendor: None,
    };
    let http = script.settings(move |request, url| -> Option<CannedAnswer> {
        let asks_for_key = request.method == Method::GET && url.path().contains("/keys/");
        (knows_the_key && asks_for_key).then(|| canned(Answer::ok(key().to_string())))
    });
    OpenBaoClient::with_http(&config, None, http).expect("a client")
}

fn kek(script: &Script, knows_the_key: bool) -> TransitKek {
    let id = KekId {
        provider: "transit".to_owned(),
        id: "11111111-1111-4111-8111-111111111111/transit/planton".to_owned(),
    };
    TransitKek::customers(&client(script, knows_the_key), "planton", id)
}

impl Vault {
    fn new() -> Self {
        let script = Script::default();
        let kek_with_key = kek(&script, true);
        Self {
            described: kek(&script, false),
            opened: Opened {
                script,
                kek: Arc::new(kek_with_key),
            },
        }
    }

    /// Wraps or unwraps two keys at once, which share a request.
    fn batch(&self, is_wrap: bool, answer: Answer) -> Verdict {
        let (status, body) = (answer.status, answer.body.clone());
        self.opened.script.set(answer);
        let (kek, dek) = (self.kek(), DataKey::copy_of(&DEK));
        let (context, wrapped) = (context(kek.id()), self.wrapped());
        let outcomes = block_on(async {
            if is_wrap {
                let both = tokio::join!(kek.wrap(&dek, context), kek.wrap(&dek, context));
                [both.0.map(drop), both.1.map(drop)]
            } else {
                let both =
                    tokio::join!(kek.unwrap(&wrapped, context), kek.unwrap(&wrapped, context));
                let known = |dek: DataKey| {
                    let texts = texts_of(&body);
                    assert!(texts.iter().any(|text| occurs_in(text, dek.expose())));
                };
                [both.0.map(known), both.1.map(known)]
            }
        });
        let mut taken = 0;
        for outcome in outcomes {
            match outcome {
                Ok(()) => taken += 1,
                Err(error) if status == 200 => super::expect_no_key(&error, &DEK),
                Err(_) => {}
            }
        }
        if let (1.., Ok(answer)) = (taken, serde_json::from_slice::<Value>(&body)) {
            let items = answer["data"]["batch_results"].as_array();
            assert_eq!(items.map(Vec::len), Some(2), "an outcome for each item");
        }
        match taken {
            2 => Verdict::Accepted,
            _ => Verdict::Refused,
        }
    }
}

fn batch(item: &Value, other: &Value) -> Vec<u8> {
    let answer = json!({"data": {"batch_results": [item, other]}});
    answer.to_string().into_bytes()
}

impl Service for Vault {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn good_answer(&self, operation: Operation) -> Vec<u8> {
        let item = json!({"ciphertext": WRAP, "key_version": 2});
        let answer = match operation {
            Operation::Wrap => json!({"data": item}),
            Operation::Unwrap | Operation::UnwrapInput => {
                json!({"data": {"plaintext": STANDARD.encode(DEK)}})
            }
            Operation::Rewrap => return batch(&item, &item),
            Operation::Describe => key(),
        };
        answer.to_string().into_bytes()
    }

    fn wrapped(&self) -> WrappedKey {
        WrappedKey::new(WRAP.as_bytes().to_vec())
    }

    fn is_wrap(&self, wrapped: &[u8]) -> bool {
        wrapped.len() <= 1024 && wrapped.is_ascii() && wrapped.starts_with(b"vault:v")
    }

    async fn resolve(&self) -> Result<(KekId, KeyDescription), KekError> {
        let description = self.described.describe().await?;
        Ok((self.described.id().clone(), description))
    }
}

thread_local! {
    static SERVICE: Vault = Vault::new();
}

/// As the other services; the last two of seven operations are batches.
pub(crate) fn transit(input: &[u8]) -> Verdict {
    let single = u8::try_from(Operation::ALL.len()).expect("few");
    let kind = input.first().map_or(0, |first| first % (single + BATCHES));
    SERVICE.with(
        |service| match (kind.checked_sub(single), super::parts(input)) {
            (Some(batch), Some((_, status, body))) => {
                let body = body.to_vec();
                service.batch(batch == 0, Answer { status, body })
            }
            _ => {
                let mut input = input.to_vec();
                if let Some(first) = input.first_mut() {
                    *first = kind;
                }
                run(service, &input)
            }
        },
    )
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    SERVICE.with(|service| {
        let mut seeds = seeds_of(service, ERROR);
        let (wrap, key) = (
            json!({"ciphertext": WRAP, "key_version": 2}),
            json!({"plaintext": STANDARD.encode(DEK)}),
        );
        let failed = json!({"error": "cipher: message authentication failed"});
        for (name, head, body) in [
            ("batch-wrap", [5, 0], batch(&wrap, &wrap)),
            ("batch-unwrap", [6, 0], batch(&key, &key)),
            ("batch-unwrap-failed-item", [6, 1], batch(&key, &failed)),
            ("batch-rewrap-failed-item", [2, 0], batch(&wrap, &failed)),
            ("batch-of-one", [6, 0], batch(&key, &json!({}))),
        ] {
            seeds.push((name.to_owned(), [&head[..], &body].concat()));
        }
        seeds
    })
}
