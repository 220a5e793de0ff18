//! A thousand secrets on a real OpenBAO: the requests of their creation and of their rewrap, and what
//! opens afterwards.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use planton_core::operations::{
    BackendArguments, BackendOnDestroy, DeclaredKeys, Interrupt, Organization, PLATFORM_BACKEND,
    RegisterBackend, RewrapProgress, SecretValue, SecretView, Selector, Verify,
};
use planton_vendors::http::RetryPolicy;
use xtask::faults::{FaultProxy, Seen};

use super::support::Place;
use super::support::organization::creation;

/// Number of concurrent creations, as in an apply with Terraform's default parallelism.
const CREATED_AT_ONCE: usize = 10;

/// Number of concurrent reads.
const AT_ONCE: usize = 50;

async fn created(process: &Organization, name: &str, value: &str) -> SecretView {
    let interrupt = Interrupt::default();
    let create = process.secrets().create(creation(name, value), &interrupt);
    create.await.unwrap()
}

async fn opened(process: &Organization, name: &str) -> String {
    let selector = Selector::Name(name.parse().unwrap());
    let opened = process.secrets().open(&selector, None).await.unwrap();
    match opened.value {
        SecretValue::Text(text) => text.expose().to_owned(),
        _ => panic!("{name} is no text"),
    }
}

async fn rewrapped(process: &Organization, backend: &str) -> RewrapProgress {
    let interrupt = Interrupt::default();
    let backend = backend.parse().unwrap();
    let rewrap = process.keys().rewrap(&backend, &|_| {}, &interrupt);
    interrupt.bound(rewrap).await.unwrap()
}

/// Declares the place's own KV mount as a backend, with a token that is sealed.
async fn declared(place: &Place, process: &Organization) {
    let own = place.own("openbao").given("token", place.root_token());
    let mut settings = own.settings;
    "own".clone_into(&mut settings.name_prefix);
    let declaration = RegisterBackend {
        name: "own".parse().unwrap(),
        description: None,
        settings,
        fixed: Vec::new(),
        credential: own.credential,
        keys: DeclaredKeys::default(),
        arguments: BackendArguments {
            credentials_wo_version: Some("1".to_owned()),
            verify_connection: false,
            on_destroy: BackendOnDestroy::Delete,
        },
    };
    let interrupt = Interrupt::default();
    let registered = process.backends().register(declaration, &interrupt);
    registered.await.unwrap();
}

async fn rotated(place: &Place) {
    for key in ["planton-acme", "planton-acme.mac"] {
        let path = format!("{}/keys/{key}/rotate", place.config.transit_mount_path);
        place.admin.ok("POST", &path, "").await;
    }
}

/// Destroys all versions of the keys but the newest, `version`, for good.
async fn retired(place: &Place, version: u64) {
    for key in ["planton-acme", "planton-acme.mac"] {
        let path = format!("{}/keys/{key}", place.config.transit_mount_path);
        let least =
            format!(r#"{{"min_decryption_version":{version},"min_encryption_version":{version}}}"#);
        place
            .admin
            .ok("POST", &format!("{path}/config"), &least)
            .await;
        let trim = format!(r#"{{"min_available_version":{version}}}"#);
        place.admin.ok("POST", &format!("{path}/trim"), &trim).await;
        let left = place.admin.ok("GET", &path, "").await;
        let left = left["data"]["keys"].as_object().unwrap();
        assert_eq!(left.keys().collect::<Vec<_>>(), [&version.to_string()]);
    }
}

/// Names what a request does.
fn kind(place: &Place, request: &Seen) -> String {
    let path = request.path().trim_start_matches("/v1/");
    let records = format!("{}/data/catalog/acme/secrets/", place.kv());
    let list = format!("{}/metadata/catalog/acme/secrets", place.kv());
    let organization = format!("{}/data/catalog/acme/organization", place.kv());
    let fences = format!("{}/data/{}", place.kv(), place.fence_path());
    let objects = format!("{}/data/planton/", place.kv());
    let objects_deleted = format!("{}/metadata/planton/", place.kv());
    let transit = format!("{}/", place.config.transit_mount_path);
    let kinds = [
        (records.as_str(), "record"),
        (list.as_str(), "list"),
        (organization.as_str(), "organization"),
        (fences.as_str(), "fence"),
        (objects.as_str(), "envelope"),
        (objects_deleted.as_str(), "envelope"),
    ];
    let known = kinds.iter().find(|(prefix, _)| path.starts_with(prefix));
    match known {
        Some((_, what)) => format!("{} {what}", request.method()),
        None if path.starts_with(&transit) => {
            let operation = path[transit.len()..].split('/').next().unwrap_or_default();
            format!("{} transit {operation}", request.method())
        }
        None => "other".to_owned(),
    }
}

/// Counts the requests by what they do.
fn kinds(place: &Place, proxy: &FaultProxy) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in &proxy.requests() {
        *counts.entry(kind(place, request)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrap_of_a_thousand_versions_takes_ten_batches_and_retires_the_former_key_versions() {
    let place = Place::new().await;
    let process = place.process();
    let name = |number: usize| format!("s{number}");
    created(&process, &name(0), "value 0").await;
    declared(&place, &process).await;
    let proxy = place.proxy();
    let apply = place.process_at(proxy.address(), RetryPolicy::default());
    stream::iter(1..1_000)
        .map(|number| {
            let apply = &apply;
            async move { created(apply, &name(number), &format!("value {number}")).await }
        })
        .buffer_unordered(CREATED_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    // A hundred, if the ten were always answered together.
    let wraps = kinds(&place, &proxy)["POST transit encrypt"];
    assert!(wraps <= 200, "{wraps} requests");
    rotated(&place).await;

    let proxy = place.proxy();
    let operator = place.process_at(proxy.address(), RetryPolicy::default());
    let progress = rewrapped(&operator, PLATFORM_BACKEND).await;
    assert_eq!((progress.rewrapped, progress.current), (1_000, 0));
    assert!(progress.failed.is_empty() && progress.kept.is_empty());
    let mut counts = kinds(&place, &proxy);
    // The organization's record is read first, and twice for each hundred versions. A fence precedes
    // each read of it, one the listing, and one the look at the key. docs/benchmarks.md has the sum.
    let read = counts.remove("GET organization").unwrap_or_default();
    assert!(read <= 2 + 10 * 2, "{read} {counts:?}");
    let fences = counts.remove("POST fence").unwrap_or_default();
    assert!(fences <= read + 2, "{fences} {counts:?}");
    // Each of the two keys is looked at, and the newest version of one is asked for.
    let keys = counts.remove("GET transit keys").unwrap_or_default();
    assert!(keys <= 4, "{keys} {counts:?}");
    let expected = [
        ("DELETE envelope", 1_000),
        ("GET envelope", 1_000),
        ("GET list", 1),
        ("GET record", 1_000),
        ("POST envelope", 1_000),
        ("POST record", 1_000),
        // The MAC key.
        ("POST transit decrypt", 1),
        ("POST transit rewrap", 10),
    ];
    let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(counts, BTreeMap::from(expected));

    // Records follow: the MAC key, and the credential of the backend.
    let interrupt = Interrupt::default();
    let records = operator.keys().rewrap_records(&interrupt).await.unwrap();
    assert!(records.mac_key && records.failed.is_empty(), "{records:?}");
    assert_eq!(records.credentials, 1);

    retired(&place, 2).await;
    everything_opens(&place, 1_000).await;
}

/// Opens everything in a new process: values, MACs, and the credential of the backend.
async fn everything_opens(place: &Place, secrets: usize) {
    let process = place.process();
    let values: Vec<_> = stream::iter(0..secrets)
        .map(|number| {
            let process = &process;
            async move { (number, opened(process, &format!("s{number}")).await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (number, value) in values {
        assert_eq!(value, format!("value {number}"));
    }
    let interrupt = Interrupt::default();
    let found = process
        .keys()
        .verify(Verify::default(), &|_| {}, &interrupt);
    let found = found.await.unwrap();
    assert_eq!((found.versions, found.due), (secrets, 0));
    assert_eq!(found.findings, []);
    let mut own = creation("own", "in the backend");
    own.backend = Some("own".parse().unwrap());
    let created = process.secrets().create(own, &interrupt).await;
    created.unwrap();
    assert_eq!(opened(&place.process(), "own").await, "in the backend");
}
