//! Refreshes by listing: a change by others, lists that are rate limited, a standby that lags
//! and a leader that is lost.

use planton_core::operations::{Organization, Refreshed, SecretView};
use planton_vendors::http::RetryPolicy;
use planton_vendors::openbao::client::{OpenBaoClient, PolicyScope};
use test_support::refresh_listing::{self, create, refresh, rotate};
use xtask::faults::{Fault, FaultProxy, Match, ProxyOptions};
use xtask::openbao::{Cluster, ServerOptions};
use xtask::tools::Tools;

use super::support::admin::Admin;
use super::support::organization::platform;
use super::support::{Place, config, mount, token};

/// Matches the requests of listings.
fn lists() -> Match {
    Match::path("/detailed-metadata/")
}

#[tokio::test]
async fn every_change_is_seen_once_the_listing_is_old() {
    let place = Place::new().await;
    let start = || platform(&place.client(), &place.scope);
    let organization = &place.scope.organization;
    refresh_listing::every_change_is_seen_once_the_listing_is_old(organization, &start).await;
}

#[tokio::test]
async fn a_listing_that_is_rate_limited_is_given_up_at_once() {
    let place = Place::new().await;
    let views = create(&place.process(), 40).await;
    let proxy = place.proxy();
    let process = place.process_at(proxy.address(), RetryPolicy::default());
    let faults = (&proxy, lists());
    refresh_listing::rate_limited_lists_are_given_up_at_once(&process, &views, faults).await;
}

/// A cluster of three servers.
struct Three {
    cluster: Cluster,
    scope: PolicyScope,
}

impl Three {
    async fn start() -> Self {
        let starting = tokio::task::spawn_blocking(|| {
            let options = ServerOptions::default();
            Cluster::start(&Tools::locate().unwrap(), 3, &options).unwrap()
        });
        let three = Self {
            cluster: starting.await.unwrap(),
            scope: PolicyScope {
                kv_mount_path: mount("kv"),
                transit_mount_path: mount("transit"),
                organization: "acme".parse().unwrap(),
                name_prefix: "planton".to_owned(),
            },
        };
        let admin = Admin::new(&three.leader(), three.cluster.root_token());
        admin.enable_kv2("kv").await;
        let transit = r#"{"type":"transit"}"#;
        admin.ok("POST", "sys/mounts/transit", transit).await;
        let standby = Admin::new(&three.standby(), three.cluster.root_token());
        standby.await_mount("kv").await;
        three
    }

    fn leader(&self) -> String {
        self.address(tokio::task::block_in_place(|| self.cluster.await_leader()).unwrap())
    }

    fn standby(&self) -> String {
        self.address(tokio::task::block_in_place(|| self.cluster.await_standby()).unwrap())
    }

    fn address(&self, index: usize) -> String {
        self.cluster.addresses()[index].to_owned()
    }

    /// Starts a process that reaches the cluster at `address`.
    fn process(&self, address: &str) -> Organization {
        let auth = token(self.cluster.root_token());
        let config = config(address, "kv", "transit", auth);
        let fence = self.scope.fence_path("test");
        let client = OpenBaoClient::new(&config, Some(&fence)).unwrap();
        let platform = platform(&client, &self.scope);
        Organization::new(self.scope.organization.clone(), platform)
    }
}

/// Expects that each secret is reported as its state has it. Returns how many were confirmed by a
/// listing.
pub(crate) fn unchanged(refreshed: &[Refreshed], views: &[SecretView]) -> usize {
    let mut unchanged = 0;
    for (refreshed, view) in refreshed.iter().zip(views) {
        match refreshed {
            Refreshed::Unchanged => unchanged += 1,
            Refreshed::Present(found) => assert_eq!(found, view),
            other => panic!("{other:?}"),
        }
    }
    unchanged
}

/// Returns all but one.
fn without<T: Clone>(left_out: usize, all: &[T]) -> Vec<T> {
    [&all[..left_out], &all[left_out + 1..]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_standby_that_lags_nor_a_lost_leader_changes_a_result() {
    let mut three = Three::start().await;
    let (leader, standby) = (three.leader(), three.standby());
    let writer = three.process(&leader);
    let mut views = create(&writer, 40).await;
    let mut confirmed = 0;
    for round in 0..10 {
        // The standby may not have the write of another process yet. A listing through it is as
        // stale as a read through it may be, and no more.
        let rotated = rotate(&writer, &views[round]).await;
        let fresh = three.process(&standby);
        let refreshed = refresh(&fresh, &views).await;
        let seen = &refreshed[round];
        let is_seen = *seen == Refreshed::Present(rotated.clone());
        let is_stale = *seen == Refreshed::Present(views[round].clone());
        assert!(
            is_seen || is_stale || *seen == Refreshed::Unchanged,
            "{seen:?}"
        );
        confirmed += unchanged(&without(round, &refreshed), &without(round, &views));
        views[round] = rotated.clone();
        // A plan after the apply: a state is never older than what it has seen.
        let refreshed = refresh(&three.process(&standby), &views).await;
        confirmed += unchanged(&refreshed, &views);
        // A listing has the process's own write.
        let again = rotate(&fresh, &rotated).await;
        let refreshed = refresh(&fresh, &views).await;
        assert_eq!(refreshed[round], Refreshed::Present(again.clone()));
        confirmed += unchanged(&without(round, &refreshed), &without(round, &views));
        views[round] = again;
    }
    assert!(confirmed > 0);

    let proxy = FaultProxy::start(&ProxyOptions::to(&standby)).unwrap();
    let (held, gate) = Fault::hold();
    proxy.fail(held.on(lists()).times(usize::MAX));
    let process = three.process(proxy.address());
    let losing = async {
        gate.reached().await.unwrap();
        tokio::task::block_in_place(|| three.cluster.kill_leader()).unwrap();
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(refresh(&process, &views), losing);
    unchanged(&refreshed, &views);
    // Another leader is there.
    let leader = three.leader();
    let refreshed = refresh(&three.process(&leader), &views).await;
    assert_eq!(unchanged(&refreshed, &views), views.len());
}
