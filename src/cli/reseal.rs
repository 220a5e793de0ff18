//! `reseal` seals the values of a backend again, each under a new data key.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::count::count;
use super::operator::{self, Failure, Form, Report};
use super::output::tell;
use super::progress::Progress;
use super::renewal::{Failed, Kept, failed_text, kept_text};
use planton_core::names::Slug;
use planton_core::operations::{Interrupt, Organization, RewrapProgress};

/// Arguments of `reseal`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Reseal {
    /// Backend whose secrets to reseal; `platform` is the built-in one.
    #[arg(value_parser = Slug::parse)]
    backend: Slug,
    /// Reseal only what was sealed before this time (RFC 3339). Default: now. To continue an
    /// interrupted call, pass the time that it printed.
    #[arg(long, value_name = "TIME")]
    sealed_before: Option<Timestamp>,
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Resealed {
    organization: String,
    backend: String,
    sealed_before: String,
    resealed: usize,
    /// Versions that were sealed late enough.
    current: usize,
    /// Superseded envelopes that the store keeps.
    kept: Vec<Kept>,
    failed: Vec<Failed>,
}

impl Report for Resealed {
    fn text(&self) -> String {
        let Self {
            backend,
            sealed_before,
            resealed,
            current,
            ..
        } = self;
        let mut text = format!(
            "Backend {backend}: {} resealed, each under a new data key, {current} sealed since \
             {sealed_before}.",
            count(*resealed, "version", "versions"),
        );
        text.push_str(&kept_text(
            &self.kept,
            "The former data keys open them. Delete these versions with the vendor's tools",
        ));
        text.push_str(&failed_text(&self.failed));
        if self.failed.is_empty() {
            text.push_str(
                "\nWhoever read a value before still knows it: rotate what may have leaked. Backups \
                 of the backend contain the former envelopes.",
            );
        } else {
            let _ = write!(
                text,
                "\nNot everything was resealed. Once the causes are removed, continue with \
                 --sealed-before {sealed_before}."
            );
        }
        text
    }

    fn status(&self) -> u8 {
        u8::from(!self.failed.is_empty())
    }
}

/// Reseals what the arguments name.
#[must_use]
pub(super) fn run(reseal: Reseal) -> ExitCode {
    let form = if reseal.json { Form::Json } else { Form::Text };
    operator::run(form, |organization| async move {
        operator::interruptible(|interrupt| async move {
            resealed(&organization, &reseal, &interrupt).await
        })
        .await
    })
}

async fn resealed(
    organization: &Organization,
    reseal: &Reseal,
    interrupt: &Interrupt,
) -> Result<Resealed, Failure> {
    let keys = organization.keys();
    keys.expect_pins()?;
    let sealed_before = reseal.sealed_before.unwrap_or_else(Timestamp::now);
    tell(format_args!(
        "Resealing what was sealed before {sealed_before}. To continue an interrupted call, pass \
         --sealed-before {sealed_before}."
    ));
    let progress = Progress::of(reseal.backend.to_string());
    let show = |now: &RewrapProgress| progress.show(now.looked_at, now.documents);
    let done = keys.reseal(&reseal.backend, sealed_before, &show, interrupt);
    let done = interrupt.bound(done).await?;
    drop(progress);
    Ok(Resealed {
        organization: organization.slug().to_string(),
        backend: reseal.backend.to_string(),
        sealed_before: sealed_before.to_string(),
        resealed: done.rewrapped,
        current: done.current,
        kept: done.kept.into_iter().map(Kept::from).collect(),
        failed: done.failed.into_iter().map(Failed::from).collect(),
    })
}
