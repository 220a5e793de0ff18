//! Diagnostics of an operation that its deadline or a requested stop interrupted.

use std::borrow::Cow;

use planton_plugin::Diagnostic;

/// Reports that the deadline expired before `step`.
pub(super) fn timed_out(step: &str) -> Diagnostic {
    Diagnostic::timed_out(infinitive(step))
}

/// Reports that Terraform requested a stop before `step`.
pub(super) fn cancelled(step: &str) -> Diagnostic {
    Diagnostic::cancelled(infinitive(step))
}

/// Returns what the provider did not finish, in the infinitive. A step that a use case does
/// not name is a request, by the vendor's own name for it.
fn infinitive(step: &str) -> Cow<'static, str> {
    match STEPS.iter().find(|(name, _)| *name == step) {
        Some((_, infinitive)) => Cow::Borrowed(infinitive),
        None => Cow::Owned(format!("complete the request {step:?}")),
    }
}

/// Every step before which a use case checks for an interrupt, by the name that
/// `Interrupt::before` gets.
const STEPS: &[(&str, &str)] = &[
    ("add escrow key", "add the escrow key"),
    ("adopt", "adopt the secret"),
    ("adopt backend", "adopt the backend"),
    ("backend marker", "write the backend's marker object"),
    (
        "backend tombstone",
        "replace the backend's record with a tombstone",
    ),
    ("clean up", "delete the objects that no record names"),
    ("collect", "look at the next objects"),
    ("collect orphan", "delete an object that no record names"),
    ("commit backend", "write the backend's record"),
    (
        "commit default backend",
        "write the record of the default backend",
    ),
    ("commit edit", "write the secret's record"),
    (
        "commit former keys",
        "write the backend's record without its former keys",
    ),
    ("commit escrow key", "write the organization's record"),
    (
        "commit rewrap",
        "write the secret's record with the new wraps",
    ),
    (
        "commit rewrapped credential",
        "write the backend's record with the new wraps",
    ),
    (
        "commit rewrapped organization",
        "write the organization's record with the new wraps",
    ),
    (
        "commit reseal",
        "write the secret's record with the new data keys",
    ),
    ("create", "start the creation of the secret"),
    ("delete", "start the deletion of the secret"),
    ("delete backend", "start the deletion of the backend"),
    (
        "delete object",
        "delete the secret's objects from its backend",
    ),
    ("entry", "write the entry of the secret's object"),
    (
        "give backend back",
        "return the backend to its former owner",
    ),
    ("initialize", "create the organization"),
    ("list entries", "list the entries of the backend"),
    (
        "look at backend",
        "check whether the backend accepts new secrets",
    ),
    ("mark backend deleting", "mark the backend as being deleted"),
    ("mark deleting", "mark the secret as being deleted"),
    ("probe backend", "write a test object to the backend"),
    ("provision main key", "create the new main key"),
    ("put", "write the sealed value to the backend"),
    (
        "put rewrap",
        "write the sealed value with its new wraps to the backend",
    ),
    (
        "put reseal",
        "write the value under its new data key to the backend",
    ),
    ("raise document", "raise the record of the secret's name"),
    ("register backend", "start the declaration of the backend"),
    (
        "remove former keys",
        "look for versions that need the former keys",
    ),
    ("remove escrow key", "remove the escrow key"),
    ("reseal", "reseal the next secrets"),
    ("rewrap", "rewrap the next secrets"),
    ("set default backend", "set the default backend"),
    ("tombstone", "replace the secret's record with a tombstone"),
    ("unset default backend", "unset the default backend"),
    ("update", "start the update of the secret"),
    ("update backend", "start the update of the backend"),
    ("verify", "verify the next secrets"),
    ("wrap", "wrap the data key"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Collects the names of all steps in the use cases of `planton-core`.
    fn collect(folder: &Path, steps: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                collect(&path, steps);
                continue;
            }
            collect_file(&path, steps);
        }
    }

    fn collect_file(path: &Path, steps: &mut BTreeSet<String>) {
        let code = std::fs::read_to_string(path).expect("the file is text");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for call in code.split("interrupt.before(").skip(1) {
            let literal = call.trim_start().strip_prefix('"');
            let name = literal.and_then(|rest| rest.split('"').next());
            steps.insert(name.expect("a step is a literal").to_owned());
        }
    }

    #[test]
    fn every_step_of_a_use_case_has_an_infinitive_and_no_other_has() {
        let operations = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/core/src/operations");
        let mut steps = BTreeSet::new();
        for use_cases in [
            "secrets",
            "backends",
            "default_backend",
            "gc",
            "keys",
            "rewrap",
        ] {
            collect(&Path::new(operations).join(use_cases), &mut steps);
        }
        for file in ["raise.rs", "verify.rs"] {
            collect_file(&Path::new(operations).join(file), &mut steps);
        }
        let told: BTreeSet<String> = STEPS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(told, steps);
    }

    #[test]
    fn a_timeout_names_the_step_in_words_and_a_request_by_its_name() {
        let detail = timed_out("look at backend").detail;
        assert!(
            detail.contains("before the provider could check whether the backend accepts"),
            "{detail}"
        );
        let detail = cancelled("PutSecretValue").detail;
        assert!(
            detail.contains("could complete the request \"PutSecretValue\"."),
            "{detail}"
        );
    }
}
