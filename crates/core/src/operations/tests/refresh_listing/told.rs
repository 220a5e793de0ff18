//! What the log of a process says of a listing that is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Place, SERVES, are_present};

/// Counts the lines at the debug level that are about listings.
#[derive(Clone, Debug, Default)]
struct Told(Arc<AtomicUsize>);

impl tracing::Subscriber for Told {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?}");
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let is_told = message.0.contains("the role may not list");
        if is_told && *event.metadata().level() == tracing::Level::DEBUG {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_missing_listing_is_told_once_in_the_log_of_a_process() {
    let told = Told::default();
    // With only one dispatcher, the thread of another test could disable an event for all.
    let _other = tracing::Dispatch::new(Told::default());
    let _guard = tracing::subscriber::set_default(told.clone());
    let lines = || told.0.load(Ordering::Relaxed);
    let place = Place::with(40).await;
    let (_, calls) = place.refresh(0..10).await;
    assert_eq!((calls.records, lines()), (1, 0));
    // From the next page on, the role may not list.
    place.world.catalog.list_no_marks();
    tokio::time::advance(SERVES).await;
    for first in [10, 20, 30] {
        let (results, _) = place.refresh(first..first + 10).await;
        assert!(are_present(&results), "{results:?}");
        assert_eq!(lines(), 1, "after {} secrets", first + 10);
    }
}
