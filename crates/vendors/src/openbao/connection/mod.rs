//! A connection to OpenBAO or HashiCorp Vault: described, validated and parsed once, for
//! the provider block and for the backend blocks.

mod argument;
mod arguments;
mod login;
mod parse;
mod problem;
mod source;
mod validate;

use std::time::Duration;

use crate::http::ClientIdentity;
use crate::openbao::client::{
    MountPath, OpenBaoAddress, OpenBaoAuth, OpenBaoConfig, ServerVendor, UnreadableFile,
    read_certificate, read_private_key,
};
pub use argument::ConnectionBlock;
pub use arguments::PLATFORM_FIELDS;
pub(crate) use arguments::{OPENBAO_FIELDS, TRANSIT_KEY_FIELDS, VAULT_FIELDS};
pub use login::Login;
use parse::Parser;
use planton_secret::SecretString;
pub use problem::{ConnectionProblem, ConnectionProblemKind};
pub use source::{ConnectionSource, Given};
pub use validate::{logins, validate_connection};

/// A connection, parsed. It contains no credential.
#[derive(Clone, Debug)]
pub struct Connection {
    address: OpenBaoAddress,
    namespace: Option<String>,
    kv_mount_path: MountPath,
    transit_mount_path: MountPath,
    key_rotation_period: Option<Duration>,
    authorities: Authorities,
    /// Paths of the certificate and of its key.
    client_files: Option<(String, String)>,
    login: Option<Login>,
}

/// The certificate authorities to trust.
#[derive(Clone, Debug)]
enum Authorities {
    System,
    Pem(String),
    File(String),
}

impl Connection {
    /// Reads a connection. No I/O.
    ///
    /// # Errors
    ///
    /// The first problem of [`validate_connection`], or of an environment variable, which
    /// counts where the argument is absent.
    pub fn read(
        block: ConnectionBlock,
        source: &impl ConnectionSource,
    ) -> Result<Self, ConnectionProblem> {
        if let Some(problem) = validate_connection(block, source).into_iter().next() {
            return Err(problem);
        }
        let reader = Reader { block, source };
        let Some(address) = reader.text("address") else {
            return Err(ConnectionProblem::new(
                "address",
                ConnectionProblemKind::Missing,
                "Set address.",
            ));
        };
        Ok(Self {
            address: reader.parser("address").address(&address)?,
            namespace: match reader.text("namespace") {
                Some(text) => reader.parser("namespace").namespace(&text)?,
                None => None,
            },
            kv_mount_path: reader.mount("kv_mount_path")?,
            transit_mount_path: reader.mount(match block {
                ConnectionBlock::Key => "mount_path",
                ConnectionBlock::Platform | ConnectionBlock::Backend(_) => "transit_mount_path",
            })?,
            key_rotation_period: reader.period("key_rotation_period")?,
            authorities: reader.authorities()?,
            client_files: reader.client_files()?,
            login: reader.login()?,
        })
    }

    /// Returns the server's address.
    #[must_use]
    pub fn address(&self) -> &OpenBaoAddress {
        &self.address
    }

    /// Returns the namespace; `None` for the root.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Returns the mount path of KV version 2.
    #[must_use]
    pub fn kv_mount_path(&self) -> &MountPath {
        &self.kv_mount_path
    }

    /// Returns the mount path of Transit.
    #[must_use]
    pub fn transit_mount_path(&self) -> &MountPath {
        &self.transit_mount_path
    }

    /// Returns the period after which the server rotates a key that the provider creates;
    /// `None` for never.
    #[must_use]
    pub fn key_rotation_period(&self) -> Option<Duration> {
        self.key_rotation_period
    }

    /// Returns the configured login, without its credential.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Reads the files and returns the configuration of a client. `vendor` is `None` if the
    /// block does not tell.
    ///
    /// # Errors
    ///
    /// [`UnreadableFile`], at the argument that names it.
    pub fn config(
        &self,
        auth: OpenBaoAuth,
        vendor: Option<ServerVendor>,
    ) -> Result<OpenBaoConfig, UnreadableFile> {
        Ok(OpenBaoConfig {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            kv_mount_path: self.kv_mount_path.clone(),
            transit_mount_path: self.transit_mount_path.clone(),
            ca_cert_pem: self.read_authorities()?,
            client_identity: self.read_identity()?,
            auth,
            vendor,
        })
    }

    /// Returns the certificate authorities in PEM; `None` for the system's.
    fn read_authorities(&self) -> Result<Option<String>, UnreadableFile> {
        match &self.authorities {
            Authorities::System => Ok(None),
            Authorities::Pem(pem) => Ok(Some(pem.clone())),
            Authorities::File(file) => read_certificate("ca_cert_file", file).map(Some),
        }
    }

    /// Returns the client certificate, if any.
    fn read_identity(&self) -> Result<Option<ClientIdentity>, UnreadableFile> {
        let Some((certificate, key)) = &self.client_files else {
            return Ok(None);
        };
        Ok(Some(ClientIdentity {
            cert_pem: read_certificate("client_cert_file", certificate)?,
            key_pem: read_private_key("client_key_file", key)?,
        }))
    }
}

/// Reads validated arguments, with environment variables and defaults.
struct Reader<'a, S> {
    block: ConnectionBlock,
    source: &'a S,
}

impl<S: ConnectionSource> Reader<'_, S> {
    fn parser<'a>(&self, setting: &'a str) -> Parser<'a> {
        Parser {
            block: self.block,
            setting,
        }
    }

    fn given(&self, path: &[&str]) -> Option<String> {
        match self.source.given(path) {
            Given::Text(text) => Some(text.to_owned()),
            Given::Absent | Given::Unknown | Given::Block => None,
        }
    }

    /// Returns an argument, else its environment variable.
    fn text(&self, name: &str) -> Option<String> {
        let field = PLATFORM_FIELDS.iter().find(|field| field.name == name);
        let variable = || self.source.variable(field?.variables);
        self.given(&[name]).or_else(variable)
    }

    fn mount(&self, name: &str) -> Result<MountPath, ConnectionProblem> {
        let text = self.text_or_default(name);
        self.parser(name).mount(&text)
    }

    fn period(&self, name: &str) -> Result<Option<Duration>, ConnectionProblem> {
        let text = self.text_or_default(name);
        self.parser(name).period(&text)
    }

    /// Returns an argument, else its environment variable, else its default.
    fn text_or_default(&self, name: &str) -> String {
        let fields = match self.block {
            ConnectionBlock::Platform => PLATFORM_FIELDS.as_slice(),
            ConnectionBlock::Backend(_) => OPENBAO_FIELDS.as_slice(),
            ConnectionBlock::Key => TRANSIT_KEY_FIELDS.as_slice(),
        };
        let field = fields
            .iter()
            .chain(&PLATFORM_FIELDS)
            .find(|f| f.name == name);
        let default = field.and_then(|field| field.default).unwrap_or_default();
        self.text(name).unwrap_or_else(|| default.to_owned())
    }

    /// Certificates in the configuration take precedence over a file of the environment.
    fn authorities(&self) -> Result<Authorities, ConnectionProblem> {
        if let Some(pem) = self.text("ca_cert_pem") {
            return Ok(Authorities::Pem(
                self.parser("ca_cert_pem").certificates(&pem)?,
            ));
        }
        Ok(match self.text("ca_cert_file") {
            Some(file) => Authorities::File(self.parser("ca_cert_file").path(&file)?),
            None => Authorities::System,
        })
    }

    fn client_files(&self) -> Result<Option<(String, String)>, ConnectionProblem> {
        let [certificate, key] = ["client_cert_file", "client_key_file"];
        let (Some(cert_file), Some(key_file)) = (self.text(certificate), self.text(key)) else {
            return Ok(None);
        };
        Ok(Some((
            self.parser(certificate).path(&cert_file)?,
            self.parser(key).path(&key_file)?,
        )))
    }

    fn login(&self) -> Result<Option<Login>, ConnectionProblem> {
        if let Some(file) = self.given(&["token_file"]) {
            return Ok(Some(Login::TokenFile(file.into())));
        }
        let chosen = ["approle", "jwt", "kubernetes"]
            .into_iter()
            .find(|name| matches!(self.source.given(&[name]), Given::Block));
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let nested = |name: &str| self.given(&[chosen, name]).unwrap_or_default();
        let mount = self.or_default(chosen, "mount_path");
        let mount_path = self.parser(&format!("{chosen}.mount_path")).mount(&mount)?;
        Ok(Some(match chosen {
            "approle" => Login::AppRole {
                mount_path,
                role_id: SecretString::new(nested("role_id")),
            },
            "jwt" => Login::Jwt {
                mount_path,
                role: nested("role"),
                token_file: self.given(&[chosen, "token_file"]).map(Into::into),
            },
            _ => Login::Kubernetes {
                mount_path,
                role: nested("role"),
                token_file: self.or_default(chosen, "token_file").into(),
            },
        }))
    }

    /// Returns an argument of a login, else its default.
    fn or_default(&self, login: &str, name: &str) -> String {
        self.given(&[login, name]).unwrap_or_else(|| {
            let login = PLATFORM_FIELDS.iter().find(|field| field.name == login);
            let nested = login.and_then(|login| login.nested(name));
            let default = nested.and_then(|field| field.default);
            default.unwrap_or_default().to_owned()
        })
    }
}

#[cfg(test)]
mod tests;
