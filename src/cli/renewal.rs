//! What `rewrap` and `reseal` report of a backend.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::count::count;

use planton_core::operations::{FailedRewrap, KeptEnvelope};

/// Number of objects that the text names.
const MAX_NAMED: usize = 10;

/// A superseded envelope that its store keeps.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    object: String,
    version: String,
}

impl From<KeptEnvelope> for Kept {
    fn from(KeptEnvelope { object, version }: KeptEnvelope) -> Self {
        Self {
            object: object.to_string(),
            version: version.to_string(),
        }
    }
}

/// Something that failed, and does not keep the others from being done.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u64>,
    pub(super) error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Failed {
    /// Returns the secret or the record, and the version.
    pub(super) fn subject(&self) -> String {
        match self.version {
            Some(version) => format!("{}, version {version}", self.name),
            None => self.name.clone(),
        }
    }
}

impl From<FailedRewrap> for Failed {
    fn from(failed: FailedRewrap) -> Self {
        let FailedRewrap {
            subject,
            version,
            error,
            remedy,
        } = failed;
        Self {
            name: subject,
            version,
            error,
            remedy,
        }
    }
}

/// Returns the superseded envelopes that a store keeps, and what `follows` from it.
pub(super) fn kept_text(kept: &[Kept], follows: &str) -> String {
    let mut text = String::new();
    if kept.is_empty() {
        return text;
    }
    let _ = write!(
        text,
        "\nThe store does not delete single versions, so it keeps {}. {follows}:",
        count(kept.len(), "superseded envelope", "superseded envelopes")
    );
    for kept in kept.iter().take(MAX_NAMED) {
        let _ = write!(text, "\n  {} @ {}", kept.object, kept.version);
    }
    if kept.len() > MAX_NAMED {
        let more = kept.len() - MAX_NAMED;
        let _ = write!(text, "\n  and {more} more, which --json lists");
    }
    text
}

/// Returns a line for each failure, and each remedy once.
pub(super) fn failed_text(failed: &[Failed]) -> String {
    let mut text = String::new();
    for one in failed {
        let _ = write!(text, "\n  Failed: {}: {}", one.subject(), one.error);
    }
    let remedies: BTreeSet<_> = failed
        .iter()
        .filter_map(|one| one.remedy.as_deref())
        .collect();
    for remedy in remedies {
        let _ = write!(text, "\n{remedy}");
    }
    text
}
