//! Defines the owner of a record: the run that created or adopted it, and when.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The identifier of a run, shared by all of its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Wraps the uuid that the processes of a run derive.
    #[must_use]
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the uuid.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The run that created or adopted a record, and the generation of that commit.
///
/// A state keeps the stamp of its own creation or adoption. It may change and destroy a
/// record only if the record still has that stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The run.
    pub run: RunId,
    /// Generation of the document in that commit.
    pub generation: u64,
}

/// Where and when a run created or adopted a record.
///
/// It is for humans only. The provider bases no decision on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Time of the commit.
    pub at: Timestamp,
    /// Name of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Base name of the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Workspace of the state, unless it is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Value of `PLANTON_RUN_LABEL`, such as the URL of a CI job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The owner of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Stamp by which a state identifies its own record.
    pub stamp: Stamp,
    /// Human-readable origin.
    pub origin: Origin,
    /// Owner before this run adopted the record. If the same run destroys the record,
    /// it returns the record to that owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_from: Option<Box<FormerOwner>>,
}

/// The owner of a record before its adoption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerOwner {
    /// Stamp before the adoption.
    pub stamp: Stamp,
    /// Human-readable origin.
    pub origin: Origin,
}

impl Owner {
    /// Returns the owner after `self` adopted a record of `former`.
    #[must_use]
    pub(crate) fn adopting(self, former: Self) -> Self {
        let Self { stamp, origin, .. } = former;
        Self {
            adopted_from: Some(Box::new(FormerOwner { stamp, origin })),
            ..self
        }
    }

    /// Returns the presumed stamp of a state without one: the stamp of the creator.
    ///
    /// A state loses its stamp if a process dies during an update. A record that
    /// another state has adopted since does not have the presumed stamp any more.
    #[must_use]
    pub fn presumed_stamp(&self) -> Stamp {
        let former = self.adopted_from.as_deref();
        former.map_or(self.stamp, |former| former.stamp)
    }

    /// Returns true if a state with this stamp, or without one, may change the record.
    #[must_use]
    pub(crate) fn is_known_as(&self, stamp: Option<Stamp>) -> bool {
        stamp.unwrap_or_else(|| self.presumed_stamp()) == self.stamp
    }

    /// Returns the owner before the adoption; `None` if the owner created the record.
    #[must_use]
    pub fn former(&self) -> Option<Self> {
        let former = self.adopted_from.as_deref()?;
        Some(Self {
            stamp: former.stamp,
            origin: former.origin.clone(),
            adopted_from: None,
        })
    }
}
