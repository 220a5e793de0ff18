//! The arguments of the provider's `bucket` block.

use super::location::BucketVendor;
use crate::aws::fields as aws;
use crate::azure::registration as azure;
use crate::gcp::registration as gcp;
use crate::registration::Field;

/// The arguments of the `bucket` block, besides `encryption`.
///
/// Those of a credential have the names and the meaning that they have in the backend of the
/// same vendor. They stand in the provider block, which no state contains, so they are
/// sensitive rather than write-only.
pub static BUCKET_FIELDS: &[Field] = &[
    Field::text(
        "url",
        "URL of the bucket and of an optional prefix in it: `s3://bucket/prefix`, \
         `gs://bucket/prefix` or `az://account/container/prefix`.",
    )
    .example("s3://example-bucket/planton")
    .required()
    .variables(&["PLANTON_BUCKET_URL"]),
    Field::text(
        "region",
        "AWS Region of the bucket, such as `eu-central-1`. Without it, the Region of the \
         environment or of the profile.",
    )
    .example("eu-central-1")
    .variables(&["PLANTON_BUCKET_REGION"]),
    Field::text(
        "endpoint",
        "URL of a private endpoint, of a store with the API of S3, or of an emulator, to use \
         instead of the vendor's public endpoint. The bucket is part of the path.",
    )
    .example("https://example.invalid")
    .variables(&["PLANTON_BUCKET_ENDPOINT"]),
    aws::ACCESS_KEY_ID.described(
        "Access key ID of a static credential for S3. Requires `secret_access_key`.",
    ),
    aws::SECRET_ACCESS_KEY.in_configuration("secret_access_key").described(
        "Secret access key of a static credential for S3. Without it, the provider uses AWS's \
         default credential chain.",
    ),
    aws::SESSION_TOKEN
        .in_configuration("session_token")
        .described("Session token of temporary credentials for S3."),
    aws::ASSUME_ROLE_ARN,
    aws::EXTERNAL_ID,
    aws::PROFILE,
    gcp::SERVICE_ACCOUNT_KEY.in_configuration("service_account_key_json").described(
        "Key of a service account for Google Cloud Storage, in JSON. Without it, the provider \
         uses Application Default Credentials.",
    ),
    gcp::IMPERSONATE_SERVICE_ACCOUNT,
    azure::TENANT_ID,
    azure::CLIENT_ID,
    azure::CLIENT_SECRET.in_configuration("client_secret").described(
        "Client secret of the application for Azure Blob Storage. Without it, the provider uses \
         the ambient credential chain, or the credential that one of the `use_…` arguments \
         selects.",
    ),
    azure::USE_MSI,
    azure::USE_CLI,
    azure::USE_OIDC,
    azure::AUTHORITY_HOST,
];

/// Returns the vendor whose buckets take an argument; `None` if all do.
pub(super) fn vendor_of(argument: &str) -> Option<BucketVendor> {
    Some(match argument {
        "region" | "access_key_id" | "secret_access_key" | "session_token" | "assume_role_arn"
        | "external_id" | "profile" => BucketVendor::S3,
        "service_account_key_json" | "impersonate_service_account" => BucketVendor::Gcs,
        "tenant_id" | "client_id" | "client_secret" | "use_msi" | "use_cli" | "use_oidc"
        | "authority_host" => BucketVendor::Azure,
        _ => return None,
    })
}

/// Returns an example of a URL of each vendor whose buckets take all of these arguments; of each
/// vendor if no vendor's buckets take all.
#[must_use]
pub fn example_urls(arguments: &[&str]) -> Vec<&'static str> {
    let takes = |vendor: BucketVendor| {
        let mut vendors = arguments.iter().filter_map(|argument| vendor_of(argument));
        vendors.all(|of| of == vendor)
    };
    let examples = [
        (BucketVendor::S3, "s3://example-bucket/planton"),
        (BucketVendor::Gcs, "gs://example-bucket/planton"),
        (BucketVendor::Azure, "az://exampleaccount/container/planton"),
    ];
    let all = examples.iter();
    let taking: Vec<_> = all.clone().filter(|(vendor, _)| takes(*vendor)).collect();
    match taking.is_empty() {
        true => all.map(|(_, url)| *url).collect(),
        false => taking.into_iter().map(|(_, url)| *url).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_is_of_one_vendor_or_says_where_the_bucket_is() {
        for field in BUCKET_FIELDS {
            let is_place = ["url", "endpoint"].contains(&field.name);
            assert_eq!(vendor_of(field.name).is_none(), is_place, "{}", field.name);
            assert!(!field.name.ends_with("_wo"), "{}", field.name);
            assert!(!field.description.contains("_wo"), "{}", field.name);
        }
    }

    #[test]
    fn example_urls_are_of_the_vendors_that_take_the_arguments() {
        let schemes = |arguments: &[&str]| -> Vec<_> {
            let urls = example_urls(arguments).into_iter();
            urls.map(|url| url.split_once("://").expect("a URL").0)
                .collect()
        };
        assert_eq!(schemes(&["endpoint"]), ["s3", "gs", "az"]);
        assert_eq!(schemes(&["endpoint", "tenant_id"]), ["az"]);
        assert_eq!(schemes(&["region"]), ["s3"]);
        assert_eq!(schemes(&["region", "tenant_id"]), ["s3", "gs", "az"]);
        for url in example_urls(&[]) {
            assert!(super::super::BucketLocation::parse(url).is_ok(), "{url}");
        }
    }
}
