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
