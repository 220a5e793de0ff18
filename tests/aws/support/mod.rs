//! The emulator that tests share, and a separate place for each test.

pub(crate) mod child;
pub(crate) mod metadata;

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::primitives::Blob;
use planton_core::store::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreCredential, StoreError, StoreSettings, VersionStatus,
};
use planton_vendors::aws::client::{AwsIdentitySettings, AwsSession, StaticCredential};
use planton_vendors::aws::{AwsConfig, AwsCredential, AwsSecretsManagerStore};
use planton_vendors::http::{HttpSettings, Proxies, RetryPolicy, Roots};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;
use xtask::moto::Moto;
use xtask::tools::Tools;

pub(crate) const PAYLOAD: &[u8] = b"PSE1\x01\x00\xff sealed";
pub(crate) const REGION: &str = Moto::REGION;

/// Names, a role and an access key of one test. The key has the grants of the guide, for
/// an organization named `unique`.
pub(crate) struct Place {
    pub(crate) moto: Arc<Moto>,
    pub(crate) unique: String,
    pub(crate) key_id: String,
    pub(crate) secret_key: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let mut unique = Uuid::new_v4().simple().to_string();
        unique.truncate(12);
        let place = Self {
            moto: shared().await,
            key_id: format!("AKIA{}", unique.to_uppercase()),
            secret_key: format!("secret-{unique}/+=key"),
            unique,
        };
        let (id, secret) = (&place.key_id, &place.secret_key);
        place.moto.allow_key(id, secret, None).unwrap();
        let policy = guides_policy(&place.unique);
        place.moto.attach_policy(id, &policy).unwrap();
        place
    }

    /// Returns a role of this place with the guide's grants. The key may only assume it.
    pub(crate) fn role(&self, external_id: Option<&str>) -> String {
        let role = format!("arn:aws:iam::123456789012:role/{}", self.unique);
        self.moto.allow_role(&role, external_id).unwrap();
        let policy = guides_policy(&self.unique);
        self.moto.attach_policy(&role, &policy).unwrap();
        let take = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role});
        let take = json!({ "Statement": [take] });
        self.moto.attach_policy(&self.key_id, &take).unwrap();
        role
    }

    pub(crate) fn name(&self) -> RemoteName {
        self.named("db")
    }

    pub(crate) fn named(&self, slug: &str) -> RemoteName {
        RemoteName::new(format!("planton/{}/org/{slug}-0badcafe", self.unique))
    }

    /// Returns the settings of a static key, with further ones.
    pub(crate) fn settings(&self, more: Value) -> StoreSettings {
        let mut configuration: BTreeMap<String, Value> = serde_json::from_value(json!({
            "region": REGION,
            "access_key_id": self.key_id,
            "endpoint": self.moto.address(),
        }))
        .unwrap();
        let more: BTreeMap<String, Value> = serde_json::from_value(more).unwrap();
        configuration.extend(more);
        settings_of(configuration)
    }

    pub(crate) fn credential(&self) -> StoreCredential {
        let secret = self.secret_key.as_str().into();
        [("secret_access_key".to_owned(), secret)].into()
    }

    pub(crate) fn store(&self) -> AwsSecretsManagerStore {
        self.store_with(json!({}))
    }

    pub(crate) fn store_with(&self, more: Value) -> AwsSecretsManagerStore {
        open(&self.settings(more), &self.credential()).unwrap()
    }

    /// Returns AWS's own client, as another principal would use it.
    pub(crate) async fn sdk(&self) -> Client {
        let identity = AwsIdentitySettings {
            region: Some(REGION.to_owned()),
            credential: Some(StaticCredential {
                access_key_id: self.key_id.clone(),
                secret_access_key: self.secret_key.as_str().into(),
                session_token: None,
            }),
            ..AwsIdentitySettings::default()
        };
        let session = AwsSession::connect(identity, hasty()).await.unwrap();
        let builder = Builder::from(session.config()).endpoint_url(self.moto.address());
        Client::from_conf(builder.build())
    }

    /// Puts a foreign version under the name.
    pub(crate) async fn intrude(&self, name: &RemoteName, stages: &[&str]) {
        let put = self.sdk().await.put_secret_value();
        put.secret_id(name.as_str())
            .client_request_token(Uuid::new_v4().to_string())
            .secret_binary(Blob::new(b"somebody else's"))
            .set_version_stages(Some(stages.iter().map(|s| (*s).to_owned()).collect()))
            .send()
            .await
            .unwrap();
    }

    /// Deletes a secret without a recovery window.
    pub(crate) async fn remove(&self, name: &RemoteName) {
        let delete = self.sdk().await.delete_secret().secret_id(name.as_str());
        delete
            .force_delete_without_recovery(true)
            .send()
            .await
            .unwrap();
    }

    /// Returns the requests for names and roles of this place, without the key's name.
    pub(crate) fn requests(&self) -> Vec<String> {
        let lines = self.moto.requests(&self.unique).unwrap().into_iter();
        let parts = lines.map(|line| {
            let parts: Vec<_> = line.split(' ').collect();
            format!("{} {}", parts[0], parts[2])
        });
        parts.collect()
    }
}

pub(crate) async fn shared() -> Arc<Moto> {
    static SHARED: Mutex<Weak<Moto>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(moto) = shared.upgrade() {
        return moto;
    }
    let moto = Arc::new(Moto::start(&Tools::locate().unwrap()).unwrap());
    *shared = Arc::downgrade(&moto);
    moto
}

/// Returns the policy that `docs/guides/backends.md` prints, for another organization.
fn guides_policy(organization: &str) -> Value {
    let guide = include_str!("../../../docs/guides/backends.md");
    let (_, section) = guide.split_once("\n## AWS Secrets Manager\n").unwrap();
    let (_, policy) = section.split_once("```json\n").unwrap();
    let (policy, _) = policy.split_once("```").unwrap();
    let ours = ":secret:planton/acme/*";
    assert_eq!(policy.matches(ours).count(), 1, "{policy}");
    let policy = policy.replace(ours, &format!(":secret:planton/{organization}/*"));
    serde_json::from_str(&policy).unwrap()
}

pub(crate) fn settings_of(configuration: BTreeMap<String, Value>) -> StoreSettings {
    StoreSettings {
        kind: "aws_secrets_manager".to_owned(),
        name_prefix: "planton".to_owned(),
        configuration,
    }
}

pub(crate) fn open(
    settings: &StoreSettings,
    credential: &StoreCredential,
) -> Result<AwsSecretsManagerStore, StoreError> {
    let config = AwsConfig::from_settings(settings)?;
    let credential = AwsCredential::from_parts(&config, credential)?;
    AwsSecretsManagerStore::new(config, credential, hasty())
}

/// Returns the settings of a store with short timeouts.
pub(crate) fn hasty() -> HttpSettings {
    HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        retry: RetryPolicy {
            base_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(10),
            ..RetryPolicy::default()
        },
        request_log: None,
        ..HttpSettings::default()
    }
}

pub(crate) fn version(version: u64, keep: &[&NativeVersionId]) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: keep.iter().copied().cloned().collect(),
        labels: BTreeMap::new(),
    }
}

pub(crate) async fn status(
    store: &AwsSecretsManagerStore,
    name: &RemoteName,
    version: &NativeVersionId,
) -> Result<VersionStatus, StoreError> {
    let options = DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    };
    store.describe(name, options).await
}

/// Returns the requests that `operation` sends through `store`.
pub(crate) async fn counted<T>(
    store: &AwsSecretsManagerStore,
    operation: impl Future<Output = T>,
) -> (T, u64) {
    let before = store.requests();
    let outcome = operation.await;
    (outcome, store.requests() - before)
}

/// Returns every text of an error that a user or a log can see.
pub(crate) fn shown(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?} {}", error.remedy().unwrap_or_default());
    let mut source = error.source();
    while let Some(beneath) = source {
        text = format!("{text} {beneath} {beneath:?}");
        source = beneath.source();
    }
    text
}
