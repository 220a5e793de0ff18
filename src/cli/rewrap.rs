//! `rewrap` moves data keys to the newest version of their key, or to another key.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::count::count;
use super::operator::{self, Failure, Form, Report};
use super::progress::Progress;
use super::renewal::{Failed, Kept, failed_text, kept_text};
use super::{identities, key_file};
use crate::diagnostics::rewrap_denied;
use planton_core::names::Slug;
use planton_core::operations::{
    FormerKeys, Interrupt, KekError, KekErrorKind, OperationError, Organization, PLATFORM_BACKEND,
    RewrapProgress, RewrappedRecords, pin_of,
};

/// Arguments of `rewrap`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Rewrap {
    /// Backend whose secrets to rewrap; `platform` is the built-in one. Default: the
    /// organization's own keys and credentials, and every backend.
    #[arg(long, value_parser = Slug::parse)]
    backend: Option<Slug>,
    /// Unwrap with the identities of age in this file, after the main key was lost: creates a
    /// new main key where the platform has none, and moves everything under it. With
    /// --backend, moves the secrets of that backend alone, under the keys that its record
    /// declares now.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Afterwards remove the former keys of these backends from their records, and the former
    /// root keys of an embedded platform from its key file. Only if no apply, rewrap or reseal
    /// that began before the keys changed still runs: it would write versions under a former
    /// key, which nothing could open.
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
    /// The keys of the organization after a main key was installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    main_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<OfRecords>,
    backends: Vec<OfBackend>,
    /// Former root keys of the embedded platform's key file.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<key_file::Retired>,
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

impl From<RewrappedRecords> for OfRecords {
    fn from(done: RewrappedRecords) -> Self {
        let failed = done.failed.into_iter().map(|(backend, error)| Failed {
            name: backend.to_string(),
            version: None,
            error,
            remedy: None,
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
        Self {
            backend: backend.to_string(),
            rewrapped: done.rewrapped,
            current: done.current,
            kept: done.kept.into_iter().map(Kept::from).collect(),
            former_keys_removed: Vec::new(),
            former_keys_needed_by: Vec::new(),
            failed: done.failed.into_iter().map(Failed::from).collect(),
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
            "Backend {backend}: {} rewrapped, {current} current already.",
            count(*rewrapped, "version", "versions"),
        );
        text.push_str(&kept_text(
            &self.kept,
            "Their data keys stay wrapped under the former key, which opens them as long as it \
             exists",
        ));
        for key in &self.former_keys_removed {
            let _ = write!(text, "\n  Former key removed: {key}");
        }
        for version in &self.former_keys_needed_by {
            let _ = write!(text, "\n  The former keys stay, needed by {version}");
        }
        text + &failed_text(&self.failed)
    }
}

impl OfRecords {
    fn text(&self) -> String {
        let mac_key = match self.mac_key_rewrapped {
            true => "rewrapped",
            false => "current already",
        };
        format!(
            "Organization: MAC key {mac_key}; {} rewrapped, {} current already.{}",
            count(self.credentials_rewrapped, "credential", "credentials"),
            self.credentials_current,
            failed_text(&self.failed)
        )
    }
}

impl Report for Rewrapped {
    fn text(&self) -> String {
        let main_keys = self.main_keys.as_ref().map(|keys| {
            format!(
                "The escrow identity vouches for the catalog. The main keys are:\n  {}",
                keys.join("\n  ")
            )
        });
        let records = self.records.as_ref().map(OfRecords::text);
        let backends = self.backends.iter().map(OfBackend::text);
        let key_file = self.key_file.as_ref().map(key_file::Retired::text);
        let parts = main_keys.into_iter().chain(records).chain(backends);
        let mut parts: Vec<String> = parts.chain(key_file).collect();
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
        let key_file = self.key_file.as_ref();
        of_records
            || key_file.is_some_and(key_file::Retired::is_needed)
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
        let organization = match &rewrap.with {
            Some(path) => organization.with_rescue(identities::open(path)?),
            None => organization,
        };
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
        main_keys: None,
        records: None,
        backends: Vec::new(),
        key_file: None,
    };
    if rewrap.with.is_none() {
        expect_permitted(organization, rewrap.backend.as_ref(), interrupt).await?;
    }
    let backends = match rewrap.backend {
        Some(backend) => vec![backend],
        None => {
            if rewrap.with.is_some() {
                interrupt.bound(keys.install_main_key(interrupt)).await?;
                let status = interrupt.bound(keys.status()).await?;
                let main = status.wrapping().into_iter().map(pin_of);
                done.main_keys = Some(main.collect());
            }
            let records = interrupt.bound(keys.rewrap_records(interrupt)).await?;
            done.records = Some(records.into());
            all_backends(organization, interrupt).await?
        }
    };
    for backend in backends {
        let progress = Progress::of(backend.to_string());
        let show = |now: &RewrapProgress| progress.show(now.looked_at, now.documents);
        let shown = interrupt.clone().showing(progress.quota_waits());
        let rewrapped = keys.rewrap(&backend, &show, interrupt);
        let rewrapped = shown.bound(rewrapped).await?;
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
    if rewrap.remove_former_keys && !done.has_failed() {
        done.key_file = key_file::retire().await?;
    }
    Ok(done)
}

async fn all_backends(
    organization: &Organization,
    interrupt: &Interrupt,
) -> Result<Vec<Slug>, OperationError> {
    let mut all = vec![PLATFORM_BACKEND.parse().expect("a constant slug")];
    let registered = organization.backends().in_use();
    all.extend(interrupt.bound(registered).await?);
    Ok(all)
}

/// Checks that the keys permit what the rewrap sends, before it changes anything. With an escrow
/// identity there is no such check: the keys that it installs may not exist yet.
async fn expect_permitted(
    organization: &Organization,
    only: Option<&Slug>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let keys = organization.keys();
    let (mut found, backends) = match only {
        Some(backend) => (Vec::new(), vec![backend.clone()]),
        None => (
            vec![interrupt.bound(keys.denied_to_rewrap_records()).await],
            // A record that cannot be read is reported by the rewrap, after what it can do.
            all_backends(organization, interrupt)
                .await
                .unwrap_or_default(),
        ),
    };
    for backend in &backends {
        let progress = Progress::of(backend.to_string());
        let shown = interrupt.clone().showing(progress.quota_waits());
        found.push(shown.bound(keys.denied_to_rewrap(backend)).await);
    }
    let mut denials: Vec<KekError> = Vec::new();
    for outcome in found {
        match outcome {
            Ok(more) => denials.extend(more),
            Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::PermissionDenied => {
                denials.push(error);
            }
            // The rewrap reports what fails otherwise, and goes on with what does not.
            Err(_) => {}
        }
    }
    let mut told = BTreeSet::new();
    denials.retain(|error| {
        let remedy = error.remedy().map(str::to_owned);
        told.insert((error.operation(), error.path().to_owned(), remedy))
    });
    match denials.is_empty() {
        true => Ok(()),
        false => Err(rewrap_denied(&denials).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::operations::FailedRewrap;

    #[test]
    fn whatever_failed_is_named_and_the_exit_status_tells() {
        let mut done = Rewrapped {
            organization: "acme".to_owned(),
            main_keys: None,
            records: None,
            backends: vec![OfBackend::new(
                &Slug::platform_backend(),
                RewrapProgress::default(),
            )],
            key_file: None,
        };
        assert_eq!(done.status(), 0);
        assert!(!done.text().contains("Not everything"), "{}", done.text());
        let failed = |subject: &str, version| FailedRewrap {
            subject: subject.to_owned(),
            version,
            error: "denied".to_owned(),
            remedy: Some("Grant it to the role.".to_owned()),
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
        assert_eq!(text.matches("Grant it to the role.").count(), 1, "{text}");
    }
}
