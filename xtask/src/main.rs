//! The project's tasks: `cargo xtask --help`.

mod arrows;
mod citations;
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
    /// Run the main workflow once with a real Terraform and the embedded platform
    Demo,
    /// Install the test tools, build, and run all tests
    Test {
        /// Arguments for `cargo test --workspace`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check formatting, lints, docs, arrows and dependencies, then run all tests
    Ci,
    /// Check each dependency's license and source, bans and security advisories
    Dependencies {
        /// Fail if the advisory database is unreachable
        #[arg(long, value_enum, default_value_t)]
        advisories: Advisories,
    },
    /// Generate the registry's pages from the provider's schema
    Docs {
        /// Compare only, and fail if a page would change
        #[arg(long)]
        check: bool,
    },
    /// Write the license texts of what a release contains, for its archives
    Notices,
    /// Measure the release build, and write docs/benchmarks.md
    Bench(BenchArguments),
    /// Run each fuzz target with a nightly compiler, and keep what it finds: CONTRIBUTING.md
    Fuzz(tasks::fuzz::Arguments),
    /// Run random sequences of Terraform commands, and compare them with a model
    Model(tasks::model::Arguments),
    /// Run the main scenes against a vendor's account: docs/smoke.md
    Smoke(tasks::smoke::Arguments),
    /// Check that the dependencies between crates match ARCHITECTURE.md
    Arrows,
    /// Check that code and tests cite each requirement of docs/format.md
    Citations,
}

#[derive(Debug, clap::Args)]
struct BenchArguments {
    /// Number of secrets
    #[arg(long, default_value_t = 1000)]
    secrets: usize,
    /// Measure sealing and opening alone, and replace their section of the page
    #[arg(long, conflicts_with = "secrets")]
    throughput: bool,
    /// Measure 5,000 secrets and 100,000 records, and replace their section of the page
    #[arg(long, conflicts_with_all = ["secrets", "throughput"])]
    large: bool,
}

#[cfg(feature = "faults")]
fn bench(arguments: &BenchArguments) -> anyhow::Result<()> {
    match arguments {
        BenchArguments {
            throughput: true, ..
        } => tasks::bench::run_throughput(),
        BenchArguments { large: true, .. } => tasks::bench::run_large(),
        BenchArguments { secrets, .. } => tasks::bench::run(*secrets),
    }
}

/// Runs the task in a build with servers of buckets, which need more crates than any other
/// task.
#[cfg(not(feature = "faults"))]
fn bench(_: &BenchArguments) -> anyhow::Result<()> {
    let mut command = tasks::cargo();
    command.args(["run", "--quiet", "--package", "xtask"]);
    command.args(["--features", "faults", "--"]);
    tasks::run(command.args(std::env::args_os().skip(1)))
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo => tasks::demo::run(),
        Task::Test { arguments } => tasks::test::run(&arguments),
        Task::Ci => tasks::ci::run(),
        Task::Dependencies { advisories } => tasks::dependencies::task(advisories),
        Task::Docs { check } => tasks::docs::run(check),
        Task::Notices => tasks::notices::run(),
        Task::Bench(arguments) => bench(&arguments),
        Task::Fuzz(arguments) => tasks::fuzz::run(&arguments),
        Task::Model(arguments) => tasks::model::run(&arguments),
        Task::Smoke(arguments) => tasks::smoke::run(&arguments),
        Task::Arrows => arrows::check(),
        Task::Citations => citations::check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Omits the backtrace of the Debug form, because the failure is usually in
            // the code under test and not in the task.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
