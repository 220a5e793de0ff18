//! Checks that code contains no words that are reserved for other parts of the workspace.

use anyhow::Result;

use super::source::{self, File};

/// Words that the code of some folders or files must not contain, except in tests.
struct Forbidden {
    places: &'static [&'static str],
    /// What the rule permits inside `places`.
    except: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[
    SPAWNING,
    INPUT_AND_OUTPUT,
    WIRE,
    DATABASE,
    BELOW_THE_USE_CASES,
    USE_CASES,
];

const SPAWNING: Forbidden = Forbidden {
    places: &[
        "crates/core/src",
        "crates/envelope/src",
        "crates/plugin/src",
        "crates/secret/src",
        "crates/vendors/src",
        "src",
    ],
    // The server's tasks are connections, signals, and the calls themselves. A batch has
    // the widest deadline of its callers. An operator command waits for Ctrl-C. The work after
    // a response has a deadline of its own.
    except: &[
        "crates/core/src/operations/housekeeping.rs",
        "crates/plugin/src/protocol/",
        "crates/vendors/src/openbao/kek/coalesce.rs",
        "src/cli/operator.rs",
    ],
    words: &["spawn("],
    why: "a spawned task escapes the deadline of its use case",
};

const INPUT_AND_OUTPUT: Forbidden = Forbidden {
    places: &[
        "crates/core/src/names.rs",
        "crates/envelope/src",
        "crates/secret/src",
    ],
    except: &[],
    words: &["std::fs", "std::net", "std::process", "std::env", "tokio::"],
    why: "this code does no I/O",
};

const WIRE: Forbidden = Forbidden {
    places: &["crates/plugin/src"],
    except: &["crates/plugin/src/protocol/"],
    words: &["tonic", "tonic_prost", "prost"],
    why: "only `protocol` knows gRPC",
};

const DATABASE: Forbidden = Forbidden {
    places: &["crates/vendors/src"],
    except: &["crates/vendors/src/embedded/"],
    words: &["rusqlite"],
    why: "only `embedded` has a database",
};

const BELOW_THE_USE_CASES: Forbidden = Forbidden {
    places: &[
        "src/cli",
        "src/data_sources",
        "src/ephemeral",
        "src/functions",
        "src/resources",
    ],
    except: &[],
    words: &[
        "planton_core::{",
        "planton_core::catalog",
        "planton_core::kek",
        "planton_core::store",
    ],
    why: "it calls `planton_core::operations` for all that is stored",
};

const USE_CASES: Forbidden = Forbidden {
    places: &["crates/vendors/src"],
    except: &[],
    words: &["planton_core::{", "planton_core::operations"],
    why: "a vendor knows the traits that it implements, and no use case",
};

/// Code that works without Terraform, and therefore never mentions it, even in comments
/// and tests.
const WITHOUT_TERRAFORM: &[&str] = &[
    "crates/core/src",
    "crates/envelope/src",
    "crates/secret/src",
    "crates/vendors/src/openbao/kek",
];

/// Returns one line for each forbidden word.
pub(super) fn violations() -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for place in WITHOUT_TERRAFORM {
        let files = source::files(place)?;
        let named = files.iter().filter(|file| mentions_terraform(&file.text));
        violations.extend(named.map(|file| format!("{} mentions Terraform", file.path)));
    }
    for rule in FORBIDDEN {
        for place in rule.places {
            for file in source::files(place)? {
                violations.extend(rule.violations_of(&file));
            }
        }
    }
    Ok(violations)
}

fn mentions_terraform(text: &str) -> bool {
    text.to_lowercase().contains("terraform")
}

impl Forbidden {
    fn violations_of(&self, file: &File) -> Vec<String> {
        let is_permitted = |place: &&str| file.path.starts_with(*place);
        if file.is_test() || self.except.iter().any(is_permitted) {
            return Vec::new();
        }
        let code = file.code().replace(" (", "(");
        let words = self.words.iter().filter(|word| has_word(&code, word));
        let told = words.map(|word| format!("{} has `{word}`: {}", file.path, self.why));
        told.collect()
    }
}

/// Returns whether `code` contains `word`, and not only as a part of another name.
fn has_word(code: &str, word: &str) -> bool {
    let ends_with_name = word.ends_with(source::is_of_a_name);
    code.match_indices(word).any(|(at, _)| {
        let after = &code[at + word.len()..];
        let is_longer = ends_with_name && after.starts_with(source::is_of_a_name);
        !code[..at].ends_with(source::is_of_a_name) && !is_longer
    })
}

#[cfg(test)]
mod tests;
