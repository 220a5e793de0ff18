//! Azure Blob Storage: Azurite.

use xtask::faults::Fault;

use super::{Refusal, Service};

/// With azure-identity, and the REST API.
const READER: &str = r#"
import json, os, re, sys, requests
from azure.identity import ClientSecretCredential
endpoint, container = sys.argv[1:]
credential = ClientSecretCredential(*(os.environ["AZURE_" + name]
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")),
    authority=os.environ["AUTHORITY"], disable_instance_discovery=True)
token = credential.get_token("https://storage.azure.com/.default").token
headers = {"Authorization": "Bearer " + token, "x-ms-version": "2022-11-02"}
def get(path):
    answer = requests.get(f"{endpoint}/{container}{path}", headers=headers)
    answer.raise_for_status()
    return answer
def seen(key):
    answer, prefix = get("/" + key), "x-ms-meta-"
    names = [name for name in answer.headers if name.lower().startswith(prefix)]
    metadata = {name[len(prefix):].lower(): answer.headers[name] for name in names}
    return {"key": key, "content": answer.text, "metadata": metadata}
listed = get("?restype=container&comp=list").text
print(json.dumps([seen(key) for key in re.findall("<Name>([^<]*)</Name>", listed)]))
"#;

pub(super) struct Azure;

impl Service for Azure {
    fn reader(&self) -> &'static str {
        READER
    }

    /// <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>
    fn own_faults(&self) -> Vec<Fault> {
        let timeout = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>OperationTimedOut\
                       </Code><Message>The operation could not be completed within the \
                       permitted time.</Message></Error>";
        vec![
            Fault::status(500)
                .with_header("x-ms-error-code", "OperationTimedOut")
                .with_header("content-type", "application/xml")
                .with_body(timeout),
        ]
    }

    /// The first one is that of a creation, and the second one that of an update.
    fn refusals(&self) -> [Refusal; 2] {
        let exists = Refusal {
            status: 409,
            code: "BlobAlreadyExists",
        };
        let failed = Refusal {
            status: 412,
            code: "ConditionNotMet",
        };
        [exists, failed]
    }
}
