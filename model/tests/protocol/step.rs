//! The names of the steps, equal to the crash points of the code.

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
pub(crate) const DELETE_UNNAMED_ENTRY: &str = "delete unnamed entry";

/// Steps of the model without a crash point in the code: reads after a conflict,
/// Terraform's actions between commands, and events of a process.
pub(crate) const READ_BACK: &str = "read back";
pub(crate) const READ: &str = "read";
pub(crate) const IMPORT: &str = "import";
pub(crate) const CRASH: &str = "crash";
pub(crate) const LATE: &str = "late request";
pub(crate) const BY_HAND: &str = "removed by hand";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Steps that are also crash points of the code.
    const IN_THE_CODE: [&str; 26] = [
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
        PUT_BACK,
        LIST,
        RAISE,
        CLEAN_UP,
        TAKE_MARK_BACK,
        BACKEND_TOMBSTONE,
        DELETE_UNNAMED_ENTRY,
        REGISTER,
    ];

    /// Crash points of the code that the model omits, because no other step depends on
    /// them. They belong to the organization's first use, a backend's marker and
    /// settings, the default, the histories of records, copied sources, and the keys of
    /// organizations and backends, whose tests kill each use case at each step.
    const NOT_MODELLED: [&str; 55] = [
        "accept rollback",
        "add escrow key",
        "adopt backend",
        "back up",
        "backend marker",
        "begin restore",
        "clear default backend",
        "collect",
        "collect orphan",
        "commit backend",
        "commit default backend",
        "commit edit",
        "commit escrow key",
        "commit former keys",
        "commit migrated document",
        "commit reseal",
        "commit rewrap",
        "commit rewrapped credential",
        "commit rewrapped organization",
        "delete backend marker",
        "delete source",
        "delete superseded",
        "end restore",
        "fence document",
        "finish arriving organization",
        "forget history",
        "give backend back",
        "initialize",
        "last listing",
        "mark moving organization",
        "migrate",
        "migrate records",
        "organization commit",
        "organization provision",
        "point to target",
        "probe backend",
        "provision main key",
        "provision target",
        "put migrated version",
        "put reseal",
        "put rewrap",
        "remove escrow key",
        "remove former keys",
        "reseal",
        "restore",
        "restore record",
        "rewrap",
        "set default backend",
        "survey",
        "unset default backend",
        "unwrap",
        "update backend",
        "verify",
        "verify migration",
        "write arriving organization",
    ];

    #[test]
    fn the_code_has_the_steps_of_the_model_and_no_others() {
        let operations =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core/src/operations");
        let mut found = BTreeSet::new();
        for file in sources(&operations) {
            let text = fs::read_to_string(&file).expect("a source file");
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            for call in ["before(", "crash_point("] {
                found.extend(text.split(call).skip(1).filter_map(literal));
            }
        }
        let mut known = BTreeSet::new();
        for step in IN_THE_CODE.iter().chain(&NOT_MODELLED) {
            assert!(known.insert((*step).to_owned()), "{step:?} is listed twice");
        }
        assert_eq!(found, known);
    }

    /// Returns the string literal at the start of an argument list.
    fn literal(arguments: &str) -> Option<String> {
        let rest = arguments.trim_start().strip_prefix('"')?;
        rest.split_once('"').map(|(step, _)| step.to_owned())
    }

    /// Returns the source files below a folder, without tests.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder of the repository");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let paths = paths.filter(|path| !path.ends_with("tests"));
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
