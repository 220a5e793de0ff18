//! The bodies of the fuzz targets: one for each parser of bytes or text from outside.
//!
//! A binary in `fuzz_targets/` hands the inputs of libFuzzer to one of them. The test
//! `replay` hands them the kept corpus, with the stable compiler and without libFuzzer.
//! Each target asserts what holds for every input, and returns what became of this one.

mod backup;
mod envelope;
mod keys;
mod kms;
mod plugin;
mod records;
mod seeds;
mod settings;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod replay;

pub use seeds::write as write_seeds;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The parser took it.
    Accepted,
    /// The parser refused it.
    Refused,
}

impl Verdict {
    fn of<T>(outcome: Option<T>) -> Self {
        match outcome {
            Some(_) => Self::Accepted,
            None => Self::Refused,
        }
    }
}

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of its binary and of the folder of its corpus.
    pub name: &'static str,
    /// Its body, which panics if an input breaks a property.
    pub body: fn(&[u8]) -> Verdict,
}

const fn target(name: &'static str, body: fn(&[u8]) -> Verdict) -> Target {
    Target { name, body }
}

/// All targets.
pub const TARGETS: [Target; 25] = [
    target("age_file", keys::age_file),
    target("age_identities", keys::age_identities),
    target("aws_kms", kms::aws),
    target("azure_key_vault_key", kms::azure),
    target("backup", backup::backup),
    target("certificates", settings::certificates),
    target("consistency_index", settings::consistency_index),
    target("duration", plugin::duration),
    target("envelope", envelope::envelope),
    target("envelope_text", envelope::text),
    target("gcp_kms", kms::gcp),
    target("import_id", settings::import_id),
    target("key_file", keys::key_file),
    target("private_data", plugin::private_data),
    target("private_fields", plugin::private_fields),
    target("record_backend", records::backend),
    target("record_default", records::default),
    target("record_entry", records::entry),
    target("record_organization", records::organization),
    target("record_secret", records::secret),
    target("resume", settings::resume),
    target("retry_after", settings::retry_after),
    target("transit", kms::transit),
    target("value", plugin::value),
    target("wrapped_keys", envelope::wraps),
];

/// Runs the target `name`.
///
/// # Panics
///
/// If an input breaks a property, and if there is no such target.
pub fn run(name: &str, input: &[u8]) -> Verdict {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("a target in TARGETS");
    (target.body)(input)
}
