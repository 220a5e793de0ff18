//! Crash points: where tests kill, pause or panic a process.

/// Kills, panics or pauses this process before `step`, if an environment variable names
/// it. Debug builds only.
///
/// - `PLANTON_TEST_KILL_BEFORE=<step>` sends SIGKILL.
/// - `PLANTON_TEST_PANIC_BEFORE=<step>:<text>` panics with that text.
/// - `PLANTON_TEST_PAUSE_BEFORE=<step>:<path>` pauses at two named pipes. The test reads
///   `<path>.reached`, and resumes the process by writing to `<path>.go`. Without the
///   first pipe, the process does not pause.
/// - `PLANTON_TEST_PAUSE_ONE_BEFORE` takes several of these, separated by semicolons, and
///   pauses the first process that reaches each.
#[cfg(all(debug_assertions, unix))]
pub(crate) fn crash_point(step: &str) {
    if std::env::var("PLANTON_TEST_KILL_BEFORE").is_ok_and(|wanted| wanted == step) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    let asked = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        let (wanted, rest) = text.split_once(':')?;
        (wanted == step).then(|| rest.to_owned())
    };
    if let Some(text) = asked("PLANTON_TEST_PANIC_BEFORE") {
        panic!("{text}");
    }
    if let Some(path) = asked("PLANTON_TEST_PAUSE_BEFORE") {
        pause(&path);
    }
    let each = std::env::var("PLANTON_TEST_PAUSE_ONE_BEFORE").unwrap_or_default();
    for (wanted, path) in each.split(';').filter_map(|part| part.split_once(':')) {
        if wanted == step && std::fs::File::create_new(format!("{path}.taken")).is_ok() {
            pause(path);
        }
    }
}

#[cfg(all(debug_assertions, unix))]
fn pause(path: &str) {
    // Other tasks of this thread move to another one.
    tokio::task::block_in_place(|| {
        let reached = std::fs::File::options()
            .write(true)
            .open(format!("{path}.reached"));
        if reached.is_ok() {
            let _ = std::fs::File::open(format!("{path}.go"));
        }
    });
}

#[cfg(not(all(debug_assertions, unix)))]
pub(crate) fn crash_point(_step: &str) {}
