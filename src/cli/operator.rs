//! Frame of all operator commands: opens the platform that the environment variables name,
//! runs the command, prints the result, and returns an exit status.

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::missing;
use super::output::{print_result, tell};
use crate::diagnostics::explain;
use crate::provider::{self, Caller, Configured, Environment, warnings_about};
use planton_core::operations::{Interrupt, OperationError, Organization};
use planton_plugin::{Diagnostic, Severity};
use planton_vendors::bucket::Bucket;

/// Exit statuses, for the help of every command.
pub(super) const STATUSES: &str = "Exit status:
  0  done
  1  failed, perhaps halfway; run the command again to finish it
  2  wrong arguments, or not confirmed; nothing was changed
  3  record not found; nothing was changed";

/// Time limit of one use case.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Returns the interrupt of a use case that starts now.
pub(super) fn bounds() -> Interrupt {
    Interrupt::new(CancellationToken::new(), Some(Instant::now() + TIME_LIMIT))
}

/// Time limit of a command that may take hours. Requests wait for a quota within a limit only.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a command that may take hours. The first Ctrl-C stops it after the step at hand, and a
/// later call continues it.
pub(super) async fn interruptible<T, F: Future<Output = T>>(
    command: impl FnOnce(Interrupt) -> F,
) -> T {
    let token = CancellationToken::new();
    let limit = Some(Instant::now() + PATIENCE);
    let command = command(Interrupt::new(token.clone(), limit));
    tokio::pin!(command);
    tokio::select! {
        done = &mut command => return done,
        _ = tokio::signal::ctrl_c() => token.cancel(),
    }
    command.await
}

/// Failure of a command, with its exit status.
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
        if let Some(missing) = missing::of(&error) {
            return missing;
        }
        let diagnostic = match error {
            // It is about an argument of the command, and not about a backend's block.
            OperationError::KeyProbeFailed { error, .. } => explain(&error.into()),
            error => explain(&error),
        };
        diagnostic.into()
    }
}

/// Result of a command, as text and as JSON.
pub(super) trait Report: Serialize {
    /// Returns the human-readable text.
    fn text(&self) -> String;

    /// Returns the exit status: that of a command that did what it could, or found something.
    fn status(&self) -> u8 {
        0
    }
}

/// Output format of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// Runs a command on the organization that the environment variables name.
pub(super) fn run<R: Report, F: Future<Output = Result<R, Failure>>>(
    form: Form,
    command: impl FnOnce(Organization) -> F,
) -> ExitCode {
    run_as(Caller::Ordinary, form, |configured| {
        command(configured.organization)
    })
}

/// Runs a command of this kind on the configuration that the environment variables name.
pub(super) fn run_as<R: Report, F: Future<Output = Result<R, Failure>>>(
    caller: Caller,
    form: Form,
    command: impl FnOnce(Configured) -> F,
) -> ExitCode {
    run_alone(form, false, async {
        let opened = provider::operated(&Environment::of_process(), caller).await;
        let (configured, warnings) = opened?;
        for warning in &warnings {
            print(warning);
        }
        let bucket = configured.bucket();
        let done = command(configured).await;
        // A restore may have prepared the bucket.
        bucket.iter().for_each(print_advice);
        done
    })
}

/// Prints the advice about a bucket that this process has prepared for an organization.
pub(super) fn print_advice(bucket: &Bucket) {
    warnings_about(bucket).iter().for_each(print);
}

/// Runs a command that needs no platform. If it writes to stdout itself, the report goes to
/// stderr.
pub(super) fn run_alone<R: Report>(
    form: Form,
    writes_to_stdout: bool,
    command: impl Future<Output = Result<R, Failure>>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(format_args!("Error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    match outcome {
        Ok(report) => {
            let written = match form {
                Form::Text if writes_to_stdout => {
                    tell(report.text());
                    true
                }
                Form::Text => print_result(report.text()),
                Form::Json => print_result(json!(report)),
            };
            match report.status() {
                0 if !written => ExitCode::FAILURE,
                status => ExitCode::from(status),
            }
        }
        Err(failure) => fail(form, &failure),
    }
}

/// Prints a failure, and returns its status.
pub(super) fn fail(form: Form, failure: &Failure) -> ExitCode {
    let Diagnostic {
        summary, detail, ..
    } = &failure.diagnostic;
    print(&failure.diagnostic);
    if form == Form::Json {
        print_result(json!({"error": {"summary": summary, "detail": detail}}));
    }
    ExitCode::from(failure.status)
}

/// Prints a diagnostic to stderr in the form that Terraform uses.
pub(super) fn print(diagnostic: &Diagnostic) {
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    let Diagnostic {
        summary, detail, ..
    } = diagnostic;
    tell(format_args!("{severity}: {summary}\n\n{detail}\n"));
}
