//! Creates, updates, finds, refreshes, opens, deletes, copies and forgets secrets.

mod adopt;
mod copy;
mod create;
mod delete;
mod drift;
mod find;
mod forget;
mod generate;
mod objects;
mod open;
mod refresh;
mod remote_name;
mod size_limit;
mod surplus;
mod update;
mod value_source;
mod versions;
mod view;
mod wanted;

pub use create::CreateSecret;
pub use delete::{DeleteSecret, DeletedSecret};
pub use find::Selector;
pub use forget::{ForgettableSecret, Lookup};
pub use generate::{InvalidGenerate, MAX_GENERATED_LENGTH};
pub use open::OpenedSecret;
pub use refresh::{RefreshSecret, Refreshed, SeenSecret};
pub use remote_name::NAME_PREFIX;
pub use update::{CurrentVersion, UpdateSecret};
pub use value_source::ValueSource;
pub use view::{SecretView, VersionView, ViewMarks};
pub use wanted::Replaces;

pub(crate) use refresh::describe_options;
pub(crate) use remote_name::{name_of_leaf, object_name};
pub(crate) use size_limit::limit_of;
pub(crate) use versions::context;

use super::Organization;

/// The use cases of an organization's secrets.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    organization: &'a Organization,
}

impl Organization {
    /// Returns the use cases of the organization's secrets.
    #[must_use]
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets { organization: self }
    }
}
