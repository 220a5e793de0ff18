//! Derives the key of a secret's record from the secret's name and from its uuid.
//!
//! One request must find a record, by name (create, import) or by uuid (an ephemeral
//! read of `planton_secret.x.id`). During a replacement, two secrets have the same
//! name. So a secret's uuid is an RFC 9562 version 8 uuid. Its first 60 free bits come
//! from a hash of the name, and its last 62 are random. The record's key contains those
//! 60 bits: docs/adr/0005-record-layout.md.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::RecordKey;
use crate::names::SecretName;

const LABEL: &[u8] = b"PSE1-RECORD";
const PREFIX: &str = "secrets/";

/// Returns the key of the record of the secret `name`.
#[must_use]
pub fn record_key_of_name(name: &SecretName) -> RecordKey {
    record_key(name_bits(name))
}

/// Returns the key of the record of the secret `uuid`; `None` if the uuid is not a
/// secret's.
#[must_use]
pub(crate) fn record_key_of_uuid(uuid: Uuid) -> Option<RecordKey> {
    let (high, low) = uuid.as_u64_pair();
    let ours = (high >> 12) & 0xf == 8 && low >> 62 == 0b10;
    ours.then(|| record_key(((high >> 16) << 12) | (high & 0xfff)))
}

/// Returns a uuid for a new secret `name`, with random bits from `random`.
//= docs/format.md#19-records
//# A writer MUST give each secret a UUID of version 8 that contains the same 60 bits: the
//# first 48 as bits 0 to 47, the last 12 as bits 52 to 63.
#[must_use]
pub(crate) fn new_secret_uuid(name: &SecretName, random: u64) -> Uuid {
    let bits = name_bits(name);
    let high = ((bits >> 12) << 16) | 0x8000 | (bits & 0xfff);
    let low = (0b10 << 62) | (random >> 2);
    Uuid::from_u64_pair(high, low)
}

/// Returns the eight hexadecimal digits that a remote name takes from `uuid`.
///
/// They are random, so a recreated secret does not collide with a soft-deleted object
/// of the same name.
#[must_use]
pub(crate) fn distinguishing_digits(uuid: Uuid) -> String {
    let (_, low) = uuid.as_u64_pair();
    format!("{:08x}", low & 0xffff_ffff)
}

//= docs/format.md#19-records
//# A writer MUST compute the 15 hexadecimal digits of a document as the first 60 bits of this
//# value.
fn name_bits(name: &SecretName) -> u64 {
    let environment = name.environment.as_ref().map_or("", |slug| slug.as_str());
    let mut hash = Sha256::new();
    hash.update(LABEL);
    for part in [environment, name.name.as_str()] {
        let length = u16::try_from(part.len()).expect("a slug has at most 63 bytes");
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (head, _) = digest
        .split_first_chunk::<8>()
        .expect("a digest has 32 bytes");
    u64::from_be_bytes(*head) >> 4
}

fn record_key(bits: u64) -> RecordKey {
    RecordKey::new(format!("{PREFIX}{bits:015x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        text.parse().expect("a name")
    }

    //= docs/format.md#19-records
    //= type=test
    //# A writer MUST give each secret a UUID of version 8 that contains the same 60 bits: the
    //# first 48 as bits 0 to 47, the last 12 as bits 52 to 63.
    #[test]
    fn name_and_uuid_lead_to_the_same_record() {
        for text in ["db", "prod/db", "a", "0/0"] {
            let uuid = new_secret_uuid(&name(text), 0x0123_4567_89ab_cdef);
            assert_eq!(uuid.get_version_num(), 8, "{uuid}");
            assert_eq!(
                record_key_of_uuid(uuid),
                Some(record_key_of_name(&name(text)))
            );
        }
    }

    #[test]
    fn environment_and_name_are_not_mixed_up() {
        let keys = ["a", "b", "a/b", "b/a", "ab"].map(|text| record_key_of_name(&name(text)));
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{key}");
        }
    }

    #[test]
    fn a_foreign_uuid_leads_nowhere() {
        assert_eq!(record_key_of_uuid(Uuid::nil()), None);
        assert_eq!(record_key_of_uuid(Uuid::new_v4()), None);
    }

    #[test]
    fn distinguishing_digits_come_from_the_random_part() {
        let one = new_secret_uuid(&name("db"), 1 << 2);
        let two = new_secret_uuid(&name("db"), 2 << 2);
        assert_eq!(distinguishing_digits(one), "00000001");
        assert_ne!(distinguishing_digits(one), distinguishing_digits(two));
    }
}
