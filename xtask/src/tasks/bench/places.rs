//! The platforms that the benchmarks run on, each with a server of its own.

use std::any::Any;

use anyhow::{Context, Result};
use xtask::bucket::{BucketServer, BucketService};
use xtask::latency::LatencyRelay;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::tools::Tools;

use super::platforms::ROUND_TRIP;

const PREFIX: &str = "terraform/planton";

/// A running platform.
pub(super) struct Place {
    /// What the page calls it.
    pub(super) name: &'static str,
    /// The host and the port of each server that takes part in the life of a secret.
    servers: Vec<String>,
    /// The argument of the provider block.
    argument: String,
    /// Environment variables of Terraform.
    pub(super) environment: Vec<(&'static str, String)>,
    _server: Box<dyn Any>,
}

/// A way to the servers of a platform.
pub(super) struct Way {
    /// The argument of the provider block.
    pub(super) argument: String,
    _relays: Vec<LatencyRelay>,
}

impl Place {
    /// Returns whether anything goes over a network.
    pub(super) fn has_a_network(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Returns a direct way, or one with a round trip.
    ///
    /// # Errors
    ///
    /// If a relay does not start.
    pub(super) fn way(&self, is_far: bool) -> Result<Way> {
        let mut argument = self.argument.clone();
        let mut relays = Vec::new();
        for server in self.servers.iter().filter(|_| is_far) {
            let relay = LatencyRelay::start(server, ROUND_TRIP)?;
            argument = relay.in_place_of_the_server(&argument);
            relays.push(relay);
        }
        Ok(Way {
            argument,
            _relays: relays,
        })
    }
}

/// Starts a platform.
pub(super) type Start = fn(&Tools) -> Result<Place>;

/// The platforms, in the order of the page.
pub(super) const ALL: [Start; 5] = [embedded, openbao, s3, gcs, azure];

/// The platform without a server.
pub(super) fn embedded(_: &Tools) -> Result<Place> {
    let folder = tempfile::tempdir().context("a folder for the embedded platform")?;
    let path = folder.path().join("platform");
    Ok(Place {
        name: "the embedded platform",
        servers: Vec::new(),
        argument: format!("embedded = {{ path = {path:?} }}"),
        environment: Vec::new(),
        _server: Box::new(folder),
    })
}

/// A real OpenBAO.
pub(super) fn openbao(tools: &Tools) -> Result<Place> {
    let server = OpenBao::start(tools, &ServerOptions::default())?;
    server.api().enable_kv2("planton")?;
    server.api().enable_transit("transit")?;
    let (address, token) = (server.address(), server.root_token());
    Ok(Place {
        name: "OpenBAO (real server)",
        servers: vec![host_of(address)?],
        argument: format!("openbao = {{ address = {address:?}, token = {token:?} }}"),
        environment: Vec::new(),
        _server: Box::new(server),
    })
}

fn s3(tools: &Tools) -> Result<Place> {
    let server = BucketServer::start(tools, BucketService::S3)?;
    bucket("S3 (moto behind a front)", server)
}

fn gcs(tools: &Tools) -> Result<Place> {
    let server = BucketServer::start(tools, BucketService::Gcs)?;
    bucket("Google Cloud Storage (fake)", server)
}

fn azure(tools: &Tools) -> Result<Place> {
    let server = BucketServer::start(tools, BucketService::Azure)?;
    bucket("Azure Blob Storage (Azurite)", server)
}

/// Uses a bucket of the server, with a key file.
fn bucket(name: &'static str, server: BucketServer) -> Result<Place> {
    let folder = tempfile::tempdir().context("a folder for the key file")?;
    let file = folder.path().join("planton.key");
    let (arguments, environment, endpoint) = {
        let bucket = server.create("bench")?;
        let variables = bucket.variables();
        // The bucket's file of authorities ends with it.
        let environment = variables.into_iter().map(|(name, path)| {
            let kept = folder.path().join("ca.pem");
            std::fs::copy(&path, &kept).context("keeping the authorities")?;
            Ok((name, kept.display().to_string()))
        });
        let environment = environment.collect::<Result<Vec<_>>>()?;
        (
            bucket.arguments(PREFIX),
            environment,
            bucket.endpoint().to_owned(),
        )
    };
    Ok(Place {
        name,
        servers: vec![host_of(&endpoint)?],
        argument: format!(
            "bucket = {{\n{arguments}encryption = {{\nkey_file = {{ path = {file:?} }}\n}}\n}}"
        ),
        environment,
        _server: Box::new((server, folder)),
    })
}

fn host_of(url: &str) -> Result<String> {
    let host = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .context("the URL has no host")?;
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_way_leads_to_the_relay_and_a_near_one_to_the_server() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let server = listener.local_addr().expect("has an address").to_string();
        let place = Place {
            name: "a server",
            servers: vec![server.clone()],
            argument: format!("address = \"http://{server}\""),
            environment: Vec::new(),
            _server: Box::new(listener),
        };
        assert_eq!(place.way(false).expect("a way").argument, place.argument);
        let far = place.way(true).expect("a way").argument;
        assert!(!far.contains(&server), "{far}");
        assert!(far.starts_with("address = \"http://127.0.0.1:"), "{far}");
    }

    #[test]
    fn the_host_is_that_of_the_url() {
        assert_eq!(host_of("https://a.b:1/c").expect("a host"), "a.b:1");
        assert!(host_of("a.b").is_err());
    }
}
