//! Writes that were executed, and whose answers say that they were refused.
//!
//! A load balancer repeats a request whose answer it lost. The service then refuses the second
//! one, since the first one was executed.

use xtask::bucket::BucketService;
use xtask::faults::Match;

use super::process::Process;
use super::stores::on_each_service;
use super::support::Place;

on_each_service!(an_executed_write_that_passes_for_refused_is_done_once);

async fn an_executed_write_that_passes_for_refused_is_done_once(service: BucketService) {
    let place = Place::new(service);
    let proxied = place.behind_proxy();
    let process = Process::warm(&proxied).await;
    let witness = Process::warm(&place).await;
    for (nth, refusal) in place.service().refusals().into_iter().enumerate() {
        let named = format!("db-{nth}");
        // The record's creation and its updates; the object's creation.
        let refuse = |writes: Match| proxied.proxy().fail(refusal.of_executed().on(writes));
        for part in ["/records/", "/objects/"] {
            refuse(place.service().creations().and(Match::path(part)));
        }
        let created = process.create(&named, "1").await.unwrap();
        for part in ["/records/", "/objects/"] {
            let [creations, updates] = place.writes();
            let writes = match part {
                "/records/" => updates,
                _ => creations,
            };
            refuse(writes.and(Match::path(part)));
        }
        let rotated = process.rotate(&created, "2").await.unwrap();
        let found = witness.value(&named).await;
        assert_eq!(found, Some(("2".to_owned(), 2)), "{refusal:?}");
        refuse(place.service().updates());
        process.destroy(&rotated).await.unwrap();
        assert_eq!(witness.value(&named).await, None, "{refusal:?}");
        assert_eq!(proxied.proxy().unused_faults(), [""; 0], "{refusal:?}");
    }
    process.settle().await;
    // Those of both warm secrets.
    assert_eq!(place.keys("/objects/").len(), 2);
}
