//! What every operator command does: open the platform that the environment names,
//! run, print, and end with a status.

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::diagnostics::explain;
use crate::provider::{self, Environment};
use planton_core::operations::{Interrupt, OperationError, Organization};
use planton_plugin::{Diagnostic, Severity};

/// The exit statuses, as every command's help lists them.
pub(super) const STATUSES: &str = "Exit status:
  0  done
  1  failed; the error says why. What was begun stays begun: run it again
  2  wrong arguments, or not confirmed; nothing was changed
  3  no such record";

/// How long the requests of one use case may go on.
const TIME: Duration = Duration::from_secs(600);

/// Returns the bound of a use case that begins now.
pub(super) fn bounds() -> Interrupt {
    Interrupt::new(CancellationToken::new(), Some(Instant::now() + TIME))
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u8,
    pub(super) diagnostic: Diagnostic,
}

impl Failure {
    pub(super) fn not_confirmed(diagnostic: Diagnostic) -> Self {
        Self {
            status: 2,
            diagnostic,
        }
    }

    pub(super) fn no_such_record(diagnostic: Diagnostic) -> Self {
        Self {
            status: 3,
            diagnostic,
        }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            status: 1,
            diagnostic,
        }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        explain(&error).into()
    }
}

/// What a command has done: lines for people, an object for programs.
pub(super) trait Report: Serialize {
    /// Returns the text for people.
    fn text(&self) -> String;
}

/// The form in which a command reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// Runs a command on the organization that the environment names.
pub(super) fn run<R: Report, F: Future<Output = Result<R, Failure>>>(
    form: Form,
    command: impl FnOnce(Organization) -> F,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let opened = provider::operated(&Environment::of_process()).await;
        let (organization, warnings) = opened?;
        for warning in &warnings {
            print(warning);
        }
        command(organization).await
    });
    runtime.shutdown_background();
    match outcome {
        Ok(report) => {
            match form {
                Form::Text => println!("{}", report.text()),
                Form::Json => println!("{}", json!(report)),
            }
            ExitCode::SUCCESS
        }
        Err(failure) => fail(form, &failure),
    }
}

/// Reports a failure, and returns its status.
pub(super) fn fail(form: Form, failure: &Failure) -> ExitCode {
    let Diagnostic {
        summary, detail, ..
    } = &failure.diagnostic;
    print(&failure.diagnostic);
    if form == Form::Json {
        println!(
            "{}",
            json!({"error": {"summary": summary, "detail": detail}})
        );
    }
    ExitCode::from(failure.status)
}

/// Prints a diagnostic to stderr, as Terraform would.
fn print(diagnostic: &Diagnostic) {
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    eprintln!(
        "{severity}: {}\n\n{}\n",
        diagnostic.summary, diagnostic.detail
    );
}
