//! The permanent name of a key.

use std::fmt;

use planton_envelope::KekId;

/// The [`KekId::provider`] of a key in AWS KMS.
pub(super) const PROVIDER: &str = "aws_kms";

/// A key, out of its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KmsKey {
    partition: String,
    /// Absent for a multi-Region key: its replicas share the key ID and the key material.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>
    region: Option<String>,
    account: String,
    id: String,
}

impl KmsKey {
    /// Parses a key's ARN. The Region may be empty for a multi-Region key.
    pub(super) fn from_arn(arn: &str) -> Option<Self> {
        let (head, id) = arn.split_once(":key/")?;
        let mut parts = head.split(':');
        let is_arn = parts.next()? == "arn";
        let partition = parts.next()?;
        let is_kms = parts.next()? == "kms";
        let (region, account) = (parts.next()?, parts.next()?);
        let is_multi_region = id.starts_with("mrk-");
        let word = |text: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !text.is_empty() && text.bytes().all(known)
        };
        let is_whole = is_arn
            && is_kms
            && parts.next().is_none()
            && word(partition)
            && word(account)
            && word(id)
            && (word(region) || is_multi_region && region.is_empty());
        is_whole.then(|| Self {
            partition: partition.to_owned(),
            region: (!is_multi_region).then(|| region.to_owned()),
            account: account.to_owned(),
            id: id.to_owned(),
        })
    }

    /// Parses what [`kek_id`](Self::kek_id) returns, and no other form.
    pub(super) fn from_kek_id(id: &KekId) -> Option<Self> {
        let key = Self::from_arn(&id.id)?;
        (id.provider == PROVIDER && key.kek_id() == *id).then_some(key)
    }

    //= docs/format.md#26-kek-in-aws-kms
    //# A writer MUST write `aws_kms` as `provider`, and as `kek_id` the key's ARN, for a
    //# multi-Region key with an empty Region.
    pub(super) fn kek_id(&self) -> KekId {
        KekId {
            provider: PROVIDER.to_owned(),
            id: self.to_string(),
        }
    }

    /// Returns the key ID.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the key is in this partition and account.
    pub(super) fn is_of(&self, partition: &str, account: &str) -> bool {
        self.partition == partition && self.account == account
    }

    /// Returns the Region of a single-Region key.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the ARN of the key in `region`.
    pub(super) fn arn_in(&self, region: &str) -> String {
        let Self {
            partition,
            account,
            id,
            ..
        } = self;
        let region = self.region().unwrap_or(region);
        format!("arn:{partition}:kms:{region}:{account}:key/{id}")
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn_in(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: &str =
        "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const MULTI: &str =
        "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    const ANYWHERE: &str = "arn:aws-cn:kms::123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";

    fn id(text: &str) -> KekId {
        KekId {
            provider: PROVIDER.to_owned(),
            id: text.to_owned(),
        }
    }

    //= docs/format.md#26-kek-in-aws-kms
    //= type=test
    //# A writer MUST write `aws_kms` as `provider`, and as `kek_id` the key's ARN, for a
    //# multi-Region key with an empty Region.
    #[test]
    fn id_is_the_arn_and_that_of_a_multi_region_key_has_no_region() {
        let single = KmsKey::from_arn(SINGLE).expect("an ARN");
        assert_eq!(single.kek_id(), id(SINGLE));
        assert_eq!(single.region(), Some("eu-central-1"));
        assert_eq!(single.arn_in("us-east-1"), SINGLE);
        let multi = KmsKey::from_arn(MULTI).expect("an ARN");
        assert_eq!(multi.kek_id(), id(ANYWHERE));
        assert_eq!(multi.region(), None);
        assert_eq!(multi.arn_in("cn-north-1"), MULTI);
        assert_eq!(KmsKey::from_kek_id(&id(ANYWHERE)), Some(multi));
        assert_eq!(KmsKey::from_kek_id(&id(SINGLE)), Some(single));
    }

    #[test]
    fn other_texts_are_no_id() {
        let alias = "arn:aws:kms:eu-central-1:123456789012:alias/key/x";
        let longer = format!("{SINGLE}/x");
        for other in [
            "",
            "alias/x",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            alias,
            "arn:aws:kms:eu-central-1:123456789012:key/",
            "arn:aws:kms::123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:s3:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:1:2:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            &longer,
            MULTI,
        ] {
            assert_eq!(KmsKey::from_kek_id(&id(other)), None, "{other}");
        }
        let transit = KekId {
            provider: "transit".to_owned(),
            ..id(SINGLE)
        };
        assert_eq!(KmsKey::from_kek_id(&transit), None);
    }
}
