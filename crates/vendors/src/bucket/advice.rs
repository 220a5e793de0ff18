//! What the answers of a bucket show of its configuration, as advice to its operator.

use std::sync::atomic::{AtomicBool, Ordering};

use super::client::Response;

/// A property of a bucket that its operator should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The property, in a few words.
    pub summary: &'static str,
    /// What it means, and what to do.
    pub detail: String,
}

/// What answers have shown so far.
#[derive(Debug, Default)]
pub(super) struct Observations {
    keeps_versions: AtomicBool,
    expires: AtomicBool,
    archives: AtomicBool,
}

impl Observations {
    /// Reads an answer.
    pub(super) fn note(&self, response: &Response) {
        for (seen, flag) in [
            (response.keeps_versions, &self.keeps_versions),
            (response.expires, &self.expires),
            (response.is_archived, &self.archives),
        ] {
            if seen {
                flag.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Records that the bucket keeps replaced objects.
    pub(super) fn note_versions(&self) {
        self.keeps_versions.store(true, Ordering::Relaxed);
    }

    /// Returns the advice.
    pub(super) fn advice(&self, location: &str) -> Vec<Advice> {
        let mut advice = Vec::new();
        if self.expires.load(Ordering::Relaxed) {
            advice.push(Advice {
                summary: "Lifecycle Rule Deletes Objects",
                detail: format!(
                    "A lifecycle rule of the bucket deletes objects below {location} after some \
                     time. Records and sealed versions would be lost. Exclude that prefix from \
                     the rule."
                ),
            });
        }
        if self.archives.load(Ordering::Relaxed) {
            advice.push(Advice {
                summary: "Objects in an Archive Tier",
                detail: format!(
                    "Objects below {location} are in an archive tier, from which they cannot be \
                     read at once. A refresh reports them as present. Restore them, and exclude \
                     that prefix from the lifecycle rule."
                ),
            });
        }
        if self.keeps_versions.load(Ordering::Relaxed) {
            advice.push(Advice {
                summary: "Bucket Keeps Old Versions",
                detail: format!(
                    "The bucket keeps each deleted or replaced object below {location}, sealed \
                     versions among them. They stay sealed, and can be restored. Expire \
                     noncurrent versions with a lifecycle rule if they must not be kept."
                ),
            });
        }
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_about_what_was_seen_only() {
        let observations = Observations::default();
        assert_eq!(observations.advice("s3://acme"), []);
        observations.note_versions();
        let [advice] = &observations.advice("s3://acme")[..] else {
            panic!("one advice")
        };
        assert!(advice.detail.contains("s3://acme"), "{advice:?}");
    }
}
