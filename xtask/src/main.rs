//! The project's own tasks: `cargo xtask --help`.

mod arrows;
mod citations;
#[cfg(test)]
mod release;
mod tasks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use tasks::dependencies::Advisories;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Do the main job once with real Terraform and the embedded platform
    Demo,
    /// Install the test tools, build, run all tests; arguments go to `cargo test`
    Test {
        /// Passed to `cargo test --workspace`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check formatting, lints, docs, arrows and dependencies, then run all tests
    Ci,
    /// Check each dependency's licence and source, bans and security advisories
    Dependencies {
        /// Whether an unreachable advisory database is a failure
        #[arg(long, value_enum, default_value_t)]
        advisories: Advisories,
    },
    /// Write the registry's pages from the provider's schema
    Docs {
        /// Compare only, and fail where a page would change
        #[arg(long)]
        check: bool,
    },
    /// Measure the release build, and write docs/benchmarks.md
    Bench {
        /// How many secrets
        #[arg(long, default_value_t = 1000)]
        secrets: usize,
    },
    /// Run random sequences of Terraform commands against a model of what must hold
    Model(tasks::model::Arguments),
    /// Run the main scenes against an account of a vendor's: docs/smoke.md
    Smoke(tasks::smoke::Arguments),
    /// Check that the crates depend on each other as ARCHITECTURE.md draws them
    Arrows,
    /// Check that code and tests cite each requirement of docs/format.md
    Citations,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo => tasks::demo::run(),
        Task::Test { arguments } => tasks::test::run(&arguments),
        Task::Ci => tasks::ci::run(),
        Task::Dependencies { advisories } => tasks::dependencies::task(advisories),
        Task::Docs { check } => tasks::docs::run(check),
        Task::Bench { secrets } => tasks::bench::run(secrets),
        Task::Model(arguments) => tasks::model::run(&arguments),
        Task::Smoke(arguments) => tasks::smoke::run(&arguments),
        Task::Arrows => arrows::check(),
        Task::Citations => citations::check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that the Debug form may have: these are
            // failures of what is built here, not of the task.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
