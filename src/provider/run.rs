//! Identifies the Terraform run that this process belongs to.

use std::path::PathBuf;

use jiff::Timestamp;
#[cfg(target_os = "linux")]
use sha2::{Digest, Sha256};

use super::settings::Environment;
use planton_core::operations::{Resume, ResumeRefused, Run, RunId};
use planton_plugin::Diagnostic;

/// Maximum length of `PLANTON_RUN_LABEL` in characters.
const MAX_LABEL: usize = 200;

/// Derives the id of the run from the Terraform process, which starts every provider process
/// of the run. Returns `None` if the system does not identify the parent process.
///
/// Call this at start: if the host dies, this process gets another parent.
#[cfg(target_os = "linux")]
pub(super) fn of_parent() -> Option<RunId> {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    const START_TIME: usize = 22;
    let parent = rustix::process::getppid()?.as_raw_nonzero();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).ok()?;
    // The second field is the program's name in brackets, which may contain any character.
    let after_name = stat.rsplit_once(')')?.1;
    let started = after_name.split_whitespace().nth(START_TIME - 3)?;
    let mut hash = Sha256::new();
    for part in [
        boot.trim(),
        namespace.to_str()?,
        &parent.to_string(),
        started,
    ] {
        hash.update(part);
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (head, _) = digest.split_first_chunk::<16>()?;
    // Version 8, for custom ids: https://www.rfc-editor.org/rfc/rfc9562#section-5.8
    Some(RunId::new(
        uuid::Builder::from_custom_bytes(*head).into_uuid(),
    ))
}

/// Returns `None`: the parent process is identified on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_parent() -> Option<RunId> {
    None
}

/// Returns the run with its origin and the run to resume, from the environment.
///
/// # Errors
///
/// `Invalid Run Label`; `Resume Expired` and `Invalid Resume Variable`.
pub(super) fn run(id: Option<RunId>, environment: &Environment) -> Result<Run, Diagnostic> {
    let run = id.map_or_else(Run::of_its_own, Run::new);
    Ok(Run {
        host: host(),
        folder: folder(),
        workspace: workspace(environment),
        label: label(environment)?,
        resumes: resumes(environment, Timestamp::now())?,
        ..run
    })
}

#[cfg(unix)]
fn host() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

fn folder() -> Option<String> {
    let folder = std::env::current_dir().ok()?;
    Some(folder.file_name()?.to_str()?.to_owned())
}

/// Returns the selected workspace, as Terraform itself finds it:
/// <https://developer.hashicorp.com/terraform/language/state/workspaces>.
fn workspace(environment: &Environment) -> Option<String> {
    if let Some(selected) = environment.first(&["TF_WORKSPACE"]) {
        return Some(selected).filter(|name| name != "default");
    }
    let data = environment.os("TF_DATA_DIR").map(PathBuf::from);
    let data = data.unwrap_or_else(|| PathBuf::from(".terraform"));
    let selected = std::fs::read_to_string(data.join("environment")).ok()?;
    let selected = selected.trim();
    (!selected.is_empty() && selected != "default").then(|| selected.to_owned())
}

fn label(environment: &Environment) -> Result<Option<String>, Diagnostic> {
    let Some(label) = environment.first(&["PLANTON_RUN_LABEL"]) else {
        return Ok(None);
    };
    let characters = label.chars().count();
    if characters > MAX_LABEL || label.chars().any(char::is_control) {
        return Err(Diagnostic::error(
            "Invalid Run Label",
            format!(
                "PLANTON_RUN_LABEL has {characters} characters. It must have at most {MAX_LABEL} \
                 and no control characters.\n\nSet it to a short text that identifies the run, \
                 such as the URL of the CI job."
            ),
        ));
    }
    Ok(Some(label))
}

fn resumes(environment: &Environment, now: Timestamp) -> Result<Option<RunId>, Diagnostic> {
    let Some(text) = environment.first(&["PLANTON_RESUME"]) else {
        return Ok(None);
    };
    let resume = text.parse::<Resume>();
    let refused = match resume.and_then(|resume| resume.valid_at(now)) {
        Ok(run) => return Ok(Some(run)),
        Err(refused) => refused,
    };
    let (summary, what) = match refused {
        ResumeRefused::Expired { expiry } => (
            "Resume Expired",
            format!("The value of PLANTON_RESUME expired at {expiry}."),
        ),
        _ => (
            "Invalid Resume Variable",
            "PLANTON_RESUME is not a value that this provider printed. It must have the form \
             <run>@<expiry>, with an expiry at most 24 hours ahead."
                .to_owned(),
        ),
    };
    Err(Diagnostic::error(
        summary,
        format!(
            "{what}\n\nUnset PLANTON_RESUME and run the command again. If it reports Secret Already \
             Exists for an interrupted run, set PLANTON_RESUME to the value that it prints, for \
             one command only."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn processes_with_the_same_parent_belong_to_one_run() {
        let run = of_parent();
        assert!(run.is_some());
        assert_eq!(run, of_parent());
    }

    #[test]
    fn a_workspace_is_found_as_terraform_finds_it() {
        let selected = Environment::of([("TF_WORKSPACE", "blue")]);
        assert_eq!(workspace(&selected).as_deref(), Some("blue"));
        let default = Environment::of([("TF_WORKSPACE", "default")]);
        assert_eq!(workspace(&default), None);
        let folder = tempfile::tempdir().expect("temp dir");
        let data = folder.path().display().to_string();
        let kept = Environment::of([("TF_DATA_DIR", data)]);
        assert_eq!(workspace(&kept), None);
        std::fs::write(folder.path().join("environment"), "green").expect("writes");
        assert_eq!(workspace(&kept).as_deref(), Some("green"));
    }

    #[test]
    fn a_label_that_is_too_long_or_has_control_characters_is_rejected() {
        let label_of = |text: &str| label(&Environment::of([("PLANTON_RUN_LABEL", text)]));
        assert_eq!(
            label_of(&"é".repeat(200)).ok().flatten().map(|l| l.len()),
            Some(400)
        );
        for bad in ["x".repeat(201), "a\nb".to_owned()] {
            let refused = label_of(&bad).expect_err("refused");
            assert_eq!(refused.summary, "Invalid Run Label");
        }
    }

    #[test]
    fn a_resume_variable_is_valid_expired_or_malformed() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let run: RunId = "3f0c7a52-0d43-4a3c-8d0c-0e51a1b0c9de"
            .parse()
            .expect("a run");
        let of = |text: String| resumes(&Environment::of([("PLANTON_RESUME", text)]), now);
        let printed = Resume::printed(run, now).to_string();
        assert_eq!(of(printed).ok(), Some(Some(run)));
        for (text, summary) in [
            (format!("{run}@2026-03-01T11:59:59Z"), "Resume Expired"),
            (
                format!("{run}@2027-03-01T12:00:00Z"),
                "Invalid Resume Variable",
            ),
            ("true".to_owned(), "Invalid Resume Variable"),
        ] {
            assert_eq!(of(text).expect_err("refused").summary, summary);
        }
        assert_eq!(
            resumes(&Environment::of::<&str, &str>([]), now).ok(),
            Some(None)
        );
    }
}
