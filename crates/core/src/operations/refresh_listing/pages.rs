//! One listing of marks: its pages, how long they serve, and how many may be requested.

use std::collections::HashSet;
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::gathering::Gathering;
use crate::boot_time::BootTime;
use crate::catalog::Epoch;
use crate::deadline::OperationContext;
use crate::marks::{ListedMarks, MARKS_PER_PAGE, Mark, MarkQuery};

/// How long a page serves, from the moment its request was sent.
pub(super) const SERVES: Duration = Duration::from_secs(5);

/// Number of refreshes that pay for one page. So a listing adds at most a tenth to the requests
/// of refreshes that it does not answer, and a large organization is not read for a small state.
const REFRESHES_PER_PAGE: u64 = 10;

/// The number of pages that listings have taken together.
#[derive(Debug, Default)]
pub(super) struct Budget(StdMutex<u64>);

impl Budget {
    /// Takes a page, if at least `needs` are left. Returns how many were left.
    fn take(&self, needs: u64, gathering: &Gathering) -> Option<u64> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = (gathering.asked() / REFRESHES_PER_PAGE).saturating_sub(*taken);
        (left >= needs.max(1)).then(|| {
            *taken += 1;
            left
        })
    }

    /// Takes the further pages of a response that was worth several.
    fn take_further(&self, pages: usize) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_add(u64::try_from(pages).unwrap_or(u64::MAX));
    }
}

/// What a refresh asks a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) mark: Mark,
    /// Folder of the listing.
    pub(super) folder: &'a str,
    pub(super) epoch: &'a Epoch,
    pub(super) budget: &'a Budget,
    pub(super) gathering: &'a Gathering,
    /// Estimated number of versions of an object.
    pub(super) per_object: usize,
}

/// How long a request may take before it counts as one that held refreshes up. OpenBAO 2.7
/// reads a whole folder for each page: 0.7 s for one of 100,000 records, where a single read
/// takes 2 ms (measured on loopback).
const SLOW: Duration = Duration::from_millis(200);

/// A refresh spends at most this part of the time that is left to it on a listing.
const PART_OF_DEADLINE: u32 = 4;

/// A listing of marks.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pages: StdMutex<Pages>,
    /// Held while a page is requested: only one is at a time.
    flight: Mutex<()>,
}

#[derive(Debug, Default)]
struct Pages {
    /// The epoch in which all pages were requested.
    epoch: u64,
    pages: Vec<Page>,
    /// Where the first page that is not held begins.
    next: Next,
    /// Responses to requests of pages, of any content.
    answered: u64,
    /// Number of pages that a listing as a whole is worth at least, once it was too large.
    needs: u64,
    is_unavailable: bool,
}

#[derive(Debug)]
struct Page {
    after: Option<String>,
    /// Number of refreshes that the page has confirmed.
    confirmed: u64,
    marks: HashSet<Mark>,
    serves: ServesUntil,
}

#[derive(Clone, Debug, Default)]
enum Next {
    #[default]
    First,
    After(String),
    End,
}

/// The end of the time that a page serves, on two clocks: one that also counts while the machine
/// is suspended, and that of the runtime, which tests pause.
#[derive(Clone, Copy, Debug)]
struct ServesUntil {
    boot: BootTime,
    runtime: Instant,
}

impl ServesUntil {
    /// Returns the end for a page whose request is sent now.
    fn sent_now() -> Self {
        Self {
            boot: BootTime::now().after(SERVES),
            runtime: Instant::now() + SERVES,
        }
    }

    fn has_passed(&self) -> bool {
        self.boot.has_passed() || Instant::now() >= self.runtime
    }

    /// Returns how many times as much the next request has to be worth, after one that was in
    /// vain and ends now. Ten refreshes wait for each, so slow ones are repeated rarely: a state
    /// of 1,000 secrets waits for two of them.
    fn factor(&self) -> u64 {
        if self.is_slow() { 10 } else { 2 }
    }

    /// Returns whether the request took long, if its response arrives now.
    fn is_slow(&self) -> bool {
        self.has_passed() || Instant::now() + SERVES >= self.runtime + SLOW
    }
}

/// What a mark that no page confirms requires.
enum Missing {
    /// A page that was never requested.
    Further,
    /// The page that contained the mark, and no longer serves.
    Again(usize),
}

/// A page to request.
struct Wanted {
    /// Its place among the pages.
    place: usize,
    after: Option<String>,
    max_pages: u64,
}

impl Listing {
    /// Returns whether the listing is known not to exist for this caller.
    pub(super) fn is_unavailable(&self) -> bool {
        self.pages().is_unavailable
    }

    /// Returns whether a page that still serves contains the mark.
    pub(super) fn shows(&self, mark: Mark, epoch: &Epoch) -> bool {
        self.pages().shows(mark, epoch.now())
    }

    /// Returns whether a page that still serves contains the mark, and counts the confirmation.
    pub(super) fn confirm(&self, mark: Mark, epoch: &Epoch) -> bool {
        let mut pages = self.pages();
        let shows = pages.shows(mark, epoch.now());
        if shows {
            let page = pages.pages.iter_mut();
            let mut page = page.filter(|page| page.marks.contains(&mark));
            if let Some(page) = page.next() {
                page.confirmed += 1;
            }
        }
        shows
    }

    /// Returns whether the listing shows the mark. Requests a page at most, if the mark may be
    /// in it and enough refreshes have asked.
    ///
    /// Takes no longer than a page serves, and no longer than a part of what is left of the
    /// operation's time: a listing that hangs must leave time for the refresh itself.
    ///
    /// # Cancellation
    ///
    /// Returns false if the operation is cancelled.
    pub(super) async fn confirms<E, F>(
        &self,
        question: Question<'_>,
        request: impl Fn(MarkRequest) -> F,
    ) -> bool
    where
        E: std::fmt::Display,
        F: Future<Output = Result<ListedMarks, E>>,
    {
        let Question { mark, epoch, .. } = question;
        let answered = {
            let pages = self.pages();
            if pages.shows(mark, epoch.now()) {
                return true;
            }
            pages.answered
        };
        let context = OperationContext::current();
        let (until, context) = bounded(context);
        let _flight = tokio::select! {
            biased;
            flight = self.flight.lock() => flight,
            () = context.cancelled() => return false,
            () = tokio::time::sleep_until(until) => return false,
        };
        if let Some(wanted) = self.wanted(question, answered) {
            let serves = ServesUntil::sent_now();
            let listed = request(MarkRequest {
                folder: question.folder.to_owned(),
                after: wanted.after.clone(),
                max_pages: wanted.max_pages,
                per_object: question.per_object,
            });
            // A page changes nothing, so its request may be abandoned.
            let listed = tokio::time::timeout_at(until, context.scope(listed)).await;
            if let Ok(Err(error)) = &listed {
                let folder = question.folder;
                tracing::debug!(folder, %error, "a listing failed; secrets are refreshed singly");
            }
            let listed = listed.ok().and_then(Result::ok);
            self.enter(wanted, (serves, listed), question.budget);
        }
        self.shows(mark, epoch)
    }

    /// Takes the page to request for a mark; `None` if none is worth it.
    fn wanted(&self, question: Question<'_>, answered: u64) -> Option<Wanted> {
        let Question { mark, epoch, .. } = question;
        let mut pages = self.pages();
        pages.enter_epoch(epoch.now());
        if pages.is_unavailable || pages.shows(mark, pages.epoch) {
            return None;
        }
        // Another refresh has just requested a page. One refresh waits for one page at most.
        if pages.answered != answered {
            return None;
        }
        let place = match pages.missing(mark)? {
            Missing::Again(place) => place,
            Missing::Further => pages.pages.len(),
        };
        let max_pages = question.budget.take(pages.needs, question.gathering)?;
        let after = match (pages.pages.get(place), &pages.next) {
            (Some(page), _) => page.after.clone(),
            (None, Next::After(after)) => Some(after.clone()),
            (None, Next::First | Next::End) => None,
        };
        Some(Wanted {
            place,
            after,
            max_pages,
        })
    }

    /// Enters the response to the request of a page; `None` after a failure.
    fn enter(
        &self,
        wanted: Wanted,
        (serves, listed): (ServesUntil, Option<ListedMarks>),
        budget: &Budget,
    ) {
        let mut pages = self.pages();
        pages.answered += 1;
        let page = match listed {
            Some(ListedMarks::Page(page)) => page,
            Some(ListedMarks::Unavailable) => {
                pages.is_unavailable = true;
                return;
            }
            // The next try waits until there is budget for several times as much.
            Some(ListedMarks::TooLarge) | None => {
                pages.needs = wanted.max_pages.saturating_mul(serves.factor());
                return;
            }
        };
        let worth = page.marks.len().div_ceil(MARKS_PER_PAGE);
        budget.take_further(worth.max(page.requests).saturating_sub(1));
        // It took longer than it would have served.
        if serves.has_passed() {
            pages.needs = wanted.max_pages.saturating_mul(serves.factor());
            return;
        }
        pages.needs = match page.next {
            // The organization is large, and each of its pages takes as long as many reads.
            Some(_) if serves.is_slow() => wanted.max_pages.saturating_mul(serves.factor()),
            _ => u64::try_from(worth).unwrap_or(u64::MAX),
        };
        // A write that came meanwhile has ended the epoch of all pages, and so of this one.
        let is_further = wanted.place == pages.pages.len();
        let entered = Page {
            after: wanted.after,
            confirmed: 0,
            marks: page.marks.into_iter().collect(),
            serves,
        };
        if is_further {
            pages.pages.push(entered);
            pages.next = page.next.map_or(Next::End, Next::After);
        } else if let Some(held) = pages.pages.get_mut(wanted.place) {
            // It may end elsewhere than before. What it no longer covers is refreshed singly.
            *held = entered;
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Drops all pages if a write of this process has come since they were requested.
    fn enter_epoch(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.pages.clear();
            self.next = Next::First;
        }
    }

    fn shows(&self, mark: Mark, epoch: u64) -> bool {
        let shows = |page: &Page| page.marks.contains(&mark) && !page.serves.has_passed();
        self.epoch == epoch && self.pages.iter().any(shows)
    }

    /// Returns what would show the mark; `None` if nothing would.
    fn missing(&self, mark: Mark) -> Option<Missing> {
        let contained = |page: &Page| page.marks.contains(&mark);
        if let Some(place) = self.pages.iter().position(contained) {
            // A page that confirmed fewer refreshes than it costs is not worth another one. In a
            // large organization, pages expire before the refreshes that they would confirm.
            let is_worth_it = self.pages[place].confirmed >= REFRESHES_PER_PAGE;
            return is_worth_it.then_some(Missing::Again(place));
        }
        match self.next {
            Next::First | Next::After(_) => Some(Missing::Further),
            Next::End => None,
        }
    }
}

/// Returns when a refresh gives a listing up, and the context of its request.
///
/// The request is not retried. Where lists are rate limited or fail, reads may still succeed, and
/// each further try of a list would hold all refreshes up.
fn bounded(context: OperationContext) -> (Instant, OperationContext) {
    let now = std::time::Instant::now();
    let left = context.deadline.map(|at| at.saturating_duration_since(now));
    let most = left.map_or(SERVES, |left| SERVES.min(left / PART_OF_DEADLINE));
    let context = OperationContext {
        deadline: Some(now + most),
        max_tries: Some(1),
        ..context
    };
    (Instant::now() + most, context)
}

/// A request for a page, as [`MarkQuery`] with owned parts.
pub(super) struct MarkRequest {
    folder: String,
    after: Option<String>,
    max_pages: u64,
    per_object: usize,
}

impl MarkRequest {
    pub(super) fn query(&self) -> MarkQuery<'_> {
        MarkQuery {
            folder: &self.folder,
            after: self.after.as_deref(),
            limit: MARKS_PER_PAGE,
            max_pages: self.max_pages,
            per_object: self.per_object,
        }
    }
}
