//! Which run made a record, and when: what decides whose it is, and
//! what people decide by.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies a run: all of its processes share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Takes the uuid that a run's processes derive.
    #[must_use]
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
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

/// Tells whose a record is: the run that created or adopted it, and the commit
/// with which it did.
///
/// A state keeps the stamp of its own creation or adoption. It may change and
/// destroy what still bears that stamp, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The run.
    pub run: RunId,
    /// The document's generation as of that commit.
    pub generation: u64,
}

/// Where and when a run created or adopted a record. People decide by it; the
/// provider never does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// When it was committed.
    pub at: Timestamp,
    /// The machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The base name of the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The state's workspace, where it is not the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What `PLANTON_RUN_LABEL` says, such as a CI job's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Whose a record is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// What a state knows its own record by.
    pub stamp: Stamp,
    /// For people.
    pub origin: Origin,
    /// Whose it was before this run adopted it; put back when the same run would
    /// destroy it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_from: Option<Box<FormerOwner>>,
}

/// Whose an adopted record was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerOwner {
    /// The stamp before the adoption.
    pub stamp: Stamp,
    /// For people.
    pub origin: Origin,
}

impl Owner {
    /// Returns the owner after `self` adopted what was `former`'s.
    #[must_use]
    pub(crate) fn adopting(self, former: Self) -> Self {
        let Self { stamp, origin, .. } = former;
        Self {
            adopted_from: Some(Box::new(FormerOwner { stamp, origin })),
            ..self
        }
    }

    /// Returns the stamp that a state has which knows none: the creator's. A
    /// state loses its stamp when a process dies in an update, and what another state
    /// has adopted meanwhile is not this one's any more.
    #[must_use]
    pub fn presumed_stamp(&self) -> Stamp {
        let former = self.adopted_from.as_deref();
        former.map_or(self.stamp, |former| former.stamp)
    }

    /// Says whether a state with this stamp, or with none, may act on the record.
    #[must_use]
    pub(crate) fn is_known_as(&self, stamp: Option<Stamp>) -> bool {
        stamp.unwrap_or_else(|| self.presumed_stamp()) == self.stamp
    }

    /// Returns the owner before the adoption; `None` for who created the record.
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
