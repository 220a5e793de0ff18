//! Buckets of the three vendors, for tests of the bucket platform.
//!
//! S3 is moto behind its strict front, Azure Blob Storage is Azurite behind a proxy that
//! verifies tokens, and Google Cloud Storage is a fake. Each runs with the service that
//! issues or verifies its credentials, which also has keys of the vendor's KMS.
//!
//! ```no_run
//! use xtask::bucket::{BucketServer, BucketService};
//! use xtask::tools::Tools;
//!
//! let server = BucketServer::start(&Tools::locate()?, BucketService::S3)?;
//! let bucket = server.create("state")?;
//! println!("{}", bucket.arguments("some/prefix"));
//! # anyhow::Ok(())
//! ```

mod blob;
mod console;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::azure::AzureFake;
use crate::faults::{FaultProxy, ProxyOptions, Weakness};
use crate::gcp::GcpFake;
use crate::gcs::GcsFake;
use crate::moto::Moto;
use crate::tools::Tools;
use blob::BlobAccount;
pub use console::Metadata;

/// The access key of the S3 server, and its secret.
const ACCESS_KEY: (&str, &str) = ("AKIABUCKETS", "a/secret+access/key");
const EMAIL: &str = "ci@acme.iam.gserviceaccount.com";
const ACCOUNT: &str = "acmestate";

/// A service with buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketService {
    /// Amazon S3.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

impl BucketService {
    /// All services.
    pub const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];
}

/// A running server of one service. It ends on drop, or with this process.
#[derive(Debug)]
pub struct BucketServer(Server);

#[derive(Debug)]
enum Server {
    S3(Moto),
    Gcs {
        fake: GcsFake,
        identity: GcpFake,
        key_file: String,
    },
    Azure(Box<BlobAccount>),
}

/// A bucket of a server, and the way to it.
#[derive(Debug)]
pub struct Bucket<'a> {
    server: &'a BucketServer,
    name: String,
    /// The proxy on the way, if any.
    proxy: Option<FaultProxy>,
    /// The authorities of all servers on the way, in PEM.
    authorities: Option<(TempDir, PathBuf)>,
}

impl BucketServer {
    /// Starts a server without buckets. Azurite is installed if it is missing.
    ///
    /// # Errors
    ///
    /// If the server does not become ready.
    pub fn start(tools: &Tools, service: BucketService) -> Result<Self> {
        Ok(Self(match service {
            BucketService::S3 => {
                let moto = Moto::start(tools)?;
                moto.allow_key(ACCESS_KEY.0, ACCESS_KEY.1, None)?;
                Server::S3(moto)
            }
            BucketService::Gcs => {
                let identity = GcpFake::start(tools)?;
                Server::Gcs {
                    fake: GcsFake::start(&identity)?,
                    key_file: identity.key_file(EMAIL)?,
                    identity,
                }
            }
            BucketService::Azure => Server::Azure(Box::new(BlobAccount::start(tools)?)),
        }))
    }

    /// Returns the server of a service that all tests of this process share. It ends with the
    /// process.
    ///
    /// # Panics
    ///
    /// If the tools are missing, or the server does not become ready.
    #[must_use]
    pub fn shared(service: BucketService) -> &'static Self {
        fn start(service: BucketService) -> BucketServer {
            let started = Tools::locate().and_then(|tools| BucketServer::start(&tools, service));
            started.expect("a server of buckets")
        }
        static S3: LazyLock<BucketServer> = LazyLock::new(|| start(BucketService::S3));
        static GCS: LazyLock<BucketServer> = LazyLock::new(|| start(BucketService::Gcs));
        static AZURE: LazyLock<BucketServer> = LazyLock::new(|| start(BucketService::Azure));
        match service {
            BucketService::S3 => &S3,
            BucketService::Gcs => &GCS,
            BucketService::Azure => &AZURE,
        }
    }

    /// Returns the service.
    #[must_use]
    pub fn service(&self) -> BucketService {
        match &self.0 {
            Server::S3(_) => BucketService::S3,
            Server::Gcs { .. } => BucketService::Gcs,
            Server::Azure(_) => BucketService::Azure,
        }
    }

    /// Returns the emulator of S3, which has keys of AWS KMS as well.
    #[must_use]
    pub fn moto(&self) -> Option<&Moto> {
        match &self.0 {
            Server::S3(moto) => Some(moto),
            _ => None,
        }
    }

    /// Returns the fake of Google Cloud Storage.
    #[must_use]
    pub fn gcs(&self) -> Option<&GcsFake> {
        match &self.0 {
            Server::Gcs { fake, .. } => Some(fake),
            _ => None,
        }
    }

    /// Returns the fake that verifies tokens for Google Cloud Storage, and has keys of Cloud
    /// KMS.
    #[must_use]
    pub fn gcp(&self) -> Option<&GcpFake> {
        match &self.0 {
            Server::Gcs { identity, .. } => Some(identity),
            _ => None,
        }
    }

    /// Returns the fake that issues tokens for Azure Blob Storage, and has keys of a Key
    /// Vault.
    #[must_use]
    pub fn azure(&self) -> Option<&AzureFake> {
        match &self.0 {
            Server::Azure(account) => Some(account.authority()),
            _ => None,
        }
    }

    /// Returns the endpoint of the service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match &self.0 {
            Server::S3(moto) => moto.address(),
            Server::Gcs { fake, .. } => fake.address(),
            Server::Azure(account) => account.endpoint(),
        }
    }

    /// Creates a bucket (in Azure, a container), and returns the direct way to it.
    ///
    /// # Errors
    ///
    /// If the name is invalid or taken.
    pub fn create(&self, name: &str) -> Result<Bucket<'_>> {
        match &self.0 {
            Server::S3(moto) => moto.create_bucket(name)?,
            Server::Gcs { fake, .. } => fake.create_bucket(name),
            Server::Azure(account) => account.create_container(name)?,
        }
        self.existing(name)
    }

    /// Returns the direct way to a bucket that exists.
    ///
    /// # Errors
    ///
    /// If the authorities to trust cannot be written.
    pub fn existing(&self, name: &str) -> Result<Bucket<'_>> {
        self.bucket(name, None)
    }

    fn bucket(&self, name: &str, proxy: Option<FaultProxy>) -> Result<Bucket<'_>> {
        let mut authorities = match &self.0 {
            Server::Azure(account) => account.authorities()?,
            _ => String::new(),
        };
        authorities.push_str(proxy.as_ref().and_then(FaultProxy::ca_pem).unwrap_or(""));
        let authorities = match authorities.is_empty() {
            true => None,
            false => {
                let folder = tempfile::tempdir().context("making a folder")?;
                let path = folder.path().join("ca.pem");
                let mut file = std::fs::File::create(&path).context("creating a file")?;
                file.write_all(authorities.as_bytes())
                    .context("writing authorities")?;
                Some((folder, path))
            }
        };
        Ok(Bucket {
            server: self,
            name: name.to_owned(),
            proxy,
            authorities,
        })
    }
}

impl<'a> Bucket<'a> {
    /// Returns a way to the same bucket through a proxy of its own.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub fn behind_proxy(&self) -> Result<Self> {
        self.weakened(Weakness::None)
    }

    /// As [`behind_proxy`](Self::behind_proxy), with conditional writes that do not hold.
    ///
    /// # Errors
    ///
    /// As [`behind_proxy`](Self::behind_proxy).
    pub fn weakened(&self, weakness: Weakness) -> Result<Self> {
        let options = ProxyOptions::to(self.server.endpoint()).with(weakness);
        let options = match &self.server.0 {
            Server::Azure(account) => options.with_tls().trusting(account.ca_file()?),
            _ => options,
        };
        self.server
            .bucket(&self.name, Some(FaultProxy::start(&options)?))
    }

    /// Returns the server.
    #[must_use]
    pub fn server(&self) -> &'a BucketServer {
        self.server
    }

    /// Returns the name of the bucket, or of the container in Azure.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the proxy on the way, if any.
    #[must_use]
    pub fn proxy(&self) -> Option<&FaultProxy> {
        self.proxy.as_ref()
    }

    /// Returns the address of the service on this way.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        let proxy = self.proxy.as_ref().map(FaultProxy::address);
        proxy.unwrap_or_else(|| self.server.endpoint())
    }

    /// Returns the file of authorities to trust, in PEM; `None` without TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        Some(&self.authorities.as_ref()?.1)
    }

    /// Returns the URL of a prefix in the bucket; of the bucket for an empty one.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        let name = &self.name;
        let url = match self.server.service() {
            BucketService::S3 => format!("s3://{name}/{prefix}"),
            BucketService::Gcs => format!("gs://{name}/{prefix}"),
            BucketService::Azure => format!("az://{ACCOUNT}/{name}/{prefix}"),
        };
        url.trim_end_matches('/').to_owned()
    }

    /// Returns the arguments of the provider's `bucket` block, besides the secret parts of
    /// the credential and `encryption`.
    #[must_use]
    pub fn configuration(&self, prefix: &str) -> Map<String, Value> {
        let mut arguments = Map::new();
        arguments.insert("url".to_owned(), json!(self.url(prefix)));
        arguments.insert("endpoint".to_owned(), json!(self.endpoint()));
        let more = match &self.server.0 {
            Server::S3(_) => json!({"region": Moto::REGION, "access_key_id": ACCESS_KEY.0}),
            Server::Gcs { .. } => json!({}),
            Server::Azure(account) => json!({
                "tenant_id": AzureFake::TENANT,
                "client_id": AzureFake::CLIENT,
                "authority_host": account.authority().vault_url(),
            }),
        };
        let more = more.as_object().cloned().unwrap_or_default();
        arguments.extend(more);
        arguments
    }

    /// Returns the name and the value of the secret argument of the block.
    #[must_use]
    pub fn credential(&self) -> (&'static str, String) {
        match &self.server.0 {
            Server::S3(_) => ("secret_access_key", ACCESS_KEY.1.to_owned()),
            Server::Gcs { key_file, .. } => ("service_account_key_json", key_file.clone()),
            Server::Azure(account) => ("client_secret", account.client_secret().to_owned()),
        }
    }

    /// Returns the lines of the provider's `bucket` block, besides `encryption`.
    #[must_use]
    pub fn arguments(&self, prefix: &str) -> String {
        let (secret, value) = self.credential();
        let mut arguments = self.configuration(prefix);
        arguments.insert(secret.to_owned(), json!(value));
        let lines = arguments.iter();
        // A text in JSON is one in HCL, if it contains no `${` and no `%{`.
        lines
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect()
    }

    /// Returns the environment variables of a process that uses the bucket, besides those of
    /// a credential.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let file = self.ca_file();
        let file = file.map(|file| ("SSL_CERT_FILE", file.display().to_string()));
        file.into_iter().collect()
    }

    /// Returns the environment variables from which a vendor's own tools take the same
    /// credential.
    #[must_use]
    pub fn ambient_variables(&self) -> Vec<(&'static str, String)> {
        match &self.server.0 {
            Server::S3(_) => vec![
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.0.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1.to_owned()),
                ("AWS_REGION", Moto::REGION.to_owned()),
            ],
            // The variable names a file, which the test writes.
            Server::Gcs { .. } => Vec::new(),
            Server::Azure(account) => vec![
                ("AZURE_TENANT_ID", AzureFake::TENANT.to_owned()),
                ("AZURE_CLIENT_ID", AzureFake::CLIENT.to_owned()),
                ("AZURE_CLIENT_SECRET", account.client_secret().to_owned()),
            ],
        }
    }
}
