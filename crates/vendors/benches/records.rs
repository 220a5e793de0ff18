//! Fills an organization with secrets, for the benchmarks of large organizations.
//!
//! `cargo bench --package planton-vendors --bench records`, with the number of secrets in
//! `PLANTON_BENCH_SECRETS`, the organization in `PLANTON_ORG`, and the platform in
//! `PLANTON_DATA_DIR`, or `PLANTON_ADDR` and `PLANTON_TOKEN`. `cargo xtask bench --large` runs
//! it. Without a number, it does nothing.

use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use planton_core::kek::LocalKek;
use planton_core::names::Slug;
use planton_core::operations::{
    CreateSecret, Interrupt, OnDestroy, Organization, Platform, SecretArguments, SecretMetadata,
    SecretValue, ValueSource,
};
use planton_vendors::embedded::sqlite::{DatabaseOptions, KeyFileRule, open_with_key};
use planton_vendors::embedded::{EmbeddedCatalog, EmbeddedStore, LocalKeyFile};
use planton_vendors::openbao::client::{
    MountPath, OpenBaoAddress, OpenBaoAuth, OpenBaoClient, OpenBaoConfig, PolicyRole, PolicyScope,
};
use planton_vendors::openbao::{OpenBaoCatalog, OpenBaoStore, TransitKek};
use planton_vendors::{Connector, KekConnector};

type Failure = Box<dyn Error + Send + Sync>;

/// The number of creations at once. More do not make OpenBAO faster on two cores.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Ok(secrets) = env::var("PLANTON_BENCH_SECRETS") else {
        return Ok(());
    };
    let secrets: usize = secrets.parse()?;
    let slug: Slug = env::var("PLANTON_ORG")?.parse()?;
    let platform = match env::var("PLANTON_DATA_DIR") {
        Ok(folder) => embedded(Path::new(&folder), &slug).await?,
        Err(_) => openbao(&slug)?,
    };
    let organization = Organization::new(slug, platform);
    let begun = Instant::now();
    stream::iter(0..secrets)
        .map(|number| create(&organization, number))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    println!(
        "{secrets} creations took {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn create(organization: &Organization, number: usize) -> Result<(), Failure> {
    let request = CreateSecret {
        name: format!("filler-{number}").parse()?,
        backend: None,
        source: ValueSource::Given(SecretValue::Text(
            format!("value of {number}").as_str().into(),
        )),
        metadata: SecretMetadata::default(),
        arguments: SecretArguments {
            value_wo_version: Some("1".to_owned()),
            generate: None,
            copy_from: None,
            deletion_protection: false,
            on_destroy: OnDestroy::Delete,
            keep_versions: 10,
            takes_over: None,
        },
        replaces: Vec::new(),
    };
    let secrets = organization.secrets();
    secrets.create(request, &Interrupt::default()).await?;
    Ok(())
}

async fn embedded(folder: &Path, slug: &Slug) -> Result<Platform, Failure> {
    let opened = open_with_key(folder, DatabaseOptions::default(), |path, rule| {
        Ok::<_, Failure>(match rule {
            KeyFileRule::CreateIfAbsent => LocalKeyFile::create(path)?,
            KeyFileRule::MustExist => LocalKeyFile::open(path)?,
        })
    });
    let (database, key_file) = opened.await?;
    let kek = Arc::new(LocalKek::new(key_file.root_key(), slug));
    Ok(Platform {
        catalog: Arc::new(EmbeddedCatalog::new(database.clone(), slug.clone())),
        mac_kek: kek.clone(),
        kek,
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(EmbeddedStore::new(database)),
        connector: Arc::new(Connector::default()),
    })
}

fn openbao(slug: &Slug) -> Result<Platform, Failure> {
    let config = OpenBaoConfig {
        address: OpenBaoAddress::parse(&env::var("PLANTON_ADDR")?)?,
        namespace: None,
        kv_mount_path: MountPath::parse("planton")?,
        transit_mount_path: MountPath::parse("transit")?,
        ca_cert_pem: None,
        client_identity: None,
        auth: OpenBaoAuth::Token(env::var("PLANTON_TOKEN")?.as_str().into()),
        vendor: None,
    };
    let scope = PolicyScope {
        kv_mount_path: config.kv_mount_path.clone(),
        transit_mount_path: config.transit_mount_path.clone(),
        organization: slug.clone(),
        name_prefix: "planton".to_owned(),
    };
    let client = OpenBaoClient::new(&config, Some(&scope.fence_path("bench")))?;
    Ok(Platform {
        catalog: Arc::new(OpenBaoCatalog::new(&client, &scope, PolicyRole::Apply)),
        kek: Arc::new(TransitKek::platform(&client, &scope)),
        mac_kek: Arc::new(TransitKek::platform_mac(&client, &scope)),
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(OpenBaoStore::platform(&client, &scope)),
        connector: Arc::new(Connector::default()),
    })
}
