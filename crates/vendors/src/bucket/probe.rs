//! Probes whether the conditions of a bucket's writes hold under races.
//!
//! Some stores with the API of S3 ignore a condition, or check it before the write rather
//! than with it, and let several of parallel writes win. A sequential test does not find that.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::path::Path;
use uuid::Uuid;

use super::client::{Client, Condition, Fault, FaultKind, Tag, Write};
use super::configuration::inspect;
use super::errors::explain;
use super::location::{BucketVendor, Places};
use super::policy::Operation;
use crate::http::{OperationContext, Spent};
use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::names::Slug;

/// Number of parallel writers.
const WRITERS: usize = 32;

/// Number of rounds of updates on a store that is not the vendor's own. moto 5.2.5 lets two
/// writers win in 25 of 60 rounds, so this number finds it in 99 of 100 probes.
const ROUNDS: u32 = 8;

/// Minimum number of writers that the condition refuses in a round that counts. A store that
/// turns most of them away by a rate limit has raced the others only.
const LEAST_REFUSED: usize = 8;

/// Metadata of the probe's object, which the store must keep.
const WRITER: &str = "plantonwriter";

/// A probe of one bucket.
struct Probe<'a> {
    client: &'a Client,
    places: &'a Places,
    id: String,
    /// The objects that it wrote.
    written: Mutex<Vec<Path>>,
}

/// The start of a round.
#[derive(Clone)]
struct Start {
    path: Path,
    condition: Condition,
}

/// How the writers of a round ended.
#[derive(Default)]
struct Round {
    winners: Vec<String>,
    /// Writers that may have won, or may win yet.
    unclear: Vec<String>,
    refused: usize,
    /// The last failure that may pass.
    fault: Option<Fault>,
}

/// Probes a bucket, and removes what the probe wrote. Beside it, reads its configuration.
pub(super) async fn probe(client: &Client, organization: &Slug) -> Result<(), CatalogError> {
    let places = Places::new(client.settings().location(), organization);
    let probe = Probe {
        client,
        places: &places,
        id: Uuid::new_v4().simple().to_string(),
        written: Mutex::default(),
    };
    client.observations().note_probe();
    let (outcome, ()) = tokio::join!(probe.run(), inspect(client, &places));
    let removed = probe.remove().await;
    outcome?;
    removed
}

impl Probe<'_> {
    async fn run(&self) -> Result<(), CatalogError> {
        let created = self.contest("creations", None).await?;
        let (path, first) = created.clone();
        let mut newest = created;
        for _ in 0..self.rounds() {
            newest = self.contest("updates", Some(newest)).await?;
        }
        let kept = self.client.head(&path).await;
        let kept = kept.map_err(|fault| self.explain(fault, Operation::Head))?;
        if kept.metadata(WRITER).is_none() {
            return Err(self.unfit(
                "does not return the metadata of an object, by which the provider recognizes a \
                 replaced version",
            ));
        }
        self.update_of_nothing(newest.1).await?;
        if self.vendor() == BucketVendor::Gcs {
            // Only a read shows whether a bucket of Google keeps versions.
            let keeps = self.client.keeps(&path, &first).await;
            if keeps.unwrap_or(false) {
                self.client.observations().note_versions();
            }
        }
        Ok(())
    }

    /// Races creations or updates in one round that counts. Returns the object and the tag of
    /// the winner.
    async fn contest(
        &self,
        what: &'static str,
        from: Option<(Path, Tag)>,
    ) -> Result<(Path, Tag), CatalogError> {
        let mut spent = Spent::new();
        let mut start = self.start(from.clone());
        let mut doubtful = Vec::new();
        loop {
            let round = self.round(&start).await?;
            doubtful.extend(round.unclear);
            let winner = self.winner(what, &start, &round.winners, &doubtful).await?;
            if let Some(tag) = winner {
                if round.refused >= self.least_refused() {
                    return Ok((start.path, tag));
                }
                doubtful.clear();
                start = self.start(from.as_ref().map(|_| (start.path, tag)));
            }
            let Some(fault) = round.fault else {
                return Err(self.unfit(&format!(
                    "rejected all of {WRITERS} parallel {what}, of which one must win"
                )));
            };
            self.pause(&mut spent, fault).await?;
        }
    }

    async fn round(&self, start: &Start) -> Result<Round, CatalogError> {
        let writers = (0..WRITERS).map(|_| async {
            let writer = Uuid::new_v4().simple().to_string();
            let put = write(&start.path, &writer, start.condition.clone());
            (writer, self.client.put_once(&put).await)
        });
        let mut round = Round::default();
        for (writer, outcome) in join_all(writers).await {
            match outcome {
                Ok(_) => round.winners.push(writer),
                Err(fault) if fault.kind == FaultKind::Refused => round.refused += 1,
                Err(fault) if fault.is_unclear() => {
                    // A store that refuses a concurrent write so has raced it.
                    round.refused += usize::from(fault.kind == FaultKind::Busy);
                    round.unclear.push(writer);
                    round.fault = Some(fault);
                }
                Err(fault) => return Err(self.explain(fault, Operation::Put)),
            }
        }
        Ok(round)
    }

    /// Returns the tag of the one writer that won; `None` if none did.
    async fn winner(
        &self,
        what: &'static str,
        start: &Start,
        winners: &[String],
        doubtful: &[String],
    ) -> Result<Option<Tag>, CatalogError> {
        if winners.len() > 1 {
            let count = winners.len();
            return Err(self.unfit(&format!(
                "executed {count} of {WRITERS} parallel {what} under a condition that only one \
                 can meet"
            )));
        }
        let found = match self.client.get(&start.path).await {
            Ok(object) => Some(object),
            Err(fault) if fault.kind == FaultKind::NotFound => None,
            Err(fault) => return Err(self.explain(fault, Operation::Get)),
        };
        let candidates = if winners.is_empty() {
            doubtful
        } else {
            winners
        };
        let is_of = |body: &[u8]| candidates.iter().any(|writer| writer.as_bytes() == body);
        match found.filter(|object| is_of(&object.body)) {
            Some(object) => Ok(Some(object.tag)),
            None if winners.is_empty() => Ok(None),
            None => Err(self.unfit(&format!(
                "executed a write after one of {WRITERS} parallel {what} had won"
            ))),
        }
    }

    /// Checks that an update does not create an object.
    async fn update_of_nothing(&self, tag: Tag) -> Result<(), CatalogError> {
        let Start { path, .. } = self.start(None);
        let put = write(&path, "absent", Condition::Matches(tag));
        let mut spent = Spent::new();
        let mut in_doubt = false;
        loop {
            match self.client.put_once(&put).await {
                Ok(_) => break,
                Err(fault) if fault.is_in_doubt || fault.is_unclear() => {
                    in_doubt = true;
                    self.pause(&mut spent, fault).await?;
                }
                // Whatever the reason, this try created nothing.
                Err(_) if !in_doubt => return Ok(()),
                Err(_) => match self.client.get(&path).await {
                    Ok(_) => break,
                    Err(_) => return Ok(()),
                },
            }
        }
        Err(self.unfit("executes an update of an object that does not exist"))
    }

    /// Waits before the next try.
    async fn pause(&self, spent: &mut Spent, fault: Fault) -> Result<(), CatalogError> {
        let context = OperationContext::current();
        let policy = self.client.retry();
        let is_limited = fault.kind == FaultKind::RateLimited;
        spent.count(is_limited && context.deadline.is_some());
        let delay = policy.delay(spent.tries(), fault.retry_after);
        let may_go_on = spent.affords(policy, delay, &context);
        match may_go_on && context.pause(delay).await.is_ok() {
            true => Ok(()),
            false => Err(self.explain(fault, Operation::Put)),
        }
    }

    /// Returns the start of a round: an update of `from`, or the creation of another object.
    fn start(&self, from: Option<(Path, Tag)>) -> Start {
        match from {
            Some((path, tag)) => Start {
                path,
                condition: Condition::Matches(tag),
            },
            None => {
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                let path = self.places.probe(&format!("{}-{}", self.id, written.len()));
                written.push(path.clone());
                Start {
                    path,
                    condition: Condition::Absent,
                }
            }
        }
    }

    async fn remove(&self) -> Result<(), CatalogError> {
        let written = {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.clone()
        };
        for path in written {
            let removed = self.client.delete(&path).await;
            removed.map_err(|fault| self.explain(fault, Operation::Delete))?;
        }
        Ok(())
    }

    fn vendor(&self) -> BucketVendor {
        self.client.settings().location().vendor()
    }

    /// Returns the number of rounds of updates. The vendors' own stores promise what the probe
    /// checks, and Google's takes one write a second for one object.
    fn rounds(&self) -> u32 {
        match (&self.client.settings().endpoint, self.vendor()) {
            (Some(_), BucketVendor::S3 | BucketVendor::Azure) => ROUNDS,
            _ => 1,
        }
    }

    fn least_refused(&self) -> usize {
        match (&self.client.settings().endpoint, self.vendor()) {
            (Some(_), BucketVendor::S3 | BucketVendor::Azure) => LEAST_REFUSED,
            _ => 0,
        }
    }

    fn explain(&self, fault: Fault, operation: Operation) -> CatalogError {
        let key = format!("{}/probe/{}", self.places.root(), self.id);
        explain(self.client, fault, operation, (self.places.root(), &key))
    }

    fn unfit(&self, fault: &str) -> CatalogError {
        let location = self.client.settings().location();
        let operation = Operation::Put.name(location.vendor());
        let remedy = format!(
            "The store {fault}. Several runs would overwrite each other's records, so it cannot \
             be a platform. Use a store whose conditional writes are atomic, such as Amazon S3, \
             Google Cloud Storage or Azure Blob Storage."
        );
        let kind = CatalogErrorKind::Misconfigured;
        let key = format!("{}/probe/{}", self.places.root(), self.id);
        CatalogError::new(kind, operation, location.url_of(&key)).with_remedy(remedy)
    }
}

fn write(path: &Path, writer: &str, condition: Condition) -> Write {
    Write {
        path: path.clone(),
        body: Bytes::from(writer.to_owned()),
        condition,
        content_type: "text/plain",
        metadata: vec![(WRITER, writer.to_owned())],
    }
}

#[cfg(test)]
mod tests;
