//! Servers for the tests of this folder, and functions that set them up.

pub(crate) mod admin;
pub(crate) mod faults;
pub(crate) mod jwt;
pub(crate) mod organization;
pub(crate) mod own;
pub(crate) mod server;

use std::sync::Arc;
use std::time::Duration;

use planton_core::kek::WrapContext;
use planton_core::names::Slug;
use planton_envelope::{KekId, WrapBinding};
use planton_vendors::http::RetryPolicy;
use planton_vendors::openbao::client::{
    MountPath, OpenBaoAddress, OpenBaoAuth, OpenBaoClient, OpenBaoConfig, PolicyScope,
};
use uuid::Uuid;
use xtask::faults::{FaultProxy, ProxyOptions};

use admin::Admin;
use own::Own;
use server::Server;

/// A place on the shared server: a KV mount, a Transit mount, an organization.
pub(crate) struct Place {
    pub(crate) admin: Admin,
    pub(crate) config: OpenBaoConfig,
    pub(crate) scope: PolicyScope,
    _server: Arc<Server>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let server = Server::shared().await;
        let admin = server.admin();
        let unique = Uuid::new_v4().simple().to_string();
        let (kv, transit) = (format!("kv-{unique}"), format!("transit-{unique}"));
        admin.enable_kv2(&kv).await;
        admin
            .ok(
                "POST",
                &format!("sys/mounts/{transit}"),
                r#"{"type":"transit"}"#,
            )
            .await;
        let config = config(&server.address, &kv, &transit, token(&server.root_token));
        let scope = PolicyScope {
            kv_mount_path: config.kv_mount_path.clone(),
            transit_mount_path: config.transit_mount_path.clone(),
            organization: Slug::parse("acme").unwrap(),
            name_prefix: "planton".to_owned(),
        };
        Self {
            admin,
            config,
            scope,
            _server: server,
        }
    }

    /// Returns the client of a new process, with the root token.
    pub(crate) fn client(&self) -> OpenBaoClient {
        OpenBaoClient::new(&self.config, Some(&self.fence_path())).unwrap()
    }

    pub(crate) fn client_as(&self, auth: OpenBaoAuth) -> OpenBaoClient {
        let config = OpenBaoConfig {
            auth,
            ..self.config.clone()
        };
        OpenBaoClient::new(&config, Some(&self.fence_path())).unwrap()
    }

    /// Starts a proxy in front of the server, for faults.
    pub(crate) fn proxy(&self) -> FaultProxy {
        FaultProxy::start(&ProxyOptions::to(&self.admin.address)).unwrap()
    }

    pub(crate) fn client_at(&self, address: &str) -> OpenBaoClient {
        let config = OpenBaoConfig {
            address: OpenBaoAddress::parse(address).unwrap(),
            ..self.config.clone()
        };
        OpenBaoClient::new(&config, Some(&self.fence_path())).unwrap()
    }

    /// Creates a token with this policy only, without the default one.
    pub(crate) async fn only(&self, policy: &str) -> String {
        let name = format!("only-{}", Uuid::new_v4().simple());
        self.admin.policy(&name, policy).await;
        self.admin.token(&[&name]).await
    }

    /// Returns this place as a user's own server, without a credential.
    pub(crate) fn own(&self, kind: &str) -> Own {
        Own::new(kind, &self.admin.address, self.kv())
    }

    pub(crate) fn root_token(&self) -> &str {
        match &self.config.auth {
            OpenBaoAuth::Token(token) => token.expose(),
            _ => unreachable!("a place is made with a token"),
        }
    }

    pub(crate) fn fence_path(&self) -> String {
        self.scope.fence_path("test")
    }

    pub(crate) fn kv(&self) -> &str {
        self.config.kv_mount_path.as_str()
    }
}

pub(crate) fn config(address: &str, kv: &str, transit: &str, auth: OpenBaoAuth) -> OpenBaoConfig {
    OpenBaoConfig {
        address: OpenBaoAddress::parse(address).unwrap(),
        namespace: None,
        kv_mount_path: mount(kv),
        transit_mount_path: mount(transit),
        ca_cert_pem: None,
        client_identity: None,
        auth,
        vendor: None,
    }
}

pub(crate) fn mount(path: &str) -> MountPath {
    MountPath::parse(path).unwrap()
}

pub(crate) fn token(token: &str) -> OpenBaoAuth {
    OpenBaoAuth::Token(token.into())
}

/// Returns what a wrap of an organization's MAC key by `kek` is bound to.
pub(crate) fn bound(kek: &KekId, organization: u128) -> WrapContext<'static> {
    let organization = Uuid::from_u128(organization);
    test_support::wrapping::bound(&WrapBinding::for_mac_key(organization, kek))
}

/// Returns short timeouts, for tests that expect an outage.
pub(crate) fn hasty() -> RetryPolicy {
    RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(20),
        ..RetryPolicy::default()
    }
}

/// Returns the requests that `operation` sends through `client`.
pub(crate) async fn counted<T>(
    client: &OpenBaoClient,
    operation: impl Future<Output = T>,
) -> (T, u64) {
    let before = client.requests().total();
    let outcome = operation.await;
    (outcome, client.requests().total() - before)
}
