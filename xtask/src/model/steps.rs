//! The steps of a sequence.
//!
//! A step refers to a resource by a number modulo the number of resources. It remains
//! valid after shrinking removes other steps.

use super::config::{Consumer, DefaultLabel, Ignored, Name, Source};

/// The way in which a run of Terraform is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Kills the provider alone, before this step of an operation.
    Provider(&'static str),
    /// Kills the provider and Terraform together, while the provider is held before
    /// this step.
    Both(&'static str),
}

/// The steps of operations at which a debug build can be killed or held.
pub const CRASH_POINTS: [&str; 20] = [
    "organization provision",
    "organization commit",
    "create",
    "look at backend",
    "entry",
    "wrap",
    "put",
    "commit",
    "answer",
    "adopt",
    "update",
    "prune",
    "commit edit",
    "delete",
    "mark deleting",
    "delete object",
    "tombstone",
    "forget history",
    "delete entry",
    "delete orphan",
];

/// An apply's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Apply {
    pub(crate) replace: Option<u8>,
    pub(crate) target: Option<u8>,
    pub(crate) without_refresh: bool,
    /// Sets `PLANTON_RESUME` to the value in the last diagnostic of any folder.
    pub(crate) resumes: bool,
    pub(crate) kill: Option<Kill>,
}

/// A change of a folder's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Add(Addition),
    Remove(u8),
    Rotate(u8, u32),
    /// Changes the value only, which has no effect while the trigger is unchanged.
    Value(u8, u32),
    Label(u8, u32),
    Description(u8, u32),
    Keep(u8, u32),
    Rename(u8, Name),
    /// Changes the address, with or without a `moved` block.
    Readdress(u8, u32, Moved),
    Protect(u8),
    Unprotect(u8),
    Retain(u8),
    DoNotRetain(u8),
    CreateFirst(u8),
    DestroyFirst(u8),
    Ignore(u8, Ignored),
    /// Uses the id of the secret of this name in that folder's state.
    TakeOver(u8, usize),
    TakeNothingOver(u8),
    Consume(u8, u32, Ordering),
    ConsumerFails,
    ConsumerWorks,
    NoConsumer,
    Default(DefaultLabel),
}

/// Whether a new address has a `moved` block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Said,
    Unsaid,
}

/// The replacement order of a dependent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordering {
    CreateFirst,
    DestroyFirst,
}

/// A secret to add to a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addition {
    pub(crate) number: u32,
    pub(crate) name: Name,
    pub(crate) source: Source,
    pub(crate) trigger: Option<u32>,
    pub(crate) description: Option<u32>,
    pub(crate) label: Option<u32>,
    pub(crate) is_protected: bool,
    pub(crate) is_retained: bool,
    pub(crate) creates_first: bool,
    pub(crate) ignored: Ignored,
}

/// A step in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Edit(usize, Edit),
    /// Copies the configuration of one folder to another.
    Copy {
        from: usize,
        to: usize,
    },
    Apply(usize, Apply),
    Destroy {
        folder: usize,
        target: Option<u8>,
        kill: Option<Kill>,
    },
    Plan(usize),
    SavePlan(usize, Option<u8>),
    ApplySaved(usize),
    Taint(usize, u8),
    Untaint(usize, u8),
    /// Imports a secret by name, at an address that the state lacks.
    Import(usize, u8),
    Remove(usize, u8),
    Test(usize),
}

impl Step {
    /// Returns whether the step runs Terraform.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self, Self::Edit(..) | Self::Copy { .. })
    }
}

impl Edit {
    pub(crate) fn consumer(of: &str, number: u32, ordering: Ordering) -> Consumer {
        Consumer {
            of: of.to_owned(),
            number,
            fails: false,
            creates_first: ordering == Ordering::CreateFirst,
        }
    }
}
