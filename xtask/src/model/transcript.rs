//! Prints a sequence as shell commands that a user can repeat.

use super::steps::Kill;
use super::world::{Platform, Ran};

/// Shell commands for adjacent folders A, B and so on.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    lines: Vec<String>,
    platform: Option<String>,
}

impl Transcript {
    pub(crate) fn new(platform: &Platform) -> Self {
        Self {
            lines: Vec::new(),
            platform: platform.folder.as_ref().map(|it| it.display().to_string()),
        }
    }

    pub(crate) fn wrote(&mut self, folder: usize, file: &str, text: &str) {
        let text = match &self.platform {
            Some(platform) => text.replace(platform, "../platform"),
            None => text.to_owned(),
        };
        let folder = letter(folder);
        self.lines.push(format!(
            "mkdir -p {folder}; cat > {folder}/{file} <<'EOF'\n{}\nEOF",
            text.trim_end()
        ));
    }

    pub(crate) fn removed(&mut self, folder: usize, file: &str) {
        self.lines.push(format!("rm {}/{file}", letter(folder)));
    }

    pub(crate) fn ran(
        &mut self,
        folder: usize,
        arguments: &[String],
        (resume, kill): (Option<&str>, Option<&Kill>),
    ) {
        let mut line = format!("( cd {} && ", letter(folder));
        if let Some(resume) = resume {
            line.push_str(&format!("PLANTON_RESUME={resume} "));
        }
        let mut after = "";
        match kill {
            None => {}
            Some(Kill::Provider(step)) => {
                line.push_str(&format!("PLANTON_TEST_KILL_BEFORE={step:?} "));
            }
            Some(Kill::Both(step)) => {
                line.push_str(&format!("PLANTON_TEST_PAUSE_BEFORE=\"{step}:$PIPE\" "));
                after = "  # SIGKILL to Terraform and the provider once it stands there";
            }
        }
        let arguments = arguments.join(" ");
        self.lines
            .push(format!("{line}terraform {arguments} ){after}"));
    }

    pub(crate) fn ended(&mut self, ran: &Ran) {
        if !ran.success {
            let end = if ran.killed { "killed" } else { "fails" };
            let summary = summaries(&ran.flat());
            self.lines.push(format!("#   {end}{summary}"));
        }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// Returns the folder's name in a transcript.
pub(crate) fn letter(folder: usize) -> char {
    char::from(b'A' + u8::try_from(folder).unwrap_or(25))
}

/// Returns the beginning of the failure's text.
fn summaries(flat: &str) -> String {
    let mut errors = flat.split("Error: ").skip(1);
    let first = errors.next().unwrap_or_default();
    let end = first.char_indices().nth(150).map_or(first.len(), |it| it.0);
    if first.is_empty() {
        String::new()
    } else {
        format!(": {}", &first[..end])
    }
}
