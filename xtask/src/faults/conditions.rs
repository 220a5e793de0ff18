//! Stores whose conditional writes do not hold.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::wire::Message;

/// The header with which a proxy tells a stand-in to ignore a request's condition. The
/// condition itself stays, because signatures cover it.
const UNCONDITIONAL: &str = "x-front-unconditional";

const CONDITIONS: [&str; 3] = ["if-match", "if-none-match", "x-goog-if-generation-match"];

/// The minimum time that a conditional write takes, so that racing ones overlap.
const WINDOW: Duration = Duration::from_millis(10);

/// What a store does with the conditions of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weakness {
    /// It enforces them.
    #[default]
    None,
    /// It enforces them one after another, and lets those that race all win.
    Races,
    /// It ignores them.
    Ignores,
}

/// The conditional writes that a weak store carries out.
#[derive(Debug)]
pub(super) struct Conditions {
    weakness: Weakness,
    running: Mutex<HashMap<String, usize>>,
}

/// A running conditional write of a weak store.
pub(super) struct Race<'a> {
    conditions: &'a Conditions,
    request: &'a Message,
    path: String,
    is_first: bool,
}

impl Conditions {
    pub(super) fn new(weakness: Weakness) -> Self {
        Self {
            weakness,
            running: Mutex::default(),
        }
    }

    /// Enters a conditional write, if the store is weak.
    pub(super) fn enter<'a>(&'a self, request: &'a Message) -> Option<Race<'a>> {
        if self.weakness == Weakness::None || !is_conditional(request) {
            return None;
        }
        let target = request.head.target();
        let path = target.split('?').next().unwrap_or(target).to_owned();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(path.clone()).or_insert(0);
        *count += 1;
        Some(Race {
            conditions: self,
            request,
            path,
            is_first: *count == 1,
        })
    }
}

impl Race<'_> {
    /// Returns the request as a weak store carries it out.
    pub(super) async fn request(&self) -> Message {
        let holds = self.conditions.weakness == Weakness::Races && self.is_first;
        tokio::time::sleep(WINDOW).await;
        match holds {
            true => self.request.without_header(UNCONDITIONAL),
            false => self.request.with_header(UNCONDITIONAL, "1"),
        }
    }
}

impl Drop for Race<'_> {
    fn drop(&mut self) {
        let running = &self.conditions.running;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.path) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.path);
            }
        }
    }
}

/// Returns whether a request changes something on a condition.
fn is_conditional(request: &Message) -> bool {
    let changes = ["PUT", "POST", "DELETE"].contains(&request.head.method());
    changes
        && CONDITIONS
            .iter()
            .any(|name| request.head.header(name).next().is_some())
}

/// Returns the request without its condition, if a proxy says that the store ignores it.
pub(crate) fn weakened(request: &Message) -> Message {
    if request.head.header(UNCONDITIONAL).next().is_none() {
        return request.without_header(UNCONDITIONAL);
    }
    let names = CONDITIONS.iter().chain([&UNCONDITIONAL]);
    names.fold(request.without_header(UNCONDITIONAL), |request, name| {
        request.without_header(name)
    })
}
