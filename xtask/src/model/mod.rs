//! Random sequences of Terraform commands over a few folders that share a
//! platform, held against a model of who owns which secret and which value is
//! current.
//!
//! The model judges by states and values alone: what stands in each folder's
//! state, and what a consumer reads. A command may fail only for a reason that
//! the model knows; whatever it did, a plain recovery must work at the end.

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

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many sequences.
    pub runs: u64,
    /// The first sequence's seed; each further one has the next number.
    pub seed: u64,
    /// How many runs of Terraform a sequence has, those of checks aside.
    pub steps: usize,
    /// The provider's binary, a debug build.
    pub provider: PathBuf,
    /// The Terraform that runs.
    pub terraform: Terraform,
    /// Whether the platform is an OpenBAO server instead of an embedded one.
    pub on_openbao: bool,
    /// How many sequences run at once.
    pub jobs: usize,
    /// How often a failing sequence may be repeated to make it shorter.
    pub shrinking: usize,
}

/// A sequence that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
    /// The shortest form that still breaks it, as shell lines.
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

/// What came of all sequences.
#[derive(Debug, Default)]
pub struct Report {
    /// How many sequences ran.
    pub sequences: u64,
    /// How often Terraform ran, shrinking aside.
    pub commands: u64,
    /// From the start to the end.
    pub elapsed: Duration,
    /// In the order of their seeds.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Returns how many failures there are of each rule.
    #[must_use]
    pub fn by_rule(&self) -> BTreeMap<Rule, usize> {
        let mut counts = BTreeMap::new();
        for failure in &self.failures {
            *counts.entry(failure.violation.rule).or_default() += 1;
        }
        counts
    }
}

/// Runs all sequences; `tell` gets each failure as it is found.
///
/// # Errors
///
/// When the harness itself fails: not for broken rules.
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

/// Where sequences are played.
#[derive(Debug)]
struct Stage<'a> {
    options: &'a Options,
    server: Option<&'a OpenBao>,
}

/// How a sequence went.
#[derive(Debug)]
struct Played {
    commands: usize,
    broken: Option<Break>,
}

/// A rule that a sequence broke.
#[derive(Debug)]
struct Break {
    violation: Violation,
    /// How many of its steps there were until then; more than there are where
    /// it was at the end.
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
