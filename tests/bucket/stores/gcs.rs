//! Google Cloud Storage: a fake.

use xtask::faults::{Fault, Match};

use super::{Refusal, Service};

const CONDITION: &str = "x-goog-if-generation-match";

/// With google-cloud-storage.
const READER: &str = r#"
import json, os, sys
from google.api_core.client_options import ClientOptions
from google.cloud import storage
from google.oauth2.credentials import Credentials
endpoint, bucket = sys.argv[1:]
client = storage.Client(project="acme", credentials=Credentials(token=os.environ["TOKEN"]),
    client_options=ClientOptions(api_endpoint=endpoint))
def seen(blob):
    content = blob.download_as_bytes().decode()
    return {"key": blob.name, "content": content, "metadata": blob.metadata or {}}
print(json.dumps([seen(blob) for blob in client.list_blobs(bucket)]))
"#;

pub(super) struct Gcs;

impl Service for Gcs {
    fn creations(&self) -> Match {
        // A generation has more digits.
        let updates = (1..10).map(|digit| Match::header(CONDITION, &digit.to_string()));
        let creations = Match::method("PUT").and(Match::header(CONDITION, "0"));
        updates.fold(creations, Match::but_not)
    }

    fn updates(&self) -> Match {
        let updates = Match::method("PUT").and(Match::header(CONDITION, ""));
        updates.but_not(self.creations())
    }

    fn reader(&self) -> &'static str {
        READER
    }

    /// <https://cloud.google.com/storage/docs/retry-strategy#retryable>
    fn own_faults(&self) -> Vec<Fault> {
        vec![Fault::status(408)]
    }

    /// Google lists no 409 for the write of an object, only for buckets. A gateway in between
    /// may send one, and it proves nothing:
    /// <https://cloud.google.com/storage/docs/xml-api/reference-status>
    fn refusals(&self) -> [Refusal; 2] {
        let of_gateway = Refusal {
            status: 409,
            code: "Conflict",
        };
        let failed = Refusal {
            status: 412,
            code: "PreconditionFailed",
        };
        [of_gateway, failed]
    }
}
