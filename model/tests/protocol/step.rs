//! The names of the steps, which are those of the code.

pub(crate) const CREATE: &str = "create";
pub(crate) const ENTRY: &str = "entry";
pub(crate) const LOOK: &str = "look at backend";
pub(crate) const WRAP: &str = "wrap";
pub(crate) const PUT: &str = "put";
pub(crate) const COMMIT: &str = "commit";
pub(crate) const ANSWER: &str = "answer";
pub(crate) const DELETE_ORPHAN: &str = "delete orphan";
pub(crate) const DELETE_ENTRY: &str = "delete entry";
pub(crate) const ADOPT: &str = "adopt";
pub(crate) const UPDATE: &str = "update";
pub(crate) const PRUNE: &str = "prune";
pub(crate) const DELETE: &str = "delete";
pub(crate) const MARK_DELETING: &str = "mark deleting";
pub(crate) const DELETE_OBJECT: &str = "delete object";
pub(crate) const TOMBSTONE: &str = "tombstone";
pub(crate) const PUT_BACK: &str = "put stamp back";
pub(crate) const DELETE_BACKEND: &str = "delete backend";
pub(crate) const MARK_BACKEND: &str = "mark backend deleting";
pub(crate) const REGISTER: &str = "register backend";
pub(crate) const LIST: &str = "list entries";
pub(crate) const RAISE: &str = "raise document";
pub(crate) const CLEAN_UP: &str = "clean up";
pub(crate) const TAKE_MARK_BACK: &str = "take mark back";
pub(crate) const BACKEND_TOMBSTONE: &str = "backend tombstone";

/// What the model calls steps and the code does not: reads after a conflict, what
/// Terraform does between commands, and what happens to a process.
pub(crate) const READ_BACK: &str = "read back";
pub(crate) const READ: &str = "read";
pub(crate) const IMPORT: &str = "import";
pub(crate) const CRASH: &str = "crash";
pub(crate) const LATE: &str = "late request";
pub(crate) const BY_HAND: &str = "removed by hand";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Steps that are crash points of the code, too.
    const IN_THE_CODE: [&str; 20] = [
        CREATE,
        ENTRY,
        LOOK,
        DELETE_ORPHAN,
        DELETE_ENTRY,
        WRAP,
        PUT,
        COMMIT,
        ANSWER,
        ADOPT,
        UPDATE,
        PRUNE,
        DELETE,
        MARK_DELETING,
        DELETE_OBJECT,
        TOMBSTONE,
        DELETE_BACKEND,
        MARK_BACKEND,
        BACKEND_TOMBSTONE,
        REGISTER,
    ];

    #[test]
    fn the_code_has_the_steps_of_the_model() {
        let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/operations");
        let mut text = String::new();
        for file in sources(&operations) {
            text += &fs::read_to_string(&file).expect("a source file");
        }
        text.retain(|letter| letter != '\n');
        for step in IN_THE_CODE {
            let found = ["before(", "crash_point("].iter().any(|call| {
                let mut arguments = text.split(call).skip(1);
                arguments.any(|rest| rest.trim_start().starts_with(&format!("\"{step}\"")))
            });
            assert!(found, "src/operations has no crash point called {step:?}");
        }
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder of the repository");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let found = paths.map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        });
        found.flatten().collect()
    }
}
