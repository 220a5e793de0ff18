//! Amazon S3: moto behind its front.

use xtask::faults::Fault;

use super::Service;

/// With boto3, which takes its credential from the environment.
const READER: &str = r#"
import boto3, json, os, sys
endpoint, bucket = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name=os.environ["AWS_REGION"])
def seen(key):
    read = s3.get_object(Bucket=bucket, Key=key)
    return {"key": key, "content": read["Body"].read().decode(), "metadata": read["Metadata"]}
listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
print(json.dumps([seen(each["Key"]) for each in listed]))
"#;

pub(super) struct S3;

impl Service for S3 {
    fn reader(&self) -> &'static str {
        READER
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>
    fn own_faults(&self) -> Vec<Fault> {
        let conflict = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>\
                        ConditionalRequestConflict</Code><Message>A conflicting operation \
                        occurred.</Message></Error>";
        vec![
            Fault::status(409)
                .with_header("content-type", "application/xml")
                .with_body(conflict),
        ]
    }
}
