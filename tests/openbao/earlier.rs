//! Tests OpenBAO 2.6, whose standbys serve reads, and whose writes return no index.

use planton_core::catalog::{CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::kek::{KeyEncryptionKey, ProvisionKek};
use planton_core::names::Slug;
use planton_core::operations::Organization;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, SecretStore, StoreErrorKind, VersionStatus,
};
use planton_envelope::{DataKey, WrapBinding};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{
    KvEntry, OpenBaoClient, PolicyRole, PolicyScope, policy_text,
};
use test_support::refresh_listing::{create, refresh, rotate};
use test_support::wrapping::bound;
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match, ProxyOptions};
use xtask::openbao::{Cluster, Release, ServerOptions};
use xtask::tools::Tools;

use super::own::{PAYLOAD, name, version};
use super::refresh_listing::unchanged;
use super::support::admin::Admin;
use super::support::organization::platform;
use super::support::own::Own;
use super::support::{config, counted, mount, token};

const ROUNDS: usize = 20;

fn scope(organization: &str) -> PolicyScope {
    PolicyScope {
        kv_mount_path: mount("kv"),
        transit_mount_path: mount("transit"),
        organization: Slug::parse(organization).unwrap(),
        name_prefix: "planton".to_owned(),
    }
}

/// A cluster, and the addresses of its leader and of a standby.
struct Behind {
    cluster: Cluster,
    leader: String,
    standby: String,
}

impl Behind {
    async fn start(lines: &[&str]) -> Self {
        let options = ServerOptions {
            release: Release::Earlier,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..ServerOptions::default()
        };
        let starting = tokio::task::spawn_blocking(move || {
            let cluster = Cluster::start(&Tools::locate().unwrap(), 3, &options).unwrap();
            let (leader, standby) = (
                cluster.await_leader().unwrap(),
                cluster.await_standby().unwrap(),
            );
            let at = |index: usize| cluster.addresses()[index].to_owned();
            let (leader, standby) = (at(leader), at(standby));
            Self {
                cluster,
                leader,
                standby,
            }
        });
        let behind = starting.await.unwrap();
        let admin = behind.admin(&behind.leader);
        admin.enable_kv2("kv").await;
        let transit = r#"{"type":"transit"}"#;
        admin.ok("POST", "sys/mounts/transit", transit).await;
        let standby = behind.admin(&behind.standby);
        standby.await_mount("kv").await;
        while standby.call("GET", "transit/keys/none", "").await.1["errors"]
            != serde_json::json!([])
        {
            tokio::task::yield_now().await;
        }
        behind
    }

    fn admin(&self, address: &str) -> Admin {
        Admin::new(address, self.cluster.root_token())
    }

    /// Returns the client of a new process. Without a fence it accepts stale reads.
    fn client(&self, address: &str, fence: Option<&str>) -> OpenBaoClient {
        let auth = token(self.cluster.root_token());
        OpenBaoClient::new(&config(address, "kv", "transit", auth), fence).unwrap()
    }

    fn fenced(&self, address: &str) -> OpenBaoClient {
        self.client(address, Some(&scope("acme").fence_path("test")))
    }

    /// Starts a proxy in front of the standby that reports another release.
    fn standby_of(&self, release: &str) -> FaultProxy {
        let proxy = FaultProxy::start(&ProxyOptions::to(&self.standby)).unwrap();
        let health = serde_json::json!({"version": release, "standby": true}).to_string();
        let answer = Fault::status(200).with_body(&health);
        proxy.fail(answer.on(Match::path("/sys/health")).times(usize::MAX));
        proxy
    }
}

fn catalog(client: &OpenBaoClient) -> OpenBaoCatalog {
    OpenBaoCatalog::new(client, &scope("acme"), PolicyRole::Apply)
}

fn record(text: &str) -> StoredRecord {
    StoredRecord {
        body: text.to_owned(),
        mac: "00".to_owned(),
    }
}

#[tokio::test]
async fn through_a_standby_of_2_6_nothing_is_stale_and_no_conflict_is_invented() {
    let behind = Behind::start(&[]).await;
    let leading = behind.fenced(&behind.leader);
    let writer = catalog(&leading);
    let key = |kind: &str, round: usize| RecordKey::new(format!("secrets/{kind}/{round}"));
    let (mut missed, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let write = async |kind: &str| {
            let key = key(kind, round);
            let revision = writer.write(&key, &record("one"), Revision::ABSENT).await;
            (key, revision.unwrap())
        };
        // The control: without a fence, a standby returns a stale read.
        let (unfenced_key, _) = write("control").await;
        let unfenced = behind.client(&behind.standby, None).kv();
        let path = format!("catalog/acme/{unfenced_key}");
        let entry = unfenced.read::<serde_json::Value>(&path).await.unwrap();
        missed += usize::from(entry == KvEntry::Absent);
        let (cas_key, revision) = write("control-cas").await;
        let path = format!("catalog/acme/{cas_key}");
        let data = serde_json::json!({"body": "two", "mac": "00"});
        let written = unfenced.write(&path, &data, revision.0).await;
        refused += usize::from(written.is_err());

        let (read_key, revision) = write("read").await;
        let fresh = catalog(&behind.fenced(&behind.standby));
        let read = fresh.read(&read_key).await.unwrap();
        assert_eq!(read, Some((record("one"), revision)), "read {round}");

        let (cas_key, revision) = write("cas").await;
        let fresh = catalog(&behind.fenced(&behind.standby));
        let next = fresh.write(&cas_key, &record("two"), revision).await;
        let next = next.unwrap_or_else(|error| panic!("cas {round}: {error:?}"));
        let read = fresh.read_fenced(&cas_key).await.unwrap();
        assert_eq!(read, Some((record("two"), next)), "own {round}");
        let last = fresh.write(&cas_key, &record("three"), next).await;
        assert_eq!(last.unwrap(), Revision(3), "again {round}");

        // One run marks a backend. A run that writes an entry afterwards must see the
        // mark.
        let (mark_key, revision) = write("mark").await;
        let fresh = catalog(&behind.fenced(&behind.standby));
        let marked = writer.write(&mark_key, &record("two"), revision).await;
        let entry = key("entry", round);
        let one = record("one");
        let entered = fresh.write(&entry, &one, Revision::ABSENT).await;
        entered.unwrap();
        let look = fresh.read_since_own_writes(&mark_key).await.unwrap();
        assert_eq!(look, Some((record("two"), marked.unwrap())), "look {round}");

        let (listed, _) = write("listed").await;
        let fresh = catalog(&behind.fenced(&behind.standby));
        let keys = fresh.list("secrets").await.unwrap();
        assert!(keys.contains(&listed), "list {round}");
        let none = fresh.list("backends").await.unwrap();
        assert!(none.is_empty(), "nothing to list {round}: {none:?}");
    }
    eprintln!("unfenced: {missed} missed, {refused} refused of {ROUNDS}");
    assert!(missed > 0, "the server does what all this is for");
    assert!(refused > 0, "the server does what all this is for");
}

#[tokio::test]
async fn an_object_is_found_and_removed_through_a_standby_of_2_6() {
    let behind = Behind::start(&[]).await;
    let own = |address: &str| {
        let own = Own::new("openbao", address, "kv");
        own.given("token", behind.cluster.root_token()).store()
    };
    for round in 0..ROUNDS {
        let leading = own(&behind.leader);
        let id = leading.put(&name(), PAYLOAD, version(1)).await.unwrap();
        let fresh = own(&behind.standby);
        let about = DescribeOptions {
            version: id.clone(),
            others: Vec::new(),
            absence: Absence::Confirmed,
        };
        let status = fresh.describe(&name(), about).await.unwrap();
        assert_eq!(status, VersionStatus::Present, "describe {round}");

        // A process can delete its own put at once. A stale standby would report that
        // there is nothing to delete.
        let mine = fresh.put(&name(), PAYLOAD, version(2)).await.unwrap();
        let versions = vec![id, mine];
        let what = Deletion::Object { versions };
        fresh.delete(&name(), what).await.unwrap();
        let left = behind.client(&behind.leader, None).kv();
        let left = left.list(name().as_str()).await.unwrap();
        assert!(left.is_empty(), "delete {round}: {left:?}");
    }
}

#[tokio::test]
async fn a_listing_through_a_standby_of_2_6_changes_no_result() {
    let behind = Behind::start(&[]).await;
    let process = |address: &str| {
        let platform = platform(&behind.fenced(address), &scope("acme"));
        Organization::new(Slug::parse("acme").unwrap(), platform)
    };
    let writer = process(&behind.leader);
    let mut views = create(&writer, 20).await;
    let mut confirmed = 0;
    for round in 0..ROUNDS {
        // A plan after an apply. The standby may not have its write yet.
        views[round] = rotate(&writer, &views[round]).await;
        let refreshed = refresh(&process(&behind.standby), &views).await;
        confirmed += unchanged(&refreshed, &views);
    }
    assert!(confirmed > 0);
}

#[tokio::test]
async fn an_organizations_key_is_made_and_used_through_a_standby_of_2_6() {
    let behind = Behind::start(&[]).await;
    let admin = behind.admin(&behind.leader);
    for round in 0..5 {
        let scope = scope(&format!("acme{round}"));
        // Without "create" on encrypt, as in the guides.
        let policy = policy_text(&scope, PolicyRole::Init);
        admin.policy(&format!("init{round}"), &policy).await;
        let role = admin.token(&[&format!("init{round}")]).await;
        let client = || {
            let config = config(&behind.standby, "kv", "transit", token(&role));
            OpenBaoClient::new(&config, Some(&scope.fence_path("test"))).unwrap()
        };
        let first = client();
        let catalog = OpenBaoCatalog::new(&first, &scope, PolicyRole::Apply);
        let key = RecordKey::new("organization");
        let absent = catalog.read(&key).await.unwrap();
        assert_eq!(absent, None);
        let written = catalog.write(&key, &record("{}"), Revision::ABSENT).await;
        written.unwrap();
        let kek = TransitKek::platform(&first, &scope);
        kek.provision().await.unwrap();
        let dek = DataKey::copy_of(&[7; 32]);
        let binding = WrapBinding::for_mac_key(Uuid::from_u128(1), kek.id());
        let wrapped = kek.wrap(&dek, bound(&binding)).await.unwrap();
        let fresh = TransitKek::platform(&client(), &scope);
        fresh.unwrap(&wrapped, bound(&binding)).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_proof_costs_where_no_index_is_returned() {
    let behind = Behind::start(&[]).await;
    let proxy = FaultProxy::start(&ProxyOptions::to(&behind.standby)).unwrap();
    let client = behind.fenced(proxy.address());
    let catalog = catalog(&client);
    let absent = RecordKey::new("secrets/org/absent");
    let (read, requests) = counted(&client, catalog.read(&absent)).await;
    assert_eq!(read.unwrap(), None);
    assert_eq!(requests, 4, "read, fence, health, read again");
    let (read, requests) = counted(&client, catalog.read_fenced(&absent)).await;
    assert_eq!((read.unwrap(), requests), (None, 2), "fence, read");
    let key = RecordKey::new("secrets/org/present");
    let written = catalog.write(&key, &record("one"), Revision::ABSENT).await;
    written.unwrap();
    let (read, requests) = counted(&client, catalog.read_fenced(&key)).await;
    assert!(read.unwrap().is_some());
    // The client repeats a request to a standby that does not know the token yet.
    let again = proxy
        .requests()
        .into_iter()
        .filter(|seen| seen.status() == Some(400));
    assert_eq!(requests - again.count() as u64, 3, "fence, read, unwrap");
    let path = format!("catalog/acme/{key}");
    let (deleted, requests) = counted(&client, client.kv().delete_metadata(&path)).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "nothing comes back that would be wrapped");
}

#[tokio::test]
async fn a_standby_that_cannot_be_kept_from_the_past_is_refused_with_what_is_needed() {
    let behind = Behind::start(&[]).await;
    for release in ["2.5.0", "2.6.1"] {
        let proxy = behind.standby_of(release);
        let own = Own::new("openbao", proxy.address(), "kv");
        let store = own.given("token", behind.cluster.root_token()).store();
        let id = store.put(&name(), PAYLOAD, version(1)).await.unwrap();
        let about = DescribeOptions {
            version: id,
            others: Vec::new(),
            absence: Absence::Confirmed,
        };
        let error = store.describe(&name(), about).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        let remedy = error.remedy().unwrap();
        for words in ["OpenBAO 2.7", "disable_standby_reads = true", "active node"] {
            assert!(remedy.contains(words), "{remedy}");
        }
    }
}

#[tokio::test]
async fn a_standby_that_forwards_everything_is_believed_whatever_its_release() {
    let behind = Behind::start(&["disable_standby_reads = true"]).await;
    let proxy = behind.standby_of("2.6.1");
    let client = behind.fenced(proxy.address());
    let catalog = catalog(&client);
    let leading = self::catalog(&behind.fenced(&behind.leader));
    for round in 0..3 {
        let key = RecordKey::new(format!("secrets/org/{round}"));
        assert_eq!(catalog.read(&key).await.unwrap(), None);
        let written = leading.write(&key, &record("one"), Revision::ABSENT).await;
        let revision = written.unwrap();
        let read = catalog.read_fenced(&key).await.unwrap();
        assert_eq!(read, Some((record("one"), revision)));
    }
    let asked = Match::header("x-vault-no-request-forwarding", "");
    assert_eq!(proxy.count(&asked), 1, "once a process");
}
