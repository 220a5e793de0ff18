//! Identifies versions, and labels them so that AWS keeps them.
//!
//! AWS deletes versions that have no staging label, and allows at most 20 labels on a
//! secret. Three are its own (`AWSCURRENT`, `AWSPREVIOUS`, `AWSPENDING`), so 17 remain
//! for the provider: `planton-00` to `planton-16`. Each version gets a label that no
//! version to keep has. The identifier of a version contains its label, so the choice
//! needs no request.
//!
//! Concurrent writers choose at random among the free labels. If they choose the same,
//! the later put takes the label from the earlier version. If the earlier version is
//! the committed one, it has AWS's own `AWSPREVIOUS` until the next put, and is the
//! current value all that time. After that it is an old version without a label. AWS
//! may delete it once it is a day old and the secret has more than 100 versions:
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
//!
//! A rewrap puts existing versions again, beside applies that put new ones. It chooses
//! from the other half of the free labels, so it takes none of a new version's, unless a
//! single one is free. An older version that is put again leaves `AWSCURRENT` where it is.
//! A rewrap that loses its commit tries again at once: if each try took `AWSCURRENT`, the
//! second one would take `AWSPREVIOUS` as well from the version that won.
//!
//! Two rewraps may choose the same label, and do if 14 versions or more are kept. The one that
//! loses may take it from an older version, which has no other. It knows that from the record
//! that won, and puts the version again: see `SecretStore::evicts`.

use uuid::Uuid;

use planton_core::store::NativeVersionId;

/// Number of the provider's labels on one secret, and so of the versions to keep.
pub(super) const RING: u8 = 17;

/// A version, its label, and the secret that contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredVersion {
    /// AWS's version id, equal to the attempt that put it.
    pub(super) version_id: String,
    /// The number of its label.
    pub(super) label: u8,
    /// The secret, distinct from others of the same name.
    pub(super) object: ObjectId,
}

/// Distinguishes a secret from another one of the same name, by the six random
/// characters at the end of its ARN:
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectId {
    partition: String,
    account: String,
    suffix: String,
}

impl StoredVersion {
    /// Parses `{version id}:{label}:{partition}:{account}:{suffix}`. Returns `None` for
    /// any other text.
    pub(super) fn parse(id: &NativeVersionId) -> Option<Self> {
        let mut parts = id.as_str().split(':');
        let mut next = || parts.next().filter(|part| is_word(part));
        let (version_id, label) = (next()?, next()?);
        let object = ObjectId {
            partition: next()?.to_owned(),
            account: next()?.to_owned(),
            suffix: next()?.to_owned(),
        };
        let number: u8 = label.parse().ok()?;
        let whole = parts.next().is_none() && label.len() == 2 && number < RING;
        whole.then(|| Self {
            version_id: version_id.to_owned(),
            label: number,
            object,
        })
    }

    pub(super) fn to_native_id(&self) -> NativeVersionId {
        let Self {
            version_id,
            label,
            object,
        } = self;
        let ObjectId {
            partition,
            account,
            suffix,
        } = object;
        NativeVersionId::new(format!(
            "{version_id}:{label:02}:{partition}:{account}:{suffix}"
        ))
    }
}

impl ObjectId {
    /// Parses the ARN of the secret `name`.
    pub(super) fn parse(arn: &str, name: &str) -> Option<Self> {
        let mut parts = arn.splitn(7, ':');
        let (head, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (_region, account, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let suffix = parts.next()?.strip_prefix(name)?.strip_prefix('-')?;
        let ours = (head, service, kind) == ("arn", "secretsmanager", "secret");
        // A suffix that contains a hyphen belongs to a longer name.
        let whole = [partition, account, suffix].into_iter().all(is_word) && !suffix.contains('-');
        (ours && whole).then(|| Self {
            partition: partition.to_owned(),
            account: account.to_owned(),
            suffix: suffix.to_owned(),
        })
    }

    /// Returns the full ARN, which identifies this secret alone.
    pub(super) fn arn(&self, region: &str, name: &str) -> String {
        let Self {
            partition,
            account,
            suffix,
        } = self;
        format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{suffix}")
    }
}

/// Returns the name of a label.
pub(super) fn label_name(number: u8) -> String {
    format!("planton-{number:02}")
}

/// Returns the number of the provider's label among `stages`.
pub(super) fn label_among(stages: &[String]) -> Option<u8> {
    (0..RING).find(|number| stages.contains(&label_name(*number)))
}

/// Chooses the label of a new version: one that no version of `keep` has, or `None` if all
/// are taken. All tries of one attempt choose the same label.
pub(super) fn free_label(keep: &[StoredVersion], attempt: Uuid) -> Option<u8> {
    let free = free_labels(keep);
    choose(&free[..free.len().div_ceil(2)], attempt)
}

/// As [`free_label`], of an existing version that is put again.
pub(super) fn label_again(keep: &[StoredVersion], attempt: Uuid) -> Option<u8> {
    let free = free_labels(keep);
    // A new version has the same choice if a single label is free.
    let others = free.len().div_ceil(2).min(free.len().saturating_sub(1));
    choose(&free[others..], attempt)
}

/// Returns the labels that no version of `keep` has.
fn free_labels(keep: &[StoredVersion]) -> Vec<u8> {
    let taken = |number: &u8| keep.iter().any(|version| version.label == *number);
    (0..RING).filter(|number| !taken(number)).collect()
}

fn choose(among: &[u8], attempt: Uuid) -> Option<u8> {
    // The low bits of a random UUID are all random.
    let choice = attempt.as_u128() % u128::try_from(among.len().max(1)).ok()?;
    among.get(usize::try_from(choice).ok()?).copied()
}

fn is_word(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !text.is_empty() && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a/b-c-AbCdEf";

    fn version(label: u8) -> StoredVersion {
        StoredVersion {
            version_id: Uuid::from_u128(7).to_string(),
            label,
            object: ObjectId::parse(ARN, "a/b-c").unwrap_or_else(|| unreachable!("an ARN")),
        }
    }

    #[test]
    fn arns_round_trip_and_those_of_other_names_are_refused() {
        assert_eq!(version(0).object.arn("eu-central-1", "a/b-c"), ARN);
        for (arn, name) in [
            (ARN, "a/b"),
            (ARN, "a/b-c-AbCdEf"),
            ("arn:aws:kms:eu-central-1:1:secret:a-AbCdEf", "a"),
            ("a-AbCdEf", "a"),
            ("", ""),
        ] {
            assert_eq!(ObjectId::parse(arn, name), None, "{arn} {name}");
        }
    }

    #[test]
    fn native_ids_round_trip_and_refuse_what_is_not_ours() {
        let id = version(3).to_native_id();
        assert_eq!(
            id.as_str(),
            "00000000-0000-0000-0000-000000000007:03:aws:123456789012:AbCdEf"
        );
        assert_eq!(StoredVersion::parse(&id), Some(version(3)));
        for bad in [
            "",
            "v",
            "v:03:aws:1",
            "v:03:aws:1:s:",
            "v:3:aws:1:s",
            "v:17:aws:1:s",
            "v:03:aws::s",
            "v:03:aws:1:s/x",
        ] {
            let id = NativeVersionId::new(bad.to_owned());
            assert_eq!(StoredVersion::parse(&id), None, "{bad}");
        }
    }

    #[test]
    fn a_free_label_is_never_one_that_is_kept_and_each_can_be_chosen() {
        let again =
            |kept: &[StoredVersion], attempt: u128| label_again(kept, Uuid::from_u128(attempt));
        let kept: Vec<_> = (0..16).map(version).collect();
        assert_eq!(free_label(&kept, Uuid::from_u128(1)), Some(16));
        assert_eq!(again(&kept, 1), Some(16));
        let all: Vec<_> = (0..17).map(version).collect();
        assert_eq!(free_label(&all, Uuid::from_u128(1)), None);
        assert_eq!(again(&all, 1), None);
        let some: Vec<_> = (0..13).map(version).collect();
        for (attempt, new, of_existing) in [(0, 13, 15), (1, 14, 16), (2, 13, 15)] {
            assert_eq!(free_label(&some, Uuid::from_u128(attempt)), Some(new));
            assert_eq!(again(&some, attempt), Some(of_existing));
        }
        // Both choose the same only if a single label is free.
        for number in 1..16 {
            let kept: Vec<_> = (0..number).map(version).collect();
            let all = |choose: &dyn Fn(Uuid) -> Option<u8>| -> BTreeSet<u8> {
                (0..17).map(Uuid::from_u128).filter_map(choose).collect()
            };
            let new = all(&|attempt| free_label(&kept, attempt));
            let existing = all(&|attempt| label_again(&kept, attempt));
            assert!(new.is_disjoint(&existing), "{new:?} {existing:?}");
            let free: BTreeSet<u8> = (number..RING).collect();
            assert_eq!(&new | &existing, free);
        }
    }

    #[test]
    fn our_label_is_found_among_the_vendors() {
        let stages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let found = |names: &[&str]| label_among(&Vec::<String>::clone(&stages(names)));
        assert_eq!(found(&["AWSCURRENT", "planton-16"]), Some(16));
        assert_eq!(found(&["AWSPREVIOUS"]), None);
        assert_eq!(found(&["planton-17"]), None);
    }
}
