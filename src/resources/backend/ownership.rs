//! Whose a backend is, as its state knows it: what a creation adopted, and what a destroy
//! left.

use crate::diagnostics::{Finding, named_backend};
use crate::resources::private_state::Anchor;
use planton_core::names::Slug;
use planton_core::operations::{DeletedBackend, Destroyed, RegisteredBackend};
use planton_plugin::{DeleteResponse, Diagnostic};

/// Says that a declaration completed an interrupted one.
pub(super) fn completed(registered: &RegisteredBackend) -> Option<Diagnostic> {
    let former = registered.adopted_from.as_ref()?;
    Some(named_backend(&registered.view.name, |named| {
        named.completed(former)
    }))
}

/// Says whether a plan has to ask who else needs the backend: not where the state
/// may not act on it, so that nothing will happen to it.
pub(super) fn is_own(anchor: &Anchor) -> bool {
    match anchor.finding {
        None => true,
        Some(Finding::OtherOwner | Finding::RecordMissing) => false,
    }
}

/// Tells what a destroy left.
pub(super) fn deleted(name: &Slug, deleted: DeletedBackend) -> DeleteResponse {
    let left = deleted.left_behind.join(", ");
    let told = match deleted.destroyed {
        Destroyed::Done if left.is_empty() => None,
        Destroyed::Done => Some((
            "Backend Objects Left Behind",
            format!(
                "Secret backend \"{name}\" is deleted from the catalog, but these objects of its \
                 own could not be deleted: {left}.\n\nNothing there can be read without the \
                 organization's key. Delete them by hand if the place still exists."
            ),
        )),
        Destroyed::Forgotten => Some((
            "Backend Forgotten",
            format!(
                "Secret backend \"{name}\" is gone from the catalog. Its place was not asked{}\n\n\
                 Nothing there can be read without the organization's key. Delete what is left by \
                 hand if the place still exists.",
                if left.is_empty() {
                    ".".to_owned()
                } else {
                    format!("; it may still hold: {left}.")
                }
            ),
        )),
        Destroyed::LeftToOwner(owner) => Some((
            "Backend Left To Its Owner",
            named_backend(name, |named| named.left_to_owner(&owner)),
        )),
        Destroyed::GivenBack(owner) => Some((
            "Backend Left To Its Owner",
            named_backend(name, |named| named.given_back(&owner)),
        )),
        Destroyed::RecordMissing => Some((
            "Backend Record Missing",
            format!(
                "The catalog has no record of secret backend \"{name}\" any more, so nothing was \
                 deleted. Its place may still hold its marker object and the sealed versions of its \
                 secrets, under its name_prefix and the organization's name.\n\nDelete them by hand \
                 if nothing else uses them."
            ),
        )),
    };
    let mut response = DeleteResponse::default();
    let told = told.map(|(summary, detail)| Diagnostic::warning(summary, detail));
    response.diagnostics.extend(told);
    response
}
