//! Maps failed requests to errors of the catalog and of the store, with their remedies.

use super::client::{Client, Fault, FaultKind};
use super::location::BucketVendor;
use super::policy::{Operation, grant, policy_text};
use planton_core::catalog::CatalogErrorKind;
use planton_core::error::{Error, ErrorKind};
use planton_core::store::StoreErrorKind;

/// A kind of error that failed requests map to.
pub(super) trait Kind: ErrorKind {
    /// Returns the kind for a failure.
    fn of(kind: FaultKind) -> Self;
}

impl Kind for CatalogErrorKind {
    fn of(kind: FaultKind) -> Self {
        use FaultKind as K;
        match kind {
            K::Refused => Self::Conflict,
            K::Denied | K::KeyDenied | K::Firewall => Self::PermissionDenied,
            K::Skewed | K::Unauthenticated | K::Expired => Self::Unauthenticated,
            K::RateLimited => Self::RateLimited,
            K::Busy | K::NotSent | K::Unavailable | K::Ended => Self::Unavailable,
            K::NotFound | K::Unexpected => Self::Unexpected,
            K::NoBucket
            | K::WrongRegion
            | K::Protected
            | K::Archived
            | K::Untrusted
            | K::Misconfigured => Self::Misconfigured,
        }
    }
}

impl Kind for StoreErrorKind {
    fn of(kind: FaultKind) -> Self {
        use FaultKind as K;
        match kind {
            K::NotFound => Self::NotFound,
            K::Refused => Self::Conflict,
            K::Denied | K::KeyDenied | K::Firewall => Self::PermissionDenied,
            K::Skewed | K::Unauthenticated | K::Expired => Self::Unauthenticated,
            K::RateLimited => Self::RateLimited,
            K::Busy | K::NotSent | K::Unavailable | K::Ended => Self::Unavailable,
            K::Unexpected => Self::Unexpected,
            K::NoBucket
            | K::WrongRegion
            | K::Protected
            | K::Archived
            | K::Untrusted
            | K::Misconfigured => Self::Misconfigured,
        }
    }
}

/// Maps a failure of `operation` on the object `key`, in the organization's folder.
pub(super) fn explain<K: Kind>(
    client: &Client,
    fault: Fault,
    operation: Operation,
    (folder, key): (&str, &str),
) -> Error<K> {
    let location = client.settings().location();
    let name = operation.name(location.vendor());
    // A write that may have been executed has no final outcome, whatever failed later.
    let kind = match fault.is_in_doubt && operation == Operation::Put {
        true => FaultKind::Unavailable,
        false => fault.kind,
    };
    let mut explained = Error::new(K::of(kind), name, location.url_of(key));
    if let Some(remedy) = remedy(client, &fault, operation, folder) {
        explained = explained.with_remedy(remedy);
    }
    if let Some(setting) = setting(client, &fault) {
        explained = explained.with_setting(setting);
    }
    explained.with_source(fault)
}

/// Returns the setting that is the likely cause.
fn setting(client: &Client, fault: &Fault) -> Option<&'static str> {
    let settings = client.settings();
    let address = match settings.endpoint {
        Some(_) => "endpoint",
        None => "url",
    };
    Some(match fault.kind {
        FaultKind::NoBucket => "url",
        FaultKind::WrongRegion => "region",
        FaultKind::NotSent | FaultKind::Untrusted | FaultKind::Unexpected => address,
        _ => return None,
    })
}

fn remedy(client: &Client, fault: &Fault, operation: Operation, folder: &str) -> Option<String> {
    use FaultKind as K;
    if let Some(remedy) = &fault.remedy {
        return Some(remedy.clone());
    }
    let settings = client.settings();
    let location = settings.location();
    let vendor = location.vendor();
    Some(match fault.kind {
        K::Denied => format!(
            "{}\n\nThe policy of the role:\n{}",
            grant(settings, operation, folder),
            policy_text(settings, folder, operation.role())
        ),
        K::KeyDenied => format!(
            "The bucket {} encrypts with a key of AWS KMS. Grant kms:GenerateDataKey and \
             kms:Decrypt on that key to the identity in use, in the key's policy as well.",
            location.bucket()
        ),
        K::Firewall => format!(
            "The network rules of {location} block this machine. Add its address, or run where \
             the private endpoint can be reached."
        ),
        K::Skewed => "The clock of this machine differs from the server's by more than 15 \
                      minutes, so signatures are rejected. Set the clock, and enable time \
                      synchronization (NTP)."
            .to_owned(),
        K::Unauthenticated | K::Expired => credential(vendor).to_owned(),
        K::NoBucket => format!(
            "The {} {} does not exist, or is not in this account. Create it, or change url.",
            vendor.bucket(),
            location.bucket()
        ),
        K::WrongRegion => match &fault.region {
            Some(region) => format!(
                "The bucket {} is in the Region {region}. Set region = \"{region}\".",
                location.bucket()
            ),
            None => format!(
                "The bucket {} is in another Region. Set region to that of the bucket.",
                location.bucket()
            ),
        },
        K::Protected => "A retention policy, a hold or a lease forbids to replace or delete this \
                         object. Exclude the prefix of the platform from it: records are replaced \
                         at each change."
            .to_owned(),
        K::Archived => "The object is in an archive tier. Restore it, and exclude the prefix of \
                        the platform from the lifecycle rule."
            .to_owned(),
        K::RateLimited => format!(
            "{} is rate limiting requests. Raise the resource's timeouts, or lower -parallelism.",
            vendor.name()
        ),
        K::NotSent => format!(
            "Check url and endpoint, and that {} can be reached from this machine.",
            vendor.name()
        ),
        K::Untrusted => {
            "The certificate is not trusted. Check endpoint, and the proxy in between.".to_owned()
        }
        K::Unexpected if operation == Operation::List => format!(
            "Check endpoint if it is set: the store must support version 2 of S3's listing. An \
             object below {folder} whose key has an empty part (a//b) or a part of dots also \
             fails a listing; remove it."
        ),
        K::Unexpected => {
            "Check endpoint if it is set, and any proxy or gateway in between.".to_owned()
        }
        K::Busy | K::Unavailable | K::Ended | K::NotFound | K::Refused | K::Misconfigured => {
            return None;
        }
    })
}

fn credential(vendor: BucketVendor) -> &'static str {
    match vendor {
        BucketVendor::S3 => {
            "S3 rejects the credentials in use. Check access_key_id and secret_access_key, or the \
             credentials of AWS's default chain."
        }
        BucketVendor::Gcs => {
            "Google rejects the credentials in use. Check service_account_key_json, or the \
             Application Default Credentials."
        }
        BucketVendor::Azure => {
            "Azure rejects the token. Check tenant_id and client_id, and that the account belongs \
             to that tenant."
        }
    }
}
