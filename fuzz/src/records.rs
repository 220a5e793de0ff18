//! Records of the catalog, each type by itself: the corpus of one would drown the others.

use planton_core::catalog::{RecordType, survives_round_trip};

use crate::Verdict;

fn record(kind: RecordType, bytes: &[u8]) -> Verdict {
    match survives_round_trip(kind, bytes) {
        true => Verdict::Accepted,
        false => Verdict::Refused,
    }
}

pub(crate) fn secret(bytes: &[u8]) -> Verdict {
    record(RecordType::Secret, bytes)
}

pub(crate) fn backend(bytes: &[u8]) -> Verdict {
    record(RecordType::Backend, bytes)
}

pub(crate) fn default(bytes: &[u8]) -> Verdict {
    record(RecordType::Default, bytes)
}

pub(crate) fn organization(bytes: &[u8]) -> Verdict {
    record(RecordType::Organization, bytes)
}

/// The first line is the entry's key, the rest its record.
pub(crate) fn entry(bytes: &[u8]) -> Verdict {
    record(RecordType::Entry, bytes)
}
