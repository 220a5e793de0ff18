//! Ownership of a backend, as its state knows it, and the outcome of a destroy.

use crate::diagnostics::{Finding, Named};
use crate::resources::private_state::Anchor;
use planton_core::names::Slug;
use planton_core::operations::{DeletedBackend, Destroyed};
use planton_plugin::Diagnostic;

/// Returns whether this state may act on the backend. If it may not, a plan changes nothing,
/// so it does not check who else uses the backend.
pub(super) fn is_own(anchor: &Anchor) -> bool {
    match anchor.finding {
        None => true,
        Some(Finding::OtherOwner | Finding::RecordMissing) => false,
    }
}

/// Warns about objects or a record that a destroy left behind.
pub(super) fn not_destroyed(name: &Slug, deleted: DeletedBackend) -> Option<Diagnostic> {
    let left = deleted.left_behind.join(", ");
    let named = Named::backend(name);
    match deleted.destroyed {
        Destroyed::Done if left.is_empty() => None,
        Destroyed::Done => Some(Diagnostic::warning(
            "Backend Objects Left Behind",
            format!(
                "The record of secret backend \"{name}\" was removed from the catalog, but these \
                 objects of the backend itself could not be deleted: {left}.\n\n{UNREADABLE} Delete \
                 them by hand if the place still exists."
            ),
        )),
        Destroyed::Forgotten => {
            let may_remain = if left.is_empty() {
                String::new()
            } else {
                format!(" These objects may remain there: {left}.")
            };
            Some(Diagnostic::warning(
                "Backend Forgotten",
                format!(
                    "The record of secret backend \"{name}\" was removed from the catalog without a \
                     request to its place.{may_remain}\n\n{UNREADABLE} Delete the remaining objects \
                     by hand if the place still exists."
                ),
            ))
        }
        Destroyed::OwnedByAnotherState(owner) => Some(named.left_to_owner(&owner)),
        Destroyed::ReturnedToOwner(owner) => Some(named.returned_to_owner(&owner)),
        Destroyed::RecordMissing => Some(Diagnostic::warning(
            "Backend Record Missing",
            format!(
                "The catalog no longer has a record of secret backend \"{name}\", so nothing was \
                 deleted. Its marker object and the sealed versions of its secrets may remain in \
                 its place, under its name_prefix and the organization's name.\n\nDelete them by \
                 hand if nothing else uses them."
            ),
        )),
    }
}

const UNREADABLE: &str =
    "Sealed objects cannot be read without the keys that they are wrapped for.";
