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
}

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

    /// Returns whether the listing shows the mark. Requests a page at most, if the mark may be
    /// in it and enough refreshes have asked.
    ///
    /// # Cancellation
    ///
    /// If the operation is cancelled or its deadline passes while another refresh requests a
    /// page, returns false.
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
        let _flight = tokio::select! {
            biased;
            flight = self.flight.lock() => flight,
            () = context.stopped() => return false,
        };
        if let Some(wanted) = self.wanted(question, answered) {
            let serves = ServesUntil::sent_now();
            let listed = request(MarkRequest {
                folder: question.folder.to_owned(),
                after: wanted.after.clone(),
                max_pages: wanted.max_pages,
            });
            let listed = listed.await;
            if let Err(error) = &listed {
                let folder = question.folder;
                tracing::debug!(folder, %error, "a listing failed; secrets are refreshed singly");
            }
            self.enter(wanted, (serves, listed.ok()), question.budget);
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
        let place = match pages.missing(mark)? {
            Missing::Again(place) => place,
            // Another refresh has just requested a page. This secret may be a changed one,
            // whose refresh must not wait for page after page.
            Missing::Further if pages.answered != answered => return None,
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
            Some(ListedMarks::TooLarge) => {
                pages.needs = wanted.max_pages.saturating_mul(2);
                return;
            }
            Some(ListedMarks::Unavailable) => {
                pages.is_unavailable = true;
                return;
            }
            None => return,
        };
        let worth = page.marks.len().div_ceil(MARKS_PER_PAGE);
        budget.take_further(worth.saturating_sub(1));
        // A write that came meanwhile has ended the epoch of all pages, and so of this one.
        let is_further = wanted.place == pages.pages.len();
        let entered = Page {
            after: wanted.after,
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
            return Some(Missing::Again(place));
        }
        match self.next {
            Next::First | Next::After(_) => Some(Missing::Further),
            Next::End => None,
        }
    }
}

/// A request for a page, as [`MarkQuery`] with owned parts.
pub(super) struct MarkRequest {
    folder: String,
    after: Option<String>,
    max_pages: u64,
}

impl MarkRequest {
    pub(super) fn query(&self) -> MarkQuery<'_> {
        MarkQuery {
            folder: &self.folder,
            after: self.after.as_deref(),
            limit: MARKS_PER_PAGE,
            max_pages: self.max_pages,
        }
    }
}
