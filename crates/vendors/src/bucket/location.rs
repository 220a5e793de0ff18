//! The location of a platform: a bucket and a prefix, parsed once from a URL.

use std::fmt;

use object_store::path::Path;

use planton_core::catalog::RecordKey;
use planton_core::names::Slug;

/// Maximum length of the prefix. With the longest organization and object name, a key stays
/// below the 1,024 bytes that all three vendors allow:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>,
/// <https://cloud.google.com/storage/docs/objects#naming>,
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>
const MAX_PREFIX_BYTES: usize = 256;

/// Suffix of a record's object.
const RECORD_SUFFIX: &str = ".json";

/// Number of hexadecimal digits at the end of a version's key.
const ATTEMPT_DIGITS: usize = 32;

/// The vendor of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketVendor {
    /// Amazon S3, and stores with its API.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// A bucket, and the prefix of all keys in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLocation {
    vendor: BucketVendor,
    /// The storage account; empty for any other vendor than Azure.
    account: String,
    bucket: String,
    /// Without slashes at its ends; empty for the root.
    prefix: String,
}

/// The text is not the URL of a bucket. It omits the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLocation(&'static str);

impl BucketVendor {
    /// Returns the name of the vendor in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::Gcs => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
        }
    }

    /// Returns the scheme of its URLs.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// Returns the vendor's term for a bucket.
    pub(super) fn bucket(self) -> &'static str {
        match self {
            Self::S3 | Self::Gcs => "bucket",
            Self::Azure => "container",
        }
    }
}

impl BucketLocation {
    /// Parses `s3://bucket/prefix`, `gs://bucket/prefix` or `az://account/container/prefix`.
    /// The prefix is optional.
    ///
    /// # Errors
    ///
    /// [`InvalidLocation`] for any other form. A query, a user and `..` are rejected, rather
    /// than ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidLocation> {
        let form = InvalidLocation(
            "must be s3://bucket/prefix, gs://bucket/prefix or az://account/container/prefix",
        );
        let (scheme, rest) = text.split_once("://").ok_or(form)?;
        let vendor = [BucketVendor::S3, BucketVendor::Gcs, BucketVendor::Azure]
            .into_iter()
            .find(|vendor| vendor.scheme() == scheme)
            .ok_or(form)?;
        if rest.contains(['?', '#', '@', '\\', '%']) || rest.contains(char::is_whitespace) {
            return Err(InvalidLocation(
                "must have neither a user nor a query, and no escaped characters",
            ));
        }
        let (account, rest) = match vendor {
            BucketVendor::Azure => rest.split_once('/').ok_or(form)?,
            BucketVendor::S3 | BucketVendor::Gcs => ("", rest),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(vendor, account, bucket)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        check_prefix(prefix)?;
        Ok(Self {
            vendor,
            account: account.to_owned(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// Returns the vendor.
    #[must_use]
    pub fn vendor(&self) -> BucketVendor {
        self.vendor
    }

    /// Returns the name of the bucket, or of the container in Azure.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the storage account; empty for any other vendor than Azure.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the prefix of all keys; empty, or without slashes at its ends.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the URL of an object.
    pub(super) fn url_of(&self, key: &str) -> String {
        format!("{}/{key}", self.root())
    }

    fn root(&self) -> String {
        let scheme = self.vendor.scheme();
        match self.vendor {
            BucketVendor::Azure => format!("{scheme}://{}/{}", self.account, self.bucket),
            BucketVendor::S3 | BucketVendor::Gcs => format!("{scheme}://{}", self.bucket),
        }
    }
}

impl fmt::Display for BucketLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root())?;
        match self.prefix.is_empty() {
            true => Ok(()),
            false => write!(f, "/{}", self.prefix),
        }
    }
}

/// The keys of one organization's objects, as docs/format.md defines them.
#[derive(Clone, Debug)]
pub(super) struct Places {
    root: String,
}

impl Places {
    pub(super) fn new(location: &BucketLocation, organization: &Slug) -> Self {
        Self {
            root: match location.prefix() {
                "" => organization.as_str().to_owned(),
                prefix => format!("{prefix}/{organization}"),
            },
        }
    }

    /// Returns the key of a record's object.
    pub(super) fn record(&self, key: &RecordKey) -> Path {
        Path::from(format!("{}/records/{key}{RECORD_SUFFIX}", self.root))
    }

    /// Returns the folder of the records under `prefix`, or of all records for an empty one.
    pub(super) fn records(&self, prefix: &str) -> Path {
        Path::from(format!("{}/records/{prefix}", self.root))
    }

    /// Returns the record of an object; `None` for an object that is no record.
    pub(super) fn record_key(&self, path: &Path) -> Option<RecordKey> {
        let key = path.as_ref().strip_prefix(&self.root)?;
        let key = key.strip_prefix("/records/")?.strip_suffix(RECORD_SUFFIX)?;
        Some(RecordKey::new(key))
    }

    /// Returns the folder `name` of sealed versions.
    pub(super) fn object(&self, name: &str) -> Path {
        Path::from(format!("{}/objects/{name}", self.root))
    }

    /// Returns the key of a version, whose last segment is `leaf`.
    pub(super) fn version(&self, name: &str, leaf: &str) -> Path {
        Path::from(format!("{}/objects/{name}/{leaf}", self.root))
    }

    /// Returns the key of a probe's object.
    pub(super) fn probe(&self, id: &str) -> Path {
        Path::from(format!("{}/probe/{id}", self.root))
    }

    /// Returns true if the key of a record or a version may end so.
    pub(super) fn may_end_with(suffix: &str) -> bool {
        let is_of_record = suffix.ends_with(RECORD_SUFFIX) || RECORD_SUFFIX.ends_with(suffix);
        // The key of a version ends with the hexadecimal digits of its attempt.
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        is_of_record || suffix.bytes().rev().take(ATTEMPT_DIGITS).all(is_digit)
    }

    /// Returns the organization's part of all keys.
    pub(super) fn root(&self) -> &str {
        &self.root
    }
}

fn check_bucket(vendor: BucketVendor, account: &str, bucket: &str) -> Result<(), InvalidLocation> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edges = |text: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        edge(text.bytes().next()) && edge(text.bytes().last())
    };
    match vendor {
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        BucketVendor::S3 => {
            if bucket.ends_with("--x-s3") {
                return Err(InvalidLocation("must not name a directory bucket"));
            }
            let known = |b: u8| plain(b) || b == b'.';
            let fits = (3..=63).contains(&bucket.len());
            if !(fits && bucket.bytes().all(known) && edges(bucket) && !bucket.contains("..")) {
                return Err(InvalidLocation(
                    "must name a bucket: 3 to 63 of a-z, 0-9, hyphen and dot",
                ));
            }
        }
        // https://cloud.google.com/storage/docs/buckets#naming
        BucketVendor::Gcs => {
            let known = |b: u8| plain(b) || matches!(b, b'.' | b'_');
            let fits = (3..=222).contains(&bucket.len());
            if !(fits && bucket.bytes().all(known) && edges(bucket) && !bucket.contains("..")) {
                return Err(InvalidLocation(
                    "must name a bucket: 3 to 222 of a-z, 0-9, hyphen, underscore and dot",
                ));
            }
        }
        // https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name
        BucketVendor::Azure => {
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            if !((3..=24).contains(&account.len()) && account.bytes().all(known)) {
                return Err(InvalidLocation(
                    "must name a storage account: 3 to 24 of a-z and 0-9",
                ));
            }
            let fits = (3..=63).contains(&bucket.len());
            if !(fits && bucket.bytes().all(plain) && edges(bucket) && !bucket.contains("--")) {
                return Err(InvalidLocation(
                    "must name a container after the storage account: 3 to 63 of a-z, 0-9 and \
                     hyphen",
                ));
            }
        }
    }
    Ok(())
}

fn check_prefix(prefix: &str) -> Result<(), InvalidLocation> {
    if prefix.is_empty() {
        return Ok(());
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'=');
    // Azure rejects segments that end with a dot.
    let segment = |text: &str| !text.is_empty() && !text.ends_with('.') && text.bytes().all(known);
    if prefix.len() > MAX_PREFIX_BYTES || !prefix.split('/').all(segment) {
        return Err(InvalidLocation(
            "must have a prefix of at most 256 letters, digits and . _ - =, whose parts between \
             slashes neither are empty nor end with a dot",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_location_is_read_and_shown_in_the_same_form() {
        for (text, shown) in [
            ("s3://acme-state", "s3://acme-state"),
            ("s3://acme.state/", "s3://acme.state"),
            ("s3://acme-state/a/b_c/", "s3://acme-state/a/b_c"),
            ("gs://acme_state/planton", "gs://acme_state/planton"),
            ("az://acmestate/state", "az://acmestate/state"),
            ("az://acmestate/state/a=b", "az://acmestate/state/a=b"),
        ] {
            let location = BucketLocation::parse(text).unwrap();
            assert_eq!(location.to_string(), shown);
            assert_eq!(BucketLocation::parse(shown).unwrap(), location);
        }
    }

    #[test]
    fn a_text_that_could_lead_elsewhere_is_no_location() {
        for text in [
            "",
            "acme",
            "s3:/acme",
            "s3://",
            "s3://ab",
            "s3://Acme",
            "s3://acme..state",
            "s3://-acme",
            "s3://acme_state",
            "s3://zone--use1-az4--x-s3",
            "S3://acme-state",
            "https://acme-state.s3.amazonaws.com",
            "s3://key:hunter2@acme-state",
            "s3://acme-state?endpoint=http://evil",
            "s3://acme-state/a?b",
            "s3://acme-state/a#b",
            "s3://acme-state/../other",
            "s3://acme-state/a/./b",
            "s3://acme-state//a",
            "s3://acme-state/a//",
            "s3://acme-state/a%2fb",
            "s3://acme-state/a b",
            "s3://acme-state/a.",
            "gs://acme/\u{fc}",
            "az://acmestate",
            "az://acmestate/",
            "az://acme-state/state",
            "az://acmestate/st--ate",
        ] {
            assert!(BucketLocation::parse(text).is_err(), "{text}");
        }
        let long = format!("s3://acme-state/{}", "a".repeat(257));
        assert!(BucketLocation::parse(&long).is_err());
    }

    #[test]
    fn keys_follow_the_published_places() {
        let organization = Slug::parse("acme").unwrap();
        let key = RecordKey::new("secrets/0123");
        for (url, root) in [("s3://acme-state", ""), ("gs://acme-state/tf/x", "tf/x/")] {
            let location = BucketLocation::parse(url).unwrap();
            let places = Places::new(&location, &organization);
            let record = places.record(&key);
            assert_eq!(
                record.as_ref(),
                format!("{root}acme/records/secrets/0123.json")
            );
            assert_eq!(places.record_key(&record), Some(key.clone()));
            assert_eq!(
                places.version("planton/acme/org/db-1", "1-ab").as_ref(),
                format!("{root}acme/objects/planton/acme/org/db-1/1-ab")
            );
            let stray = Path::from(format!("{root}acme/records/secrets/0123"));
            assert_eq!(places.record_key(&stray), None);
        }
    }
}
