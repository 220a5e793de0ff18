//! `rewrap` moves data keys to the newest version of their key, or to another key.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::operator::{self, Failure, Form, Report};
use super::progress::Progress;
use planton_core::names::Slug;
use planton_core::operations::{
    FailedRewrap, FormerKeys, Interrupt, KeptEnvelope, Organization, PLATFORM_BACKEND,
    RewrapProgress, RewrappedRecords,
};

/// Number of objects that the text names.
const MAX_NAMED: usize = 10;

/// Arguments of `rewrap`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Rewrap {
    /// Backend whose secrets to rewrap; `platform` is the built-in one. Default: the
    /// organization's own keys and credentials, and every backend.
    #[arg(long, value_parser = Slug::parse)]
    backend: Option<Slug>,
    /// Afterwards remove the former keys of these backends from their records, so that they
    /// can be destroyed. Only if no apply that began before the keys changed still runs: it
    /// would write versions under a former key, which nothing could open.
    #[arg(long)]
    remove_former_keys: bool,
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Rewrapped {
    organization: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<OfRecords>,
    backends: Vec<OfBackend>,
}

/// What was done to records.
#[derive(Debug, Serialize)]
struct OfRecords {
    mac_key_rewrapped: bool,
    credentials_rewrapped: usize,
    credentials_current: usize,
    failed: Vec<Failed>,
}

/// What was done to the secrets of a backend.
#[derive(Debug, Serialize)]
struct OfBackend {
    backend: String,
    rewrapped: usize,
    current: usize,
    /// Superseded envelopes that the store keeps.
    kept: Vec<Kept>,
    /// Former keys that were removed from the record.
    former_keys_removed: Vec<String>,
    /// What still needs the former keys.
    former_keys_needed_by: Vec<String>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Kept {
    object: String,
    version: String,
}

#[derive(Debug, Serialize)]
struct Failed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    error: String,
}

impl Failed {
    fn subject(&self) -> String {
        match self.version {
            Some(version) => format!("{}, version {version}", self.name),
            None => self.name.clone(),
        }
    }
}

impl From<RewrappedRecords> for OfRecords {
    fn from(done: RewrappedRecords) -> Self {
        let failed = done.failed.into_iter().map(|(backend, error)| Failed {
            name: backend.to_string(),
            version: None,
            error,
        });
        Self {
            mac_key_rewrapped: done.mac_key,
            credentials_rewrapped: done.credentials,
            credentials_current: done.current,
            failed: failed.collect(),
        }
    }
}

impl OfBackend {
    fn new(backend: &Slug, done: RewrapProgress) -> Self {
        let kept = done.kept.into_iter();
        let kept = kept.map(|KeptEnvelope { object, version }| Kept {
            object: object.to_string(),
            version: version.to_string(),
        });
        let failed = done.failed.into_iter();
        let failed = failed.map(
            |FailedRewrap {
                 subject,
                 version,
                 error,
             }| Failed {
                name: subject,
                version,
                error,
            },
        );
        Self {
            backend: backend.to_string(),
            rewrapped: done.rewrapped,
            current: done.current,
            kept: kept.collect(),
            former_keys_removed: Vec::new(),
            former_keys_needed_by: Vec::new(),
            failed: failed.collect(),
        }
    }

    fn text(&self) -> String {
        let Self {
            backend,
            rewrapped,
            current,
            ..
        } = self;
        let mut text = format!(
            "Backend {backend}: {rewrapped} versions rewrapped, {current} current already."
        );
        if !self.kept.is_empty() {
            let _ = write!(
                text,
                "\nThe store does not delete single versions, so it keeps {} superseded envelopes. \
                 Their data keys stay wrapped under the former key, which opens them as long as it \
                 exists:",
                self.kept.len()
            );
            for kept in self.kept.iter().take(MAX_NAMED) {
                let _ = write!(text, "\n  {} @ {}", kept.object, kept.version);
            }
            if self.kept.len() > MAX_NAMED {
                let more = self.kept.len() - MAX_NAMED;
                let _ = write!(text, "\n  and {more} more, which --json lists");
            }
        }
        for key in &self.former_keys_removed {
            let _ = write!(text, "\n  Former key removed: {key}");
        }
        for version in &self.former_keys_needed_by {
            let _ = write!(text, "\n  The former keys stay, needed by {version}");
        }
        text + &told(&self.failed)
    }
}

impl OfRecords {
    fn text(&self) -> String {
        let mac_key = match self.mac_key_rewrapped {
            true => "rewrapped",
            false => "current already",
        };
        format!(
            "Organization: MAC key {mac_key}; {} credentials rewrapped, {} current already.{}",
            self.credentials_rewrapped,
            self.credentials_current,
            told(&self.failed)
        )
    }
}

fn told(failed: &[Failed]) -> String {
    let mut text = String::new();
    for one in failed {
        let _ = write!(text, "\n  Failed: {}: {}", one.subject(), one.error);
    }
    text
}

impl Report for Rewrapped {
    fn text(&self) -> String {
        let records = self.records.as_ref().map(OfRecords::text);
        let backends = self.backends.iter().map(OfBackend::text);
        let mut parts: Vec<String> = records.into_iter().chain(backends).collect();
        if self.has_failed() {
            parts.push(
                "Not everything was rewrapped. Run the command again once the causes are removed; \
                 it continues where it is needed."
                    .to_owned(),
            );
        }
        parts.join("\n")
    }

    fn status(&self) -> u8 {
        u8::from(self.has_failed())
    }
}

impl Rewrapped {
    fn has_failed(&self) -> bool {
        let of_records = self.records.as_ref();
        let of_records = of_records.is_some_and(|records| !records.failed.is_empty());
        of_records
            || self
                .backends
                .iter()
                .any(|of| !of.failed.is_empty() || !of.former_keys_needed_by.is_empty())
    }
}

/// Rewraps what the arguments name.
#[must_use]
pub(super) fn run(rewrap: Rewrap) -> ExitCode {
    let form = if rewrap.json { Form::Json } else { Form::Text };
    operator::run(form, |organization| async move {
        operator::interruptible(|interrupt| async move {
            rewrapped(&organization, rewrap, &interrupt).await
        })
        .await
    })
}

async fn rewrapped(
    organization: &Organization,
    rewrap: Rewrap,
    interrupt: &Interrupt,
) -> Result<Rewrapped, Failure> {
    let keys = organization.keys();
    keys.expect_pins()?;
    let mut done = Rewrapped {
        organization: organization.slug().to_string(),
        records: None,
        backends: Vec::new(),
    };
    let backends = match rewrap.backend {
        Some(backend) => vec![backend],
        None => {
            let records = interrupt.bound(keys.rewrap_records(interrupt)).await?;
            done.records = Some(records.into());
            let mut all = vec![PLATFORM_BACKEND.parse().expect("a constant slug")];
            let registered = organization.backends().in_use();
            all.extend(interrupt.bound(registered).await?);
            all
        }
    };
    for backend in backends {
        let progress = Progress::of(backend.to_string());
        let show = |now: &RewrapProgress| progress.show(now.looked_at, now.documents);
        let rewrapped = keys.rewrap(&backend, &show, interrupt);
        let rewrapped = interrupt.bound(rewrapped).await?;
        drop(progress);
        let mut of_backend = OfBackend::new(&backend, rewrapped);
        let is_registered = backend.as_str() != PLATFORM_BACKEND;
        if rewrap.remove_former_keys && is_registered {
            // What failed may be under a former key, whatever its record says.
            if of_backend.failed.is_empty() {
                let removed = keys.remove_former(&backend, interrupt);
                match interrupt.bound(removed).await? {
                    FormerKeys::Removed(keys) => of_backend.former_keys_removed = keys,
                    FormerKeys::Needed(by) => of_backend.former_keys_needed_by = by,
                }
            } else {
                let failed = of_backend.failed.iter().map(Failed::subject);
                of_backend.former_keys_needed_by = failed.collect();
            }
        }
        done.backends.push(of_backend);
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_failed_is_named_and_the_exit_status_tells() {
        let mut done = Rewrapped {
            organization: "acme".to_owned(),
            records: None,
            backends: vec![OfBackend::new(
                &Slug::platform_backend(),
                RewrapProgress::default(),
            )],
        };
        assert_eq!(done.status(), 0);
        assert!(!done.text().contains("Not everything"), "{}", done.text());
        let failed = |subject: &str, version| FailedRewrap {
            subject: subject.to_owned(),
            version,
            error: "denied".to_owned(),
        };
        let progress = RewrapProgress {
            rewrapped: 1,
            failed: vec![failed("secrets/a1", None), failed("prod/db", Some(2))],
            ..RewrapProgress::default()
        };
        done.backends = vec![OfBackend::new(&Slug::platform_backend(), progress)];
        assert_eq!(done.status(), 1);
        let text = done.text();
        for line in [
            "Failed: secrets/a1: denied",
            "Failed: prod/db, version 2: denied",
            "Not everything was rewrapped",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
