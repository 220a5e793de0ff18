//! The rules that must hold, and their violations.

use std::fmt;

/// A rule that a command or the end of a sequence broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Terraform or the provider reported a defect of the provider.
    Defect,
    /// A state holds a secret of another state that no run named.
    TakenOver,
    /// A command changed or destroyed a secret that its own state does not own.
    ForeignHarmed,
    /// `terraform test` changed or destroyed something.
    TestHarmed,
    /// A secret is gone, and no command was supposed to destroy it.
    Lost,
    /// A protected or retained secret is gone.
    ProtectionBroken,
    /// A secret's value, version or metadata differs from its owner's configuration.
    Wrong,
    /// An argument under `ignore_changes` changed.
    IgnoredChanged,
    /// An apply succeeded, and the state or the next plan contradicts it.
    NotConverged,
    /// A command failed without a permitted reason.
    Refused,
    /// A plain recovery failed, or left something in the state.
    Stuck,
    /// A destroyed secret still exists.
    Left,
}

/// A broken rule.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The finding.
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

/// The result of a step: success, a broken rule, or a failure of the harness.
pub(crate) type Checked<T> = std::result::Result<T, Broken>;

/// The reason why a sequence stops.
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

/// Returns a violation of `rule` with `detail`.
pub(crate) fn broken<T>(rule: Rule, detail: impl Into<String>) -> Checked<T> {
    Err(Violation::new(rule, detail).into())
}
