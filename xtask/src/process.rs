//! Child processes with a bounded lifetime.
//!
//! Each child leads a process group, so that its own children (a provider, a
//! provisioner) end with it. An ended child stays a zombie and keeps its process id until
//! its group is killed. A signal can therefore not reach another process.

mod processor;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions};

pub use processor::{ProcessorTime, busy_time};
pub use rustix::process::Signal;

/// How long a group may hold the output open after its leader has ended.
const GRACE: Duration = Duration::from_secs(3);

/// The result of a child.
#[derive(Clone)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// The exit code, or `None` if a signal ended the child.
    pub code: Option<i32>,
    /// The signal that ended the child.
    pub signal: Option<i32>,
    /// The whole standard output.
    pub stdout: String,
    /// The whole standard error.
    pub stderr: String,
    /// The duration from start to end.
    pub elapsed: Duration,
    /// The processor time, or `None` if the system does not report it.
    pub processor: Option<ProcessorTime>,
}

impl Finished {
    /// Returns true for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns itself for exit code 0.
    ///
    /// # Errors
    ///
    /// If it ended in another way; with both outputs.
    pub fn ok(self) -> Result<Self> {
        ensure!(self.success(), "{self:?}");
        Ok(self)
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`{}` ended with code {:?}, signal {:?}, after {:.1?}",
            self.command, self.code, self.signal, self.elapsed
        )?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}

/// A running child.
///
/// Kills its process group on drop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    started: Instant,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts `command` in its own process group, with captured outputs and empty input.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let line = command_line(command);
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting `{line}`"))?;
        let stdout = Stream::read(child.stdout.take());
        let stderr = Stream::read(child.stderr.take());
        Ok(Self {
            child,
            command: line,
            started: Instant::now(),
            stdout,
            stderr,
        })
    }

    /// Returns the process id, which is also the process group's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether the leader has ended.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        has_exited(&self.child)
    }

    /// Sends `signal` to the whole group, as a terminal does.
    ///
    /// # Errors
    ///
    /// If the group has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        rustix::process::kill_process_group(pid(&self.child), signal)
            .with_context(|| format!("signalling `{}`", self.command))
    }

    /// Returns the standard output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.stdout.text()
    }

    /// Waits until standard output or standard error contains `needle`.
    ///
    /// # Errors
    ///
    /// If both outputs end, or `bound` expires, without it.
    pub fn await_output(&self, needle: &str, bound: Duration) -> Result<()> {
        let deadline = Instant::now() + bound;
        loop {
            let open = self.stdout.is_open() || self.stderr.is_open();
            if self.stdout.text().contains(needle) || self.stderr.text().contains(needle) {
                return Ok(());
            }
            if !open || Instant::now() >= deadline {
                bail!(
                    "`{}` never printed {needle:?}\n--- stdout\n{}\n--- stderr\n{}",
                    self.command,
                    self.stdout.text(),
                    self.stderr.text()
                );
            }
            // One waiter serves two streams, so it also wakes after this time.
            self.stdout.await_change(Duration::from_millis(20));
        }
    }

    /// Waits for the end, and kills the group if `bound` expires first.
    ///
    /// # Errors
    ///
    /// If `bound` expired; with the output so far.
    pub fn wait(mut self, bound: Duration) -> Result<Finished> {
        let in_time = await_exit(&self.child, bound);
        let elapsed = self.started.elapsed();
        // Read from the zombie, because the time is not available after it is reaped.
        let processor = ProcessorTime::of(self.pid()).ok();
        if in_time {
            let deadline = Instant::now() + GRACE;
            self.stdout.await_end(deadline);
            self.stderr.await_end(deadline);
        }
        // Kills the leader's remaining children while it is still a zombie.
        kill_group(&self.child);
        let status = self.child.wait().context("reaping a child")?;
        let deadline = Instant::now() + GRACE;
        self.stdout.await_end(deadline);
        self.stderr.await_end(deadline);
        let finished = Finished {
            command: self.command.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            elapsed,
            processor,
        };
        ensure!(in_time, "killed after {bound:.0?}: {finished:?}");
        Ok(finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Runs `command` to its end.
///
/// # Errors
///
/// If it cannot be started, or `bound` expired. A nonzero exit code is not an error.
pub fn run(command: &mut Command, bound: Duration) -> Result<Finished> {
    Running::spawn(command)?.wait(bound)
}

/// Kills the group of `child` and reaps `child`. Does nothing if it was reaped already.
pub(crate) fn end(child: &mut Child) {
    // After it is reaped, the id may belong to another process. A zombie that is not
    // reaped yet also returns Some here, and its group must still be killed.
    let reaped_before = rustix::process::waitid(
        WaitId::Pid(pid(child)),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG,
    )
    .is_err();
    if !reaped_before {
        kill_group(child);
        let _ = child.wait();
    }
}

/// Waits until `child` has ended, without reaping it. Returns false if `bound` expires.
pub(crate) fn await_exit(child: &Child, bound: Duration) -> bool {
    let pid = pid(child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), options)
        {
        }
        let _ = sender.send(());
    });
    receiver.recv_timeout(bound).is_ok()
}

/// Returns true if `child` has ended, without reaping it.
pub(crate) fn has_exited(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let status = rustix::process::waitid(WaitId::Pid(pid(child)), options);
    !matches!(status, Ok(None))
}

/// Sends `signal` to `child` alone.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let _ = rustix::process::kill_process(pid(child), signal);
}

fn kill_group(child: &Child) {
    let _ = rustix::process::kill_process_group(pid(child), Signal::KILL);
}

fn pid(child: &Child) -> Pid {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a child's process id is positive")
}

fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// The output that a thread has read so far.
#[derive(Clone, Debug, Default)]
struct Stream(Arc<(Mutex<Captured>, Condvar)>);

#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn read(source: Option<impl Read + Send + 'static>) -> Self {
        let stream = Self::default();
        let writer = stream.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            if let Some(mut source) = source {
                while let Ok(count @ 1..) = source.read(&mut buffer) {
                    writer.lock().bytes.extend_from_slice(&buffer[..count]);
                    writer.0.1.notify_all();
                }
            }
            writer.lock().ended = true;
            writer.0.1.notify_all();
        });
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    fn is_open(&self) -> bool {
        !self.lock().ended
    }

    fn await_change(&self, bound: Duration) {
        let guard = self.lock();
        drop(self.0.1.wait_timeout(guard, bound));
    }

    fn await_end(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let guard = self.lock();
        drop(
            self.0
                .1
                .wait_timeout_while(guard, left, |captured| !captured.ended),
        );
    }
}
