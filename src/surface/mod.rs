//! What resources, data sources and ephemeral resources share: the session that
//! the provider's configuration opens, settings that may be unknown, and the
//! words in which failures are told.

mod anchor;
mod backend_diagnostics;
mod diagnostics;
mod duration;
mod ownership;
mod session;
mod setting;
mod timeouts;

pub use anchor::{Anchor, Committed};
pub use backend_diagnostics::{named_backend, named_default, reserved_name};
pub use diagnostics::{deletion_protected, explain, invalid_slug, named_secret};
pub use duration::{InvalidDuration, parse_duration};
pub use ownership::{Finding, Named, unclear};
pub use session::{
    Configured, PartlyKnown, Session, SessionState, different_organization, not_refreshed,
    unconfigured,
};
pub use setting::Setting;
pub use timeouts::{Bounds, Timeout, timeouts_attribute, validate_timeouts};
