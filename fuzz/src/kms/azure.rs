//! Keys in Azure Key Vault.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, header};
use planton_core::kek::{ConnectKek, KekError, KekSettings, KeyDescription};
use planton_core::store::StoreCredential;
use planton_envelope::{DataKey, KekId, WrappedKey};
use planton_vendors::KekConnector;
use planton_vendors::http::{CannedAnswer, HttpRequest};
use serde_json::json;
use url::Url;

use super::canned::{Answer, Script, canned};
use super::{Opened, Operation, Service, binding, run, seeds_of};
use crate::Verdict;
use crate::keys::DEK;

const KEY: &str = "https://acme.vault.azure.net/keys/secrets";
const VERSION: &str = "https://acme.vault.azure.net/keys/secrets/0123456789abcdef0123456789abcdef";

const ERROR: &[u8] = br#"{"error":{"code":"Forbidden","message":"Operation unwrapKey is not allowed on a disabled key.","innererror":{"code":"KeyDisabled"}}}"#;

struct Azure {
    opened: Opened,
    connector: KekConnector,
}

fn settings() -> KekSettings {
    let configuration = json!({
        "key_url": KEY,
        "tenant_id": "11111111-1111-4111-8111-111111111111",
        "client_id": "22222222-2222-4222-8222-222222222222",
    });
    KekSettings {
        kind: "azure_key_vault_key".to_owned(),
        configuration: serde_json::from_value(configuration).expect("an object"),
    }
}

fn credential() -> StoreCredential {
    [("client_secret".to_owned(), "secret".into())].into()
}

/// Answers requests for tokens, the challenge, and a look at the key before a wrap.
fn first(request: &HttpRequest, url: &Url) -> Option<CannedAnswer> {
    let is_of_vault = url.host_str() == Some("acme.vault.azure.net");
    if !is_of_vault {
        let token = json!({"token_type": "Bearer", "expires_in": 86_400, "access_token": "t"});
        return Some(canned(Answer::ok(token.to_string())));
    }
    if !request.headers.contains_key(header::AUTHORIZATION) {
        let mut challenge = canned(Answer {
            status: 401,
            body: Vec::new(),
        });
        let text = "Bearer authorization=\"https://login.microsoftonline.com/t\", \
                    resource=\"https://vault.azure.net\"";
        let text = HeaderValue::from_static(text);
        challenge.headers.insert(header::WWW_AUTHENTICATE, text);
        return Some(challenge);
    }
    None
}

impl Azure {
    fn new() -> Self {
        let script = Script::default();
        let connector = KekConnector::new(script.settings(first));
        let id = KekId {
            provider: "azure_key_vault_key".to_owned(),
            id: VERSION.to_owned(),
        };
        let kek = connector.open(&settings(), &credential(), &id);
        let service = Self {
            connector,
            opened: Opened {
                script,
                kek: kek.expect("a key"),
            },
        };
        // The key is read before the first wrap, and not again.
        let described = service.good_answer(Operation::Describe);
        service.opened.script.set(Answer::ok(described));
        super::block_on(service.opened.kek.describe()).expect("a key that can be used");
        service
    }
}

const CIPHERTEXT: [u8; 256] = [0xA5; 256];

impl Service for Azure {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn good_answer(&self, operation: Operation) -> Vec<u8> {
        let value = match operation {
            Operation::Wrap => CIPHERTEXT.to_vec(),
            Operation::Unwrap | Operation::UnwrapInput | Operation::Rewrap => self.unwrapped(),
            // The key and its rotation policy in one.
            Operation::Describe => {
                let answer = json!({
                    "key": {
                        "kid": VERSION,
                        "kty": "RSA",
                        "key_ops": ["wrapKey", "unwrapKey"],
                        "n": URL_SAFE_NO_PAD.encode([0xFF; 256]),
                        "e": "AQAB",
                    },
                    "attributes": {"enabled": true, "nbf": 1_700_000_000},
                    "lifetimeActions": [
                        {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}},
                    ],
                });
                return answer.to_string().into_bytes();
            }
        };
        let answer = json!({"kid": VERSION, "value": URL_SAFE_NO_PAD.encode(value)});
        answer.to_string().into_bytes()
    }

    fn wrapped(&self) -> WrappedKey {
        WrappedKey::new(CIPHERTEXT.to_vec())
    }

    fn is_wrap(&self, wrapped: &[u8]) -> bool {
        (256..=512).contains(&wrapped.len())
    }

    fn unwrapped(&self) -> Vec<u8> {
        let bound = DataKey::copy_of(&DEK).with_binding(&binding(self.opened.kek.id()));
        bound.expose().to_vec()
    }

    async fn resolve(&self) -> Result<(KekId, KeyDescription), KekError> {
        let resolved = self.connector.resolve(&settings(), &credential()).await?;
        Ok((resolved.id, resolved.description))
    }

    /// An unwrapped key carries its own binding.
    fn expect(&self, operation: Operation, body: &[u8]) {
        if operation == Operation::Unwrap {
            let texts = super::texts_of(body);
            let values = texts
                .iter()
                .filter_map(|text| URL_SAFE_NO_PAD.decode(text).ok());
            let binding = binding(self.opened.kek.id());
            let mut bound = values.filter(|value| value.ends_with(binding.as_bytes()));
            assert!(bound.any(|value| value.len() == 64), "an unbound key");
        }
    }
}

thread_local! {
    static SERVICE: Azure = Azure::new();
}

pub(crate) fn azure(input: &[u8]) -> Verdict {
    SERVICE.with(|service| run(service, input))
}

pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    SERVICE.with(|service| seeds_of(service, ERROR))
}
