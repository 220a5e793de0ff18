//! What resources, data sources and ephemeral resources share: the session that
//! the provider's configuration opens, settings that may be unknown, and the
//! words in which failures are told.

mod anchor;
mod backend_diagnostics;
mod diagnostics;
mod duration;
mod naming;
mod ownership;
mod session;
mod setting;
mod timeouts;

pub use anchor::{Anchor, Committed};
pub use backend_diagnostics::{named_backend, named_default, reserved_name};
pub use diagnostics::{declared_twice, deletion_protected, explain, named_secret};
pub use duration::{InvalidDuration, parse_duration};
pub use naming::invalid_slug;
pub(crate) use naming::plain_words;
pub use ownership::{Finding, Named, made_by, unclear};
pub use session::{
    Configured, PartlyKnown, Session, SessionState, different_organization, not_refreshed,
    unconfigured,
};
pub use setting::Setting;
pub use timeouts::{Bounds, Timeout, timeouts_attribute, validate_timeouts};
