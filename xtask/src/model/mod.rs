//! Runs random sequences of Terraform commands in folders that share a platform, and
//! compares them with a model of each secret's owner and current value.
//!
//! The model uses states and values only: the state of each folder, and the values that a
//! consumer reads. A command may fail only for a permitted reason. At the end, a plain
//! recovery must succeed.

mod act;
mod command;
mod config;
mod edit;
mod finish;
mod generate;
mod judge;
mod kill;
mod ledger;
mod reader;
mod shrink;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod transcript;
mod values;
mod violation;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::openbao::{OpenBao, ServerOptions};
use crate::terraform::Terraform;
use crate::tools::Tools;
pub use steps::CRASH_POINTS;
use violation::Broken;
pub use violation::{Rule, Violation};
use world::{Platform, World};

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of sequences.
    pub runs: u64,
    /// The seed of the first sequence. Each further sequence has the next number.
    pub seed: u64,
    /// The number of Terraform runs in a sequence, without those of checks.
    pub steps: usize,
    /// The binary of the provider's debug build.
    pub provider: PathBuf,
    /// The Terraform in use.
    pub terraform: Terraform,
    /// Whether the platform is an OpenBAO server; otherwise it is embedded.
    pub on_openbao: bool,
    /// The number of concurrent sequences.
    pub jobs: usize,
    /// The maximum number of repetitions that shorten a failing sequence.
    pub shrinking: usize,
}

/// A sequence that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the sequence.
    pub seed: u64,
    /// The broken rule.
    pub violation: Violation,
    /// The shortest sequence that breaks the rule, as shell commands.
    pub transcript: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            violation,
            transcript,
        } = self;
        write!(
            f,
            "==> seed {seed}\n{violation}\n--- to repeat\n{transcript}\n"
        )
    }
}

/// The results of all sequences.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of sequences.
    pub sequences: u64,
    /// The number of Terraform runs, without those of shrinking.
    pub commands: u64,
    /// The total duration.
    pub elapsed: Duration,
    /// The failures, in the order of their seeds.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Returns the number of failures of each rule.
    #[must_use]
    pub fn by_rule(&self) -> BTreeMap<Rule, usize> {
        let mut counts = BTreeMap::new();
        for failure in &self.failures {
            *counts.entry(failure.violation.rule).or_default() += 1;
        }
        counts
    }
}

/// Runs all sequences, and calls `tell` with each failure.
///
/// # Errors
///
/// If the harness fails. A broken rule is not an error.
pub fn run(options: &Options, tell: impl Fn(&Failure) + Sync) -> Result<Report> {
    let started = Instant::now();
    let server = options.on_openbao.then(start_openbao).transpose()?;
    let stage = Stage {
        options,
        server: server.as_ref(),
    };
    let next = AtomicU64::new(0);
    let commands = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let found = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= options.runs || is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let seed = options.seed + index;
            let steps = generate::sequence(seed, options.steps);
            let played = stage.play(&steps).with_context(|| format!("seed {seed}"));
            let played = played.inspect_err(|_| is_over.store(true, Ordering::Relaxed))?;
            commands.fetch_add(played.commands as u64, Ordering::Relaxed);
            if let Some(broken) = played.broken {
                let failure = shrink::shorten(&stage, seed, steps, broken)?;
                tell(&failure);
                found
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|_| anyhow::bail!("a worker panicked"))
        })
    })?;
    let mut failures: Vec<Failure> = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.sort_by_key(|it| it.seed);
    Ok(Report {
        sequences: options.runs,
        commands: commands.into_inner(),
        elapsed: started.elapsed(),
        failures,
    })
}

fn start_openbao() -> Result<OpenBao> {
    let server = OpenBao::start(&Tools::locate()?, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    Ok(server)
}

/// The environment of sequences.
#[derive(Debug)]
struct Stage<'a> {
    options: &'a Options,
    server: Option<&'a OpenBao>,
}

/// The result of a sequence.
#[derive(Debug)]
struct Played {
    commands: usize,
    broken: Option<Break>,
}

/// A rule that a sequence broke.
#[derive(Debug)]
struct Break {
    violation: Violation,
    /// The number of steps up to the break; greater than all steps if the final
    /// recovery broke the rule.
    after: usize,
    transcript: String,
}

impl Stage<'_> {
    fn play(&self, steps: &[steps::Step]) -> Result<Played> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = TempDir::new().context("a folder for a platform")?;
        let platform = match self.server {
            Some(server) => Platform {
                organization: format!("acme-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
                lines: format!(
                    "  openbao = {{ address = {:?}, token = {:?} }}",
                    server.address(),
                    server.root_token()
                ),
                folder: None,
            },
            None => {
                let path = folder.path().join("platform");
                Platform {
                    organization: "acme".to_owned(),
                    lines: format!("  embedded = {{ path = {path:?} }}"),
                    folder: Some(path),
                }
            }
        };
        let Options {
            terraform,
            provider,
            ..
        } = self.options;
        let mut world = World::new(terraform, provider, &platform)?;
        let mut after = 0;
        let mut outcome = Ok(());
        for step in steps {
            after += 1;
            outcome = world.take(step);
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            after += 1;
            outcome = world.finish();
        }
        let broken = match outcome {
            Ok(()) => None,
            Err(Broken::Harness(error)) => {
                return Err(error.context(world.transcript.text()));
            }
            Err(Broken::Rule(violation)) => Some(Break {
                violation,
                after,
                transcript: world.transcript.text(),
            }),
        };
        Ok(Played {
            commands: world.all_runs(),
            broken,
        })
    }
}
