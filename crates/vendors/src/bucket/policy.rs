//! The permissions that each vendor requires. Errors and the documentation print the same
//! text.

use super::location::BucketVendor;
use super::settings::{Access, BucketSettings};

/// The tasks of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BucketRole {
    /// Writes and deletes, as an apply does.
    Write,
    /// Reads, as a plan and a refresh do.
    Read,
}

/// A request to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Creates or replaces an object.
    Put,
    /// Reads an object.
    Get,
    /// Reads the metadata of an object.
    Head,
    /// Lists objects.
    List,
    /// Deletes an object.
    Delete,
}

impl Operation {
    /// Returns the least role that may do it.
    pub(super) fn role(self) -> BucketRole {
        match self {
            Self::Put | Self::Delete => BucketRole::Write,
            Self::Get | Self::Head | Self::List => BucketRole::Read,
        }
    }

    /// Returns the vendor's name of the operation.
    pub(super) fn name(self, vendor: BucketVendor) -> &'static str {
        match (vendor, self) {
            (BucketVendor::S3, Self::Put) => "PutObject",
            (BucketVendor::S3, Self::Get) => "GetObject",
            (BucketVendor::S3, Self::Head) => "HeadObject",
            (BucketVendor::S3, Self::List) => "ListObjectsV2",
            (BucketVendor::S3, Self::Delete) => "DeleteObject",
            (BucketVendor::Gcs, Self::Put) => "objects.insert",
            (BucketVendor::Gcs, Self::Get | Self::Head) => "objects.get",
            (BucketVendor::Gcs, Self::List) => "objects.list",
            (BucketVendor::Gcs, Self::Delete) => "objects.delete",
            (BucketVendor::Azure, Self::Put) => "Put Blob",
            (BucketVendor::Azure, Self::Get) => "Get Blob",
            (BucketVendor::Azure, Self::Head) => "Get Blob Properties",
            (BucketVendor::Azure, Self::List) => "List Blobs",
            (BucketVendor::Azure, Self::Delete) => "Delete Blob",
        }
    }
}

/// Returns the grant that a denied operation below `folder` lacks.
pub(super) fn grant(settings: &BucketSettings, operation: Operation, folder: &str) -> String {
    let location = settings.location();
    let bucket = location.bucket();
    match location.vendor() {
        BucketVendor::S3 => {
            let arn = format!("arn:{}:s3:::{bucket}", partition(settings));
            let objects = format!("{arn}/{folder}/*");
            match operation {
                Operation::Put => {
                    format!("Grant s3:PutObject on {objects} to the identity in use.")
                }
                // Without s3:ListBucket, S3 answers 403 for an object that does not exist:
                // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
                Operation::Get | Operation::Head => format!(
                    "Grant s3:GetObject on {objects}, and s3:ListBucket on {arn}, to the identity \
                     in use. Without s3:ListBucket, S3 denies the read of an object that does not \
                     exist."
                ),
                Operation::List => format!("Grant s3:ListBucket on {arn} to the identity in use."),
                Operation::Delete => {
                    format!("Grant s3:DeleteObject on {objects} to the identity in use.")
                }
            }
        }
        BucketVendor::Gcs => {
            let permissions = match operation {
                // To replace an object takes the permission to delete it:
                // https://cloud.google.com/storage/docs/access-control/iam-permissions
                Operation::Put => "storage.objects.create and storage.objects.delete",
                Operation::Get | Operation::Head => "storage.objects.get",
                Operation::List => "storage.objects.list",
                Operation::Delete => "storage.objects.delete",
            };
            let role = match operation {
                Operation::Put | Operation::Delete => "roles/storage.objectUser",
                Operation::Get | Operation::Head | Operation::List => "roles/storage.objectViewer",
            };
            format!(
                "Grant {permissions} ({role}) on the bucket {bucket} to the account in use. A \
                 grant takes some minutes to apply."
            )
        }
        BucketVendor::Azure => {
            let (action, role) = match operation {
                Operation::Put => ("write", "Storage Blob Data Contributor"),
                Operation::Delete => ("delete", "Storage Blob Data Contributor"),
                Operation::Get | Operation::Head | Operation::List => {
                    ("read", "Storage Blob Data Reader")
                }
            };
            format!(
                "Grant the data action Microsoft.Storage/storageAccounts/blobServices/containers/\
                 blobs/{action} ({role}) on the container {bucket} of {} to the identity in use. A \
                 grant takes up to ten minutes to apply.",
                location.account()
            )
        }
    }
}

/// Returns the policy that a role needs for the objects below `folder`.
pub(super) fn policy_text(settings: &BucketSettings, folder: &str, role: BucketRole) -> String {
    let location = settings.location();
    match location.vendor() {
        BucketVendor::S3 => s3_policy(settings, folder, role),
        BucketVendor::Gcs => {
            let role = match role {
                BucketRole::Write => "roles/storage.objectUser",
                BucketRole::Read => "roles/storage.objectViewer",
            };
            format!(
                "gcloud storage buckets add-iam-policy-binding gs://{} \\\n  --role={role} \
                 --member=MEMBER\n",
                location.bucket()
            )
        }
        BucketVendor::Azure => {
            let role = match role {
                BucketRole::Write => "Storage Blob Data Contributor",
                BucketRole::Read => "Storage Blob Data Reader",
            };
            format!(
                "az role assignment create --role \"{role}\" --assignee PRINCIPAL \\\n  --scope \
                 \"$(az storage account show --name {} --query id --output \
                 tsv)/blobServices/default/containers/{}\"\n",
                location.account(),
                location.bucket()
            )
        }
    }
}

fn s3_policy(settings: &BucketSettings, folder: &str, role: BucketRole) -> String {
    let location = settings.location();
    let arn = format!("arn:{}:s3:::{}", partition(settings), location.bucket());
    let actions: &[&str] = match role {
        BucketRole::Write => &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        BucketRole::Read => &["s3:GetObject"],
    };
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": actions,
                "Resource": format!("{arn}/{folder}/*"),
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": arn,
            },
        ],
    });
    format!("{policy:#}\n")
}

/// Returns the AWS partition of the bucket's Region.
fn partition(settings: &BucketSettings) -> &'static str {
    match &settings.access {
        Access::S3(identity) => match identity.region.as_deref().unwrap_or_default() {
            cn if cn.starts_with("cn-") => "aws-cn",
            gov if gov.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        },
        Access::Gcs { .. } | Access::Azure { .. } => "aws",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use planton_core::store::StoreCredential;

    fn settings(url: &str) -> BucketSettings {
        let configuration = [("url".to_owned(), url.into())].into();
        BucketSettings::read(&configuration, &StoreCredential::new()).unwrap()
    }

    #[test]
    fn a_grant_names_the_permission_and_the_resource() {
        for (url, operation, expected) in [
            (
                "s3://acme-state/a",
                Operation::Put,
                "s3:PutObject on arn:aws:s3:::acme-state/a/org/*",
            ),
            (
                "s3://acme-state/a",
                Operation::Head,
                "s3:ListBucket on arn:aws:s3:::acme-state,",
            ),
            (
                "gs://acme-state/a",
                Operation::Put,
                "storage.objects.delete",
            ),
            (
                "gs://acme-state/a",
                Operation::List,
                "roles/storage.objectViewer",
            ),
            (
                "az://acmestate/state",
                Operation::Delete,
                "blobs/delete (Storage Blob Data Contributor)",
            ),
        ] {
            let text = grant(&settings(url), operation, "a/org");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn the_policy_of_s3_covers_the_folder_and_no_other() {
        let text = policy_text(&settings("s3://state/tf"), "tf/acme", BucketRole::Write);
        insta::assert_snapshot!(text, @r#"
        {
          "Statement": [
            {
              "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject"
              ],
              "Effect": "Allow",
              "Resource": "arn:aws:s3:::state/tf/acme/*"
            },
            {
              "Action": "s3:ListBucket",
              "Effect": "Allow",
              "Resource": "arn:aws:s3:::state"
            }
          ],
          "Version": "2012-10-17"
        }
        "#);
        let read = policy_text(&settings("gs://state"), "acme", BucketRole::Read);
        assert!(read.contains("roles/storage.objectViewer"), "{read}");
    }
}
