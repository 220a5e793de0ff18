//! Warnings of secrets that go to the former default, since nothing makes them wait for
//! the change.

use planton_plugin::Diagnostic;

/// Warns of secrets that Terraform may create before the default changes.
pub(super) fn planned_before(secrets: &[String], backend: &str) -> Option<Diagnostic> {
    (!secrets.is_empty()).then(|| {
        Diagnostic::warning(
            "Secrets Planned Before Default",
            format!(
                "This plan makes {backend:?} the default backend, and creates secrets that name no \
                 backend and do not wait for the change: {}. Terraform may create them first, on \
                 the former default. A secret never moves.\n\n{WAIT}",
                listed(secrets)
            ),
        )
        .at("backend")
    })
}

/// Warns of secrets that this run created on the former default.
pub(super) fn left_behind(secrets: &[String], backend: &str) -> Option<Diagnostic> {
    (!secrets.is_empty()).then(|| {
        Diagnostic::warning(
            "Secrets On Former Default",
            format!(
                "Backend {backend:?} is the default from now on. This run created secrets on the \
                 former default before, and there they stay: {}.\n\nTo create them on {backend:?} \
                 instead, set their backend, which replaces them. For secrets to come: {WAIT}",
                listed(secrets)
            ),
        )
        .at("backend")
    })
}

const WAIT: &str = "Add depends_on = [planton_default_backend.<name>] to a secret that is to go to \
                    the new default, or set its backend.";

/// Names up to ten secrets.
fn listed(secrets: &[String]) -> String {
    const MOST: usize = 10;
    let quoted = secrets.iter().take(MOST).map(|name| format!("{name:?}"));
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if secrets.len() > MOST {
        text.push_str(&format!(" and {} more", secrets.len() - MOST));
    }
    text
}
