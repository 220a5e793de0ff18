//! Amazon S3: moto behind its front.

use xtask::faults::Fault;

use super::{Refusal, Service};

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

/// A concurrent write of the same object is under way:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>
const BUSY: Refusal = Refusal {
    status: 409,
    code: "ConditionalRequestConflict",
};

pub(super) struct S3;

impl Service for S3 {
    fn reader(&self) -> &'static str {
        READER
    }

    fn own_faults(&self) -> Vec<Fault> {
        vec![BUSY.of_nothing()]
    }

    fn refusals(&self) -> [Refusal; 2] {
        let failed = Refusal {
            status: 412,
            code: "PreconditionFailed",
        };
        [BUSY, failed]
    }
}
