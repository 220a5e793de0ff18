//! Responses that a proxy gives in place of a server.

/// Words beside a status that no client knows.
const REASON: &str = "Scripted";

/// A scripted response.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    pub(super) status: u16,
    /// The words beside the status.
    pub(super) reason: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Scripted {
    /// Returns a status without a body.
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            reason: REASON,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            reason: REASON,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// Returns an error of Azure Blob Storage:
    /// <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>
    pub(super) fn blob_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code>\
             <Message>The proxy refused it.</Message></Error>"
        );
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            status,
            reason: REASON,
            headers: vec![
                header("content-type", "application/xml"),
                header("x-ms-error-code", code),
            ],
            body,
        }
    }

    pub(super) fn to_bytes(&self, method: &str) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        if method != "HEAD" && self.status != 204 {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}
