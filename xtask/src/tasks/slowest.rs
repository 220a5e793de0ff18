//! Measures tests, and prints the slowest.

use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const PRINTED: usize = 30;

/// Cargo's options that run each test program with `RUSTC_BOOTSTRAP`.
///
/// libtest supports `--report-time` only on a nightly compiler, or with this variable.
/// rust-analyzer uses it for the same purpose:
/// <https://github.com/rust-lang/rust-analyzer/blob/master/crates/rust-analyzer/src/test_runner.rs>.
/// The compiler itself runs without the variable.
pub(crate) const RUNNER: [&str; 2] = [
    "--config",
    "target.'cfg(unix)'.runner = ['env', 'RUSTC_BOOTSTRAP=1']",
];

/// Arguments for libtest.
pub(crate) const REPORT_TIME: [&str; 2] = ["-Zunstable-options", "--report-time"];

/// Runs a `cargo test` with [`RUNNER`] and [`REPORT_TIME`], passes its output on,
/// and prints the slowest tests at the end, also if some failed.
///
/// # Errors
///
/// If a test fails, or no time was reported.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_into(command, &mut std::io::stdout().lock())
}

fn run_into(command: &mut Command, output: &mut impl Write) -> Result<()> {
    // One pipe for both outputs: Cargo names the program on standard error, and
    // the program prints its tests on standard output.
    let (reader, writer) = std::io::pipe().context("creating a pipe")?;
    command
        .env("CARGO_TERM_COLOR", "never")
        .stdout(writer.try_clone().context("cloning a pipe")?)
        .stderr(writer);
    let mut child = command.spawn().context("starting cargo")?;
    // Drops this process's own ends of the pipe, so that reading ends.
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());

    let mut times = Times::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("reading the tests' output")?;
        times.read(&String::from_utf8_lossy(&line));
        output.write_all(&line).context("passing output on")?;
        output.write_all(b"\n").context("passing output on")?;
    }
    let status = child.wait().context("waiting for cargo")?;
    for line in times.slowest(PRINTED) {
        eprintln!("    {line}");
    }
    ensure!(status.success(), "`cargo test` ended with {status}");
    ensure!(!times.tests.is_empty(), "no test reported its time");
    Ok(())
}

/// The times in the output of `cargo test`.
#[derive(Debug, Default)]
struct Times {
    /// The test program of the following tests.
    program: String,
    tests: Vec<(Duration, String)>,
}

impl Times {
    /// Reads a line such as `Running tests/aws/main.rs (target/debug/deps/aws-2f1e)`
    /// or `test store::moves ... ok <1.234s>`.
    fn read(&mut self, line: &str) {
        if let Some(program) = line.trim_start().strip_prefix("Running ") {
            let path = program
                .rsplit_once("deps/")
                .map_or(program, |(_, file)| file);
            let name = path.rsplit_once('-').map_or(path, |(name, _)| name);
            name.clone_into(&mut self.program);
        } else if let Some((name, time)) = measured(line) {
            self.tests.push((time, format!("{}: {name}", self.program)));
        }
    }

    fn slowest(&self, count: usize) -> Vec<String> {
        let mut tests: Vec<_> = self.tests.iter().collect();
        tests.sort_by(|a, b| b.cmp(a));
        let slowest = tests.into_iter().take(count);
        slowest
            .map(|(time, name)| format!("{:>7.1} s  {name}", time.as_secs_f64()))
            .collect()
    }
}

fn measured(line: &str) -> Option<(&str, Duration)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (_, time) = rest.strip_suffix("s>")?.rsplit_once('<')?;
    let time = Duration::try_from_secs_f64(time.parse().ok()?).ok()?;
    Some((name, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/planton_core-0f1e)

running 2 tests
test store::reads ... ok <0.020s>
test store::opens - should panic ... ok <1.500s>

test result: ok. 2 passed; 0 failed; finished in 1.52s

     Running tests/aws/main.rs (target/debug/deps/aws-77aa)

running 3 tests
test faults::lost ... FAILED <75.250s>
test faults::late ... ignored
test untimed ... ok
";

    #[test]
    fn the_slowest_tests_are_named_with_their_program() {
        let mut times = Times::default();
        OUTPUT.lines().for_each(|line| times.read(line));
        assert_eq!(times.tests.len(), 3, "{times:?}");
        assert_eq!(
            times.slowest(2),
            [
                "   75.2 s  aws: faults::lost",
                "    1.5 s  planton_core: store::opens - should panic",
            ]
        );
    }

    #[test]
    fn a_run_without_times_or_with_a_failure_is_an_error() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            let mut output = Vec::new();
            run_into(command.args(["-c", script]), &mut output)
                .map(|()| String::from_utf8(output).expect("UTF-8"))
                .map_err(|error| error.to_string())
        };
        let timed = "test a ... ok <0.1s>\n".to_owned();
        assert_eq!(shell("echo 'test a ... ok <0.1s>' >&2"), Ok(timed));
        let silent = shell("echo 'test a ... ok'").expect_err("no times");
        assert!(silent.contains("no test reported"), "{silent}");
        let failed = shell("echo 'test a ... FAILED <0.1s>'; exit 101").expect_err("fails");
        assert!(failed.contains("101"), "{failed}");
    }
}
