//! What must hold, and what was found not to.

use std::fmt;

/// A rule that a command or the end of a sequence broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Terraform or the provider reported a defect of the provider.
    Defect,
    /// A state holds a secret of another state that nobody named.
    TakenOver,
    /// A command changed or destroyed what its own state does not own.
    ForeignHarmed,
    /// `terraform test` changed or destroyed something.
    TestHarmed,
    /// A secret that no command was to destroy is gone.
    Lost,
    /// A protected or retained secret is gone.
    ProtectionBroken,
    /// A secret has another value, version or metadata than its owner asked for.
    Wrong,
    /// An argument under `ignore_changes` changed.
    IgnoredChanged,
    /// An apply went well, and the state or the next plan says otherwise.
    NotConverged,
    /// A command failed that had no reason to.
    Refused,
    /// A plain recovery leaves something in the state, or can't be done.
    Stuck,
    /// Something was destroyed, and is still there.
    Left,
}

/// A broken rule.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was found.
    pub detail: String,
}

impl Violation {
    pub(crate) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// How a step ends: well, or with a broken rule; or the harness itself fails.
pub(crate) type Checked<T> = std::result::Result<T, Broken>;

/// Why a sequence can't go on.
#[derive(Debug)]
pub(crate) enum Broken {
    Rule(Violation),
    Harness(anyhow::Error),
}

impl From<anyhow::Error> for Broken {
    fn from(error: anyhow::Error) -> Self {
        Self::Harness(error)
    }
}

impl From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self::Rule(violation)
    }
}

/// Breaks `rule` with `detail`.
pub(crate) fn broken<T>(rule: Rule, detail: impl Into<String>) -> Checked<T> {
    Err(Violation::new(rule, detail).into())
}
