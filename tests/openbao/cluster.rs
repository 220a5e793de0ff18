use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::names::Slug;
use planton_core::store::SecretStore;
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::client::{
    KvEntry, OpenBaoAuth, OpenBaoClient, PolicyRole, PolicyScope,
};
use serde_json::json;

use super::own::{PAYLOAD, name, version};
use super::support::admin::Admin;
use super::support::own::Own;
use super::support::server::Cluster;
use super::support::{config, mount, token};

const ROUNDS: usize = 30;

fn scope() -> PolicyScope {
    PolicyScope {
        kv_mount_path: mount("kv"),
        transit_mount_path: mount("transit"),
        organization: Slug::parse("acme").unwrap(),
        name_prefix: "planton".to_owned(),
    }
}

/// Returns the client of a new process.
fn client(address: &str, auth: OpenBaoAuth, fenced: bool) -> OpenBaoClient {
    let fence = scope().fence_path("test");
    let config = config(address, "kv", "transit", auth);
    OpenBaoClient::new(&config, fenced.then_some(fence.as_str())).unwrap()
}

fn catalog(client: &OpenBaoClient) -> OpenBaoCatalog {
    OpenBaoCatalog::new(client, &scope(), PolicyRole::Apply)
}

fn record(text: String) -> StoredRecord {
    StoredRecord {
        body: text,
        mac: "00".to_owned(),
    }
}

#[tokio::test]
async fn a_standby_neither_hides_nor_refuses_what_the_leader_knows() {
    let cluster = Cluster::start().await;
    let root = token(&cluster.root_token);
    let (leader, standby) = (&cluster.addresses[0], &cluster.addresses[1]);
    let admin = Admin::new(leader, &cluster.root_token);
    admin.enable_kv2("kv").await;
    Admin::new(standby, &cluster.root_token)
        .await_mount("kv")
        .await;
    admin
        .policy(
            "all",
            "path \"kv/*\" { capabilities = [\"create\", \"read\", \"update\"] }",
        )
        .await;
    let role = json!({"token_policies": ["all"]}).to_string();
    let (approle, role_id, secret_id) = admin.approle(&role).await;
    let login = OpenBaoAuth::AppRole {
        mount_path: mount(&approle),
        role_id: role_id.as_str().into(),
        secret_id: secret_id.as_str().into(),
    };
    let writer = catalog(&client(leader, root.clone(), true));
    let leading = Own::new("openbao", leader, "kv");
    let leading = leading.given("token", &cluster.root_token).store();
    let mut unfenced_missed = 0;
    let mut unfenced_refused = 0;
    for round in 0..ROUNDS {
        let write = async |name: &str| {
            let key = RecordKey::new(format!("secrets/{name}-{round}"));
            let text = record(format!("{name} {round}"));
            let revision = writer.write(&key, &text, Revision::ABSENT).await.unwrap();
            (key, text, revision)
        };

        // The control: without fence and index, a standby returns a stale read.
        let (key, _, _) = write("control").await;
        let naive = client(standby, root.clone(), false);
        let path = format!("catalog/acme/{key}");
        let entry = naive.kv().read::<serde_json::Value>(&path).await.unwrap();
        unfenced_missed += usize::from(entry == KvEntry::Absent);
        let (key, _, _) = write("control-cas").await;
        let path = format!("catalog/acme/{key}");
        let naive = client(standby, root.clone(), false);
        let written = naive
            .kv()
            .write(&path, &json!({"body": "b", "mac": "m"}), 1)
            .await;
        unfenced_refused += usize::from(written.is_err());

        let (key, text, revision) = write("read").await;
        let fresh = catalog(&client(standby, root.clone(), true));
        assert_eq!(
            fresh.read(&key).await.unwrap(),
            Some((text, revision)),
            "read {round}"
        );

        let (key, text, revision) = write("login").await;
        let fresh = catalog(&client(standby, login.clone(), true));
        assert_eq!(
            fresh.read(&key).await.unwrap(),
            Some((text, revision)),
            "login {round}"
        );

        let (key, _, revision) = write("cas").await;
        let fresh = catalog(&client(standby, root.clone(), true));
        let next = fresh
            .write(&key, &record("next".to_owned()), revision)
            .await;
        let next = next.unwrap_or_else(|error| panic!("cas {round}: {error:?}"));
        // The client reads its own write, and its next write succeeds.
        assert_eq!(fresh.read(&key).await.unwrap().unwrap().1, next);
        let last = fresh
            .write(&key, &record("last".to_owned()), next)
            .await
            .unwrap();
        assert_eq!(last, Revision(3));
        let lost = writer
            .write(&key, &record("late".to_owned()), revision)
            .await
            .unwrap_err();
        assert_eq!(lost.kind(), CatalogErrorKind::Conflict);

        let put = leading.put(&name(), PAYLOAD, version(1)).await.unwrap();
        let fresh = Own::new("openbao", standby, "kv");
        let fresh = fresh.given("token", &cluster.root_token).store();
        assert_eq!(
            fresh.get(&name(), &put).await.unwrap(),
            PAYLOAD,
            "own {round}"
        );

        let (key, _, _) = write("listed").await;
        let fresh = catalog(&client(standby, root.clone(), true));
        assert!(
            fresh.list("secrets").await.unwrap().contains(&key),
            "list {round}"
        );
    }
    eprintln!("without a fence: {unfenced_missed} missed, {unfenced_refused} refused of {ROUNDS}");
    assert!(unfenced_missed > 0, "the server does what the fence is for");
    assert!(
        unfenced_refused > 0,
        "the server does what the index is for"
    );
}
