//! Probes whether the conditions of a bucket's writes hold under races.
//!
//! Some stores with the API of S3 ignore a condition, or check it before the write rather
//! than with it, and let several of parallel writes win. A sequential test does not find that.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::path::Path;
use uuid::Uuid;

use super::client::{Client, Condition, Fault, FaultKind, Object, Tag, Write};
use super::errors::explain;
use super::location::{BucketVendor, Places};
use super::policy::Operation;
use crate::http::{OperationContext, Spent};
use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::names::Slug;

/// Number of parallel writers.
const WRITERS: usize = 32;

/// Metadata of the probe's object, which the store must keep.
const WRITER: &str = "plantonwriter";

/// A race of several writers with the same condition.
struct Race<'a> {
    client: &'a Client,
    places: &'a Places,
    path: &'a Path,
}

/// How the writers of one round ended.
#[derive(Default)]
struct Round {
    winners: Vec<String>,
    /// Writers that may have won.
    unclear: Vec<String>,
    /// The last failure that may pass.
    fault: Option<Fault>,
}

/// Probes a bucket, and removes what the probe wrote.
pub(super) async fn probe(client: &Client, organization: &Slug) -> Result<(), CatalogError> {
    let places = Places::new(client.settings().location(), organization);
    let path = places.probe(&Uuid::new_v4().simple().to_string());
    let race = Race {
        client,
        places: &places,
        path: &path,
    };
    let outcome = race.run().await;
    let removed = client.delete(&path).await;
    outcome?;
    removed.map_err(|fault| race.explain(fault, Operation::Delete))
}

impl Race<'_> {
    async fn run(&self) -> Result<(), CatalogError> {
        let created = self.race("creations", &Condition::Absent).await?;
        let updated = self
            .race("updates", &Condition::Matches(created.clone()))
            .await?;
        let kept = self.client.head(self.path).await;
        let kept = kept.map_err(|fault| self.explain(fault, Operation::Head))?;
        if kept.metadata(WRITER).is_none() {
            return Err(self.unfit(
                "does not return the metadata of an object, by which the provider recognizes a \
                 replaced version",
            ));
        }
        self.update_of_nothing(updated).await?;
        if self.client.settings().location().vendor() == BucketVendor::Gcs {
            // Only a read shows whether a bucket of Google keeps versions.
            let keeps = self.client.keeps(self.path, &created).await;
            if keeps.unwrap_or(false) {
                self.client.observations().note_versions();
            }
        }
        Ok(())
    }

    /// Checks that an update does not create an object.
    async fn update_of_nothing(&self, tag: Tag) -> Result<(), CatalogError> {
        let path = Path::from(format!("{}-absent", self.path));
        let put = write(&path, "absent", Condition::Matches(tag));
        match self.client.put_once(&put).await {
            Ok(_) => {
                let removed = self.client.delete(&path).await;
                removed.map_err(|fault| self.explain(fault, Operation::Delete))?;
                Err(self.unfit("executes an update of an object that does not exist"))
            }
            // Any failure leaves no object, or an update that `gc` does not mistake for one.
            Err(_) => Ok(()),
        }
    }

    /// Starts the writers, and starts them again while a rate limit or an outage leaves none
    /// as the winner. Returns the tag of the winner.
    async fn race(&self, what: &'static str, condition: &Condition) -> Result<Tag, CatalogError> {
        let context = OperationContext::current();
        let mut spent = Spent::new();
        loop {
            let Round {
                winners,
                unclear,
                fault,
            } = self.round(condition).await?;
            if winners.len() > 1 {
                let count = winners.len();
                return Err(self.unfit(&format!(
                    "executed {count} of {WRITERS} parallel {what} under a condition that only \
                     one can meet"
                )));
            }
            let found = self.found().await?;
            let writer = found
                .as_ref()
                .map(|object| String::from_utf8_lossy(&object.body));
            let is_of = |writers: &[String]| {
                writer
                    .as_ref()
                    .is_some_and(|writer| writers.iter().any(|one| one == writer))
            };
            match found {
                Some(ref object) if is_of(&winners) || winners.is_empty() && is_of(&unclear) => {
                    return Ok(object.tag.clone());
                }
                _ if !winners.is_empty() => {
                    return Err(self.unfit(&format!(
                        "executed a write after one of {WRITERS} parallel {what} had won"
                    )));
                }
                _ => {}
            }
            let Some(fault) = fault else {
                return Err(self.unfit(&format!(
                    "rejected all of {WRITERS} parallel {what}, of which one must win"
                )));
            };
            let policy = self.client.retry();
            let is_limited = fault.kind == FaultKind::RateLimited;
            spent.count(is_limited && context.deadline.is_some());
            let delay = policy.delay(spent.tries(), fault.retry_after);
            let may_go_on = spent.affords(policy, delay, &context);
            if !may_go_on || context.pause(delay).await.is_err() {
                return Err(self.explain(fault, Operation::Put));
            }
        }
    }

    async fn round(&self, condition: &Condition) -> Result<Round, CatalogError> {
        let writers = (0..WRITERS).map(|_| async {
            let writer = Uuid::new_v4().simple().to_string();
            let put = write(self.path, &writer, condition.clone());
            (writer, self.client.put_once(&put).await)
        });
        let mut round = Round::default();
        for (writer, outcome) in join_all(writers).await {
            match outcome {
                Ok(_) => round.winners.push(writer),
                Err(fault) if fault.kind == FaultKind::Refused => {}
                Err(fault) if fault.is_unclear() => {
                    round.unclear.push(writer);
                    round.fault = Some(fault);
                }
                Err(fault) => return Err(self.explain(fault, Operation::Put)),
            }
        }
        Ok(round)
    }

    async fn found(&self) -> Result<Option<Object>, CatalogError> {
        match self.client.get(self.path).await {
            Ok(object) => Ok(Some(object)),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(self.explain(fault, Operation::Get)),
        }
    }

    fn explain(&self, fault: Fault, operation: Operation) -> CatalogError {
        let place = (self.places.root(), self.path.as_ref());
        explain(self.client, fault, operation, place)
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
        CatalogError::new(kind, operation, location.url_of(self.path.as_ref())).with_remedy(remedy)
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
