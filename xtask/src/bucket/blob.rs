//! An account of Azure Blob Storage: Azurite, a proxy that verifies tokens, and the
//! authority that issues them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use super::Metadata;
use crate::azure::{AzureFake, AzureFakeOptions};
use crate::azurite::Azurite;
use crate::faults::{FaultProxy, ProxyOptions};
use crate::tools::Tools;

const BOUND: Duration = Duration::from_secs(60);
const VERSION: &str = "2022-11-02";

#[derive(Debug)]
pub(super) struct BlobAccount {
    azurite: Azurite,
    authority: AzureFake,
    front: FaultProxy,
    client_secret: String,
    agent: Agent,
}

impl BlobAccount {
    pub(super) fn start(tools: &Tools) -> Result<Self> {
        let azurite = Azurite::start(tools)?;
        let options = AzureFakeOptions::default();
        let client_secret = options.client_secret.clone();
        let authority = AzureFake::start(tools, options)?;
        let front = ProxyOptions::to(azurite.address());
        let front = front.as_blob_account(&authority.machine_url()).with_tls();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(BOUND));
        Ok(Self {
            front: FaultProxy::start(&front)?,
            azurite,
            authority,
            client_secret,
            agent: agent.build().into(),
        })
    }

    pub(super) fn authority(&self) -> &AzureFake {
        &self.authority
    }

    pub(super) fn endpoint(&self) -> &str {
        self.front.address()
    }

    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Returns the file with the authority of the endpoint's certificate.
    pub(super) fn ca_file(&self) -> Result<&Path> {
        self.front.ca_file().context("the endpoint has TLS")
    }

    /// Returns the authorities of the endpoint and of the token service, in PEM.
    pub(super) fn authorities(&self) -> Result<String> {
        let front = self.front.ca_pem().context("the endpoint has TLS")?;
        Ok(format!("{}\n{front}", self.authority.ca_pem()?))
    }

    pub(super) fn create_container(&self, name: &str) -> Result<()> {
        let answer = self.send("PUT", &format!("/{name}?restype=container"), &[], b"")?;
        ensure!(answer.status() == 201, "no container: {}", answer.status());
        Ok(())
    }

    pub(super) fn objects(&self, container: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let target = format!("/{container}?restype=container&comp=list");
        let text = self
            .send("GET", &target, &[], b"")?
            .body_mut()
            .read_to_string()?;
        // Tests list fewer than a page of 5,000.
        ensure!(text.contains("<NextMarker/>"), "more than a page");
        let names = text.split("<Name>").skip(1);
        let names = names.filter_map(|rest| Some(rest.split_once("</Name>")?.0.to_owned()));
        names
            .map(|name| {
                let mut answer = self.send("GET", &format!("/{container}/{name}"), &[], b"")?;
                ensure!(answer.status() == 200, "{name}: {}", answer.status());
                let content = answer.body_mut().read_to_vec()?;
                Ok((name, content))
            })
            .collect()
    }

    pub(super) fn overwrite(
        &self,
        container: &str,
        key: &str,
        content: &[u8],
        metadata: Metadata,
    ) -> Result<()> {
        let target = format!("/{container}/{key}");
        let before = self.send("HEAD", &target, &[], b"")?;
        ensure!(before.status() == 200, "{key}: {}", before.status());
        let mut headers = vec![("x-ms-blob-type", "BlockBlob")];
        for (name, value) in before.headers() {
            if metadata == Metadata::Kept && name.as_str().starts_with("x-ms-meta-") {
                headers.push((name.as_str(), value.to_str().context("metadata")?));
            }
        }
        let answer = self.send("PUT", &target, &headers, content)?;
        ensure!(answer.status() == 201, "{key}: {}", answer.status());
        Ok(())
    }

    pub(super) fn remove(&self, container: &str, key: &str) -> Result<()> {
        let answer = self.send("DELETE", &format!("/{container}/{key}"), &[], b"")?;
        ensure!(answer.status() == 202, "{key}: {}", answer.status());
        Ok(())
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        content: &[u8],
    ) -> Result<Response<Body>> {
        let sign = if target.contains('?') { '&' } else { '?' };
        let (account, signature) = (Azurite::ACCOUNT, Azurite::SIGNATURE);
        let url = format!(
            "{}/{account}{target}{sign}{signature}",
            self.azurite.address()
        );
        let mut request = Request::builder().method(method).uri(url);
        request = request.header("x-ms-version", VERSION);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match method {
            "PUT" => self.agent.run(request.body(content)?),
            _ => self.agent.run(request.body(())?),
        };
        answer.with_context(|| format!("{method} of a blob"))
    }
}
