//! A suite of refreshes by listing, over any platform.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use planton_core::names::Slug;
use planton_core::operations::{
    CreateSecret, Interrupt, Organization, Platform, RefreshSecret, Refreshed, Replaces,
    SecretMarks, SecretView, SeenSecret,
};
use planton_core::store::{Deletion, RemoteName};
use xtask::faults::{Fault, FaultProxy, Match};

use crate::secret_requests::{creation, destruction, rotation};

/// How long a page serves.
const SERVES: Duration = Duration::from_secs(5);

/// Resources that a host refreshes at once.
const AT_ONCE: usize = 10;

/// Returns what the state of a secret asks in a refresh.
pub fn seen(view: &SecretView) -> RefreshSecret {
    let version = view.version.as_ref();
    let marks = view.marks.record.zip(view.marks.version);
    RefreshSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        backend: Some(view.backend.clone()),
        seen: Some(SeenSecret {
            generation: view.generation,
            version: version.map(|version| (version.number, version.payload)),
            marks: marks.map(|(record, version)| SecretMarks { record, version }),
        }),
    }
}

/// Creates `number` secrets `s-0`, … that keep one version, several at once.
pub async fn create(process: &Organization, number: usize) -> Vec<SecretView> {
    let creations = (0..number).map(|number| async move {
        let interrupt = Interrupt::default();
        let creation = creation(&format!("s-{number}"), "first");
        process.secrets().create(creation, &interrupt).await
    });
    let views = stream::iter(creations).buffered(2 * AT_ONCE);
    views.map(Result::unwrap).collect().await
}

/// Refreshes secrets as their states ask, ten at once.
pub async fn refresh(process: &Organization, views: &[SecretView]) -> Vec<Refreshed> {
    let refreshes = views.iter().map(|view| async move {
        let request = seen(view);
        process.secrets().refresh(&request).await
    });
    let refreshed = stream::iter(refreshes).buffered(AT_ONCE);
    refreshed.map(Result::unwrap).collect().await
}

/// Rotates a secret.
pub async fn rotate(process: &Organization, view: &SecretView) -> SecretView {
    let update = rotation(view, "rotated");
    let interrupt = Interrupt::default();
    process.secrets().update(update, &interrupt).await.unwrap()
}

/// Checks that a secret which another process rotates, deletes or displaces, or whose version
/// is deleted with the vendor's tools, is reported as it is by a process whose listing is older
/// than five seconds; and that the listing still confirms the others.
///
/// Needs a runtime with one thread, whose clock it moves.
pub async fn every_change_is_seen_once_the_listing_is_old(
    organization: &Slug,
    platform: &dyn Fn() -> Platform,
) {
    let start = || Organization::new(organization.clone(), platform());
    let other = start();
    let views = create(&other, 40).await;
    let process = start();
    let unchanged = vec![Refreshed::Unchanged; views.len()];
    assert_eq!(refresh(&process, &views).await, unchanged);

    let rotated = rotate(&other, &views[0]).await;
    let interrupt = Interrupt::default();
    let delete = destruction(&views[1]);
    let deleted = other.secrets().delete(&delete, &interrupt).await;
    deleted.unwrap();
    let replacing = CreateSecret {
        replaces: vec![Replaces::Named(views[2].uuid)],
        ..creation("s-2", "first")
    };
    let replacing = other.secrets().create(replacing, &interrupt).await.unwrap();
    delete_at_the_vendor(organization, &platform(), "s-3").await;

    tokio::time::pause();
    tokio::time::advance(SERVES).await;
    tokio::time::resume();
    let refreshed = refresh(&process, &views).await;
    assert_eq!(refreshed[0], Refreshed::Present(rotated));
    assert_eq!(refreshed[1], Refreshed::Gone);
    let Refreshed::Present(displaced) = &refreshed[2] else {
        panic!("{:?}", refreshed[2]);
    };
    let (by, _) = displaced.displaced_by.as_ref().unwrap();
    assert_eq!(*by, replacing.uuid);
    let Refreshed::VersionLost(lost) = &refreshed[3] else {
        panic!("{:?}", refreshed[3]);
    };
    assert_eq!(lost.uuid, views[3].uuid);
    assert_eq!(refreshed[4..], unchanged[4..]);
}

/// Checks that refreshes of forty secrets give the same results as without a listing, soon and
/// with few requests, through a proxy where each of these `lists` is rate limited.
pub async fn rate_limited_lists_are_given_up_at_once(
    process: &Organization,
    views: &[SecretView],
    (proxy, lists): (&FaultProxy, Match),
) {
    let fault = Fault::status(429).retry_after(1);
    proxy.fail(fault.on(lists.clone()).times(usize::MAX));
    let begun = Instant::now();
    let refreshed = refresh(process, views).await;
    assert!(begun.elapsed() < SERVES, "{:?}", begun.elapsed());
    for (refreshed, view) in refreshed.into_iter().zip(views) {
        assert_eq!(refreshed, Refreshed::Present(view.clone()));
    }
    // After ten refreshes and after thirty: of records, and of versions.
    assert_eq!((views.len(), proxy.count(&lists)), (40, 4));
    // The organization's record, and two requests for each secret.
    assert_eq!(proxy.requests().len(), 1 + 4 + 2 * 40);
}

/// Deletes the object of a secret, as with the vendor's tools: no record changes.
async fn delete_at_the_vendor(organization: &Slug, platform: &Platform, named: &str) {
    let listing = platform.store.listing().unwrap();
    let folder = format!("planton/{organization}/org");
    let objects = listing.children(&folder).await.unwrap();
    let is_named = |object: &&String| object.rsplit_once('-').is_some_and(|(it, _)| it == named);
    let object = objects.iter().find(is_named).unwrap();
    let object = RemoteName::new(format!("{folder}/{object}"));
    let versions = listing.versions_besides(&object, &[]).await.unwrap();
    let versions = versions.into_iter().map(|version| version.id).collect();
    let what = Deletion::Object { versions };
    platform.store.delete(&object, what).await.unwrap();
}
