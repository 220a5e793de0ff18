use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn both_outputs_and_the_code_come_back() {
    let finished = run(&mut shell("echo out; echo err >&2; exit 7"), LONG).expect("runs");
    assert_eq!(finished.code, Some(7));
    assert_eq!(
        (finished.stdout.as_str(), finished.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert!(finished.ok().is_err());
}

#[test]
fn a_child_beyond_its_bound_is_killed_with_all_it_started() {
    let started = Instant::now();
    let script = "sleep 600 & echo $!; wait";
    let error = run(&mut shell(script), Duration::from_millis(300)).expect_err("too long");
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
    let text = error.to_string();
    let pid = text
        .split("--- stdout\n")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("the grandchild's id is in the message");
    assert_gone(pid);
}

#[test]
fn the_end_of_a_child_is_seen_without_waiting() {
    let running = Running::spawn(&mut shell("echo ready; sleep 600")).expect("starts");
    running.await_output("ready", LONG).expect("ready");
    assert!(!has_exited(&running.child));
    running.signal(Signal::KILL).expect("signalled");
    assert!(await_exit(&running.child, LONG));
    assert!(has_exited(&running.child));
    assert_eq!(running.wait(LONG).expect("ends").signal, Some(9));
}

#[test]
fn what_a_child_left_running_does_not_hold_the_caller() {
    let finished = run(&mut shell("sleep 600 & echo $!"), LONG).expect("runs");
    assert_eq!(finished.code, Some(0));
    assert_gone(finished.stdout.trim());
}

#[test]
fn a_signal_reaches_the_group_once_the_child_is_ready() {
    let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done";
    let running = Running::spawn(&mut shell(script)).expect("starts");
    running.await_output("ready", LONG).expect("ready");
    running.signal(Signal::INT).expect("signalled");
    let finished = running.wait(LONG).expect("ends");
    assert_eq!(finished.code, Some(3));
    assert!(finished.stdout.contains("caught"));
}

fn assert_gone(pid: &str) {
    let deadline = Instant::now() + LONG;
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Without an init process that reaps, an orphan may remain a zombie.
    while !(state().is_empty() || state().contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {pid} still runs");
        thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_processor_time_of_a_child_and_of_its_children_is_told_apart() {
    let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let finished = run(&mut shell(&format!("sh -c '{spin}'; true")), LONG).expect("runs");
    let time = finished.processor.expect("Linux tells");
    assert!(time.children > time.own, "{time:?}");
    let finished = run(&mut shell(spin), LONG).expect("runs");
    let time = finished.processor.expect("Linux tells");
    assert!(time.own > Duration::ZERO, "{time:?}");
    assert_eq!(time.children, Duration::ZERO);
}
