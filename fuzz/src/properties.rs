//! Properties of every key type that works without a network: a key file, an age identity,
//! and an RSA key behind canned answers of Key Vault.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use planton_core::kek::{
    ConnectKek, KekErrorKind, KekSettings, KeyEncryptionKey, KeyPurpose, LocalKek, Rewrap,
    WrapContext, WrapNames, WrapObject,
};
use planton_envelope::{DataKey, KekId, RootKey, SecretBytes, WrapBinding, WrappedKey};
use planton_vendors::KekConnector;
use planton_vendors::age::AgeIdentity;
use planton_vendors::http::{
    CannedAnswer, CannedAnswers, HttpRequest, HttpSettings, Proxies, RetryPolicy, Roots,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::runtime::Runtime;
use url::Url;
use uuid::Uuid;

use crate::keys::IDENTITY;

const KEY_URL: &str = "https://acme.vault.azure.net/keys/secrets";
const VERSION: &str = "0123456789abcdef0123456789abcdef";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static KEYS: LazyLock<Vec<Arc<dyn KeyEncryptionKey>>> = LazyLock::new(|| {
    let root = RootKey::generate().expect("randomness");
    let organization = "acme".parse().expect("a slug");
    vec![
        Arc::new(LocalKek::new(&root, &organization)),
        Arc::new(AgeIdentity::parse(IDENTITY).expect("an identity")),
        azure(),
    ]
});

/// Returns an RSA key, and answers what Key Vault would.
fn azure() -> Arc<dyn KeyEncryptionKey> {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("randomness");
    let public = OaepPublicEncryptingKey::new(private.public_key()).expect("an RSA key");
    let private = OaepPrivateDecryptingKey::new(private).expect("an RSA key");
    let answer = move |request: &HttpRequest, url: &Url| {
        if url.host_str() != Some("acme.vault.azure.net") {
            let token = json!({"token_type": "Bearer", "expires_in": 86_400, "access_token": "t"});
            return answered(StatusCode::OK, &token);
        }
        if !request.headers.contains_key(header::AUTHORIZATION) {
            let mut challenge = answered(StatusCode::UNAUTHORIZED, &json!({}));
            let text = "Bearer authorization=\"https://login.microsoftonline.com/t\", \
                        resource=\"https://vault.azure.net\"";
            let text = HeaderValue::from_static(text);
            challenge.headers.insert(header::WWW_AUTHENTICATE, text);
            return challenge;
        }
        let body = request.body.as_ref().map_or(&[][..], SecretBytes::expose);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let sent = URL_SAFE_NO_PAD.decode(body["value"].as_str().unwrap_or_default());
        let sent = sent.expect("base64url");
        let algorithm = &OAEP_SHA256_MGF1SHA256;
        let mut room = [0; 256];
        let changed = match url.path().rsplit('/').next() {
            Some("wrapkey") => public.encrypt(algorithm, &sent, &mut room, None),
            Some("unwrapkey") => private.decrypt(algorithm, &sent, &mut room, None),
            _ => return answered(StatusCode::OK, &described()),
        };
        match changed {
            Ok(value) => {
                let value = URL_SAFE_NO_PAD.encode(value);
                answered(StatusCode::OK, &json!({"kid": kid(), "value": value}))
            }
            Err(_) => answered(
                StatusCode::BAD_REQUEST,
                &json!({"error": {"code": "BadParameter", "message": "decryption failed"}}),
            ),
        }
    };
    let configuration = json!({
        "key_url": KEY_URL,
        "tenant_id": "11111111-1111-4111-8111-111111111111",
        "client_id": "22222222-2222-4222-8222-222222222222",
    });
    let settings = KekSettings {
        kind: "azure_key_vault_key".to_owned(),
        configuration: serde_json::from_value(configuration).expect("an object"),
    };
    let credential = [("client_secret".to_owned(), "secret".into())].into();
    let id = KekId {
        provider: "azure_key_vault_key".to_owned(),
        id: kid(),
    };
    let connector = KekConnector::new(HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        retry: RetryPolicy {
            max_tries: 1,
            ..RetryPolicy::default()
        },
        request_log: None,
        canned: Some(CannedAnswers::new(answer)),
        ..HttpSettings::default()
    });
    let opened = connector.open(&settings, &credential, &id);
    opened.expect("a key")
}

fn kid() -> String {
    format!("{KEY_URL}/{VERSION}")
}

fn described() -> Value {
    json!({
        "key": {
            "kid": kid(),
            "kty": "RSA",
            "key_ops": ["wrapKey", "unwrapKey"],
            "n": URL_SAFE_NO_PAD.encode([0xFF; 256]),
        },
        "attributes": {"enabled": true},
    })
}

fn answered(status: StatusCode, body: &Value) -> CannedAnswer {
    let json = HeaderValue::from_static("application/json");
    CannedAnswer {
        status,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
        body: SecretBytes::new(body.to_string().into_bytes()),
    }
}

fn names() -> impl Strategy<Value = WrapNames> {
    let slug = || "[a-z]([a-z0-9-]{0,61}[a-z0-9])?";
    (slug(), prop::option::of((slug(), any::<bool>()))).prop_map(|(organization, object)| {
        let parse = |text: &str| text.parse().expect("a slug");
        WrapNames {
            organization: parse(&organization),
            purpose: match &object {
                None => KeyPurpose::MacKey,
                Some((_, true)) => KeyPurpose::BackendCredential,
                Some((_, false)) => KeyPurpose::KekCredential,
            },
            object: object.map(|(name, _)| WrapObject::Backend(parse(&name))),
        }
    })
}

fn is_same(one: &DataKey, other: &DataKey) -> bool {
    one.ct_eq(other).into()
}

/// Checks that `kek` refuses a wrap. An altered one never opens as another key either.
fn expect_refused(
    kek: &dyn KeyEncryptionKey,
    wrapped: &[u8],
    context: WrapContext<'_>,
) -> Result<(), TestCaseError> {
    let wrapped = WrappedKey::new(wrapped.to_vec());
    let refused = RUNTIME.block_on(kek.unwrap(&wrapped, context));
    let kind = refused.map(drop).map_err(|error| error.kind());
    prop_assert_eq!(kind, Err(KekErrorKind::Refused), "{}", kek.id().provider);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_wrapped_opens_rewrapped_or_not_under_its_own_binding_alone(
        dek in any::<[u8; 32]>(),
        organizations in any::<[[u8; 16]; 2]>(),
        names in names(),
        flipped in any::<(prop::sample::Index, u8)>(),
        length in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        prop_assume!(organizations[0] != organizations[1]);
        let dek = DataKey::copy_of(&dek);
        for kek in KEYS.iter() {
            let [own, other] = organizations.map(|organization| {
                let binding = WrapBinding::for_mac_key(Uuid::from_bytes(organization), kek.id());
                names.bound(binding)
            });
            let wrapped = RUNTIME.block_on(kek.wrap(&dek, own)).expect("wrapped");
            let bytes = wrapped.as_bytes();
            prop_assert!(bytes.len() <= kek.max_wrapped_bytes());
            prop_assert!(!bytes.windows(32).any(|window| window == dek.expose()));

            let work = [Rewrap { wrapped: &wrapped, context: own }];
            let rewrapped = RUNTIME.block_on(kek.rewrap(&work)).remove(0).expect("rewrapped");
            for wrapped in [&wrapped, &rewrapped] {
                let opened = RUNTIME.block_on(kek.unwrap(wrapped, own)).expect("opened");
                prop_assert!(is_same(&opened, &dek));
                expect_refused(kek.as_ref(), wrapped.as_bytes(), other)?;
            }

            let mut altered = bytes.to_vec();
            altered[flipped.0.index(bytes.len())] ^= flipped.1.max(1);
            expect_refused(kek.as_ref(), &altered, own)?;
            expect_refused(kek.as_ref(), &bytes[..length.index(bytes.len())], own)?;
            expect_refused(kek.as_ref(), &[bytes, &more].concat(), own)?;
        }
    }
}

#[test]
fn each_flipped_byte_of_a_wrap_is_refused() {
    let names = WrapNames::mac_key(&"acme".parse().expect("a slug"));
    let dek = DataKey::copy_of(&[7; 32]);
    for kek in KEYS.iter() {
        let binding = WrapBinding::for_mac_key(Uuid::from_bytes([1; 16]), kek.id());
        let context = names.bound(binding);
        let wrapped = RUNTIME.block_on(kek.wrap(&dek, context)).expect("wrapped");
        for at in 0..wrapped.as_bytes().len() {
            let mut altered = wrapped.as_bytes().to_vec();
            altered[at] ^= 1 << (at % 8);
            expect_refused(kek.as_ref(), &altered, context).expect("refused");
        }
    }
}
