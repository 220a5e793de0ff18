//! Measures the handshake time and the peak memory of the provider's processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xtask::process;
use xtask::terraform::Outcome;
use xtask::tools::Tools;

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
const CERTIFICATE: &str = include_str!("../../../certificate.py");
const BOUND: Duration = Duration::from_secs(30);

/// A single plan's time varies by a third.
const PLANS: usize = 3;

/// Returns the run whose time is the median of [`PLANS`] runs.
///
/// # Errors
///
/// If a run fails.
pub(super) fn median<T>(
    mut run: impl FnMut() -> Result<T>,
    time: impl Fn(&T) -> Duration,
) -> Result<T> {
    let mut runs = Vec::new();
    for _ in 0..PLANS {
        runs.push(run()?);
    }
    runs.sort_by_key(time);
    Ok(runs.swap_remove(PLANS / 2))
}

/// Returns the time that a run took.
pub(super) fn elapsed(run: &Outcome) -> Duration {
    run.process.elapsed
}

/// Starts the provider `count` times, and returns the sorted times from before
/// the exec to the handshake line.
///
/// # Errors
///
/// If the provider prints another line, or none in time.
pub(super) fn handshakes(tools: &Tools, binary: &Path, count: usize) -> Result<Vec<Duration>> {
    let folder = tempfile::tempdir().context("creating a folder")?;
    let mut python = Command::new(tools.python());
    python
        .args(["-c", CERTIFICATE, "secp521r1"])
        .current_dir(folder.path());
    process::run(&mut python, BOUND)?
        .ok()
        .context("making a client certificate")?;
    let certificate = fs::read_to_string(folder.path().join("server.pem"));
    let certificate = certificate.context("reading the client certificate")?;

    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6")
            .env("PLUGIN_CLIENT_CERT", &certificate)
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path());
        times.push(handshake(&mut command)?);
    }
    times.sort_unstable();
    Ok(times)
}

fn handshake(command: &mut Command) -> Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = Ended(command.spawn().context("starting the provider")?);
    let stdout = child.0.stdout.take().context("the provider's output")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = sender.send((line, Instant::now()));
    });
    let (line, at) = receiver
        .recv_timeout(BOUND)
        .context("the provider printed nothing")?;
    ensure!(
        line.starts_with("1|6|"),
        "no handshake of protocol 6, but {line:?}"
    );
    Ok(at - started)
}

/// A child process that is killed on drop.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Samples the peak memory of every process that runs a binary.
pub(super) struct MemoryWatch {
    stop: Arc<AtomicBool>,
    peak_bytes: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    /// Starts sampling.
    pub(super) fn start(binary: &Path) -> Result<Self> {
        let binary = fs::canonicalize(binary).context("the binary's path")?;
        let stop = Arc::new(AtomicBool::new(false));
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let (stopped, peak) = (Arc::clone(&stop), Arc::clone(&peak_bytes));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for process in processes_of(&binary) {
                    peak.fetch_max(peak_memory(&process).unwrap_or(0), Ordering::Relaxed);
                }
                // The kernel records the peak, so a sample shortly before the end
                // suffices.
                thread::sleep(Duration::from_millis(20));
            }
        });
        Ok(Self {
            stop,
            peak_bytes,
            thread: Some(thread),
        })
    }

    /// Stops sampling, and returns the greatest peak.
    ///
    /// # Errors
    ///
    /// If no process was seen, or /proc has no value.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let peak_bytes = self.peak_bytes.load(Ordering::Relaxed);
        ensure!(peak_bytes > 0, "the provider's process was never seen");
        Ok(peak_bytes)
    }
}

fn processes_of(binary: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == binary))
        .collect()
}

fn peak_memory(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_handshake_is_timed_and_anything_else_refused() {
        let time = handshake(&mut shell("echo '1|6|unix|/s|grpc|x'")).expect("shakes");
        assert!(time < BOUND);
        let error = handshake(&mut shell("echo no"))
            .expect_err("no handshake")
            .to_string();
        assert!(error.contains("no handshake"), "{error}");
        assert!(handshake(&mut shell("exit 1")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_memory_of_a_process_is_seen() {
        let mut child = Ended(
            // The shell itself waits, so its program does not change afterwards.
            shell("echo ready; read -r line")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("starts"),
        );
        let process = PathBuf::from(format!("/proc/{}", child.0.id()));
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("reads");
        assert!(peak_memory(&process).expect("has a peak") > 100_000);
        let exe = fs::read_link(process.join("exe")).expect("has an exe");
        assert!(processes_of(&exe).contains(&process));
        assert_eq!(peak_memory(Path::new("/proc/none")), None);
    }
}
