//! The configuration of a client, parsed once.

use std::fmt;
use std::path::PathBuf;

use url::{Host, Url};

use super::server::ServerVendor;
use crate::http::ClientIdentity;
use planton_secret::SecretString;

/// Address and credential of a server.
#[derive(Clone, Debug)]
pub struct OpenBaoConfig {
    /// The server's address.
    pub address: OpenBaoAddress,
    /// Namespace; `None` for the root.
    pub namespace: Option<String>,
    /// Mount path of KV version 2.
    pub kv_mount_path: MountPath,
    /// Mount path of Transit.
    pub transit_mount_path: MountPath,
    /// PEM-encoded CA certificates to trust instead of the system's.
    pub ca_cert_pem: Option<String>,
    /// Client certificate for mutual TLS.
    pub client_identity: Option<ClientIdentity>,
    /// Login.
    pub auth: OpenBaoAuth,
    /// Vendor of the server. With `None`, the client asks the server when it matters.
    pub vendor: Option<ServerVendor>,
}

/// A login with its credential.
///
/// # Security
///
/// Credentials are [`SecretString`]s: zeroized, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub enum OpenBaoAuth {
    /// A token.
    Token(SecretString),
    /// A file with a token, which an agent may renew. The client reads it again after a
    /// denied request.
    TokenFile(PathBuf),
    /// The AppRole auth method: <https://openbao.org/api-docs/auth/approle/>.
    AppRole {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Role ID.
        role_id: SecretString,
        /// Secret ID.
        secret_id: SecretString,
    },
    /// The JWT auth method: <https://openbao.org/api-docs/auth/jwt/>.
    Jwt {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Name of the role.
        role: String,
        /// Source of the JSON Web Token.
        source: JwtSource,
    },
    /// The Kubernetes auth method: <https://openbao.org/api-docs/auth/kubernetes/>.
    Kubernetes {
        /// Mount path of the auth method.
        mount_path: MountPath,
        /// Name of the role.
        role: String,
        /// File with the service account's token, read at every login.
        token_file: PathBuf,
    },
}

/// Source of a JSON Web Token.
#[derive(Clone, Debug)]
pub enum JwtSource {
    /// The token itself.
    Token(SecretString),
    /// A file, read at every login.
    File(PathBuf),
}

/// A server's address: `http` or `https`, a host, perhaps a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBaoAddress(Url);

/// The text is not the address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a URL such as https://bao.example.com:8200, with http or https, a host, and neither a user, a query nor a fragment"
)]
pub struct InvalidAddress;

impl OpenBaoAddress {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] if it has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidAddress)?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain || !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(InvalidAddress);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Returns the address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Returns true if requests leave this machine without TLS.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.is_encrypted() && !self.is_loopback()
    }

    /// Returns true if TLS protects the connection.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns true for an address of this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl fmt::Display for OpenBaoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Mount path of an engine or an auth method: segments joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MountPath(String);

/// The text is not a mount path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a mount path such as secret or team/secret, with letters, digits, _ . - and /")]
pub struct InvalidMountPath;

impl MountPath {
    /// Parses `text` and removes a `/` at either end.
    ///
    /// # Errors
    ///
    /// [`InvalidMountPath`] if it has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidMountPath> {
        let text = text.trim_matches('/');
        if is_path(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMountPath)
        }
    }

    /// Returns the path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true for segments that every server, proxy and policy reads alike: no `.` or
/// `..`, no `*` or `+` (<https://openbao.org/docs/concepts/policies/>), nothing to escape.
pub(super) fn is_path(text: &str) -> bool {
    text.split('/').all(|segment| {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !matches!(segment, "" | "." | "..") && segment.bytes().all(known)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn address_is_parsed_once_and_without_surprises() {
        for good in ["http://127.0.0.1:8200", "https://bao.example.com/base/"] {
            let parsed = OpenBaoAddress::parse(good).unwrap();
            assert_eq!(parsed.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "bao.example.com:8200",
            "ftp://bao",
            "https://user:pw@bao",
            "https://bao?x=1",
            "https://bao#x",
        ] {
            assert!(OpenBaoAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mount_path_refuses_what_a_policy_or_a_proxy_reads_otherwise() {
        assert_eq!(MountPath::parse("/team/kv/").unwrap().as_str(), "team/kv");
        for bad in ["", "/", "a//b", "a/../b", "a/*", "a/+", "a b", "a%2fb", "ä"] {
            assert!(MountPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_of_a_configuration_shows_no_credential() {
        let auths = [
            OpenBaoAuth::Token("hunter2".into()),
            OpenBaoAuth::AppRole {
                mount_path: MountPath::parse("approle").unwrap(),
                role_id: "hunter2".into(),
                secret_id: "hunter2".into(),
            },
            OpenBaoAuth::Jwt {
                mount_path: MountPath::parse("jwt").unwrap(),
                role: "ci".to_owned(),
                source: JwtSource::Token("hunter2".into()),
            },
        ];
        assert!(!format!("{auths:?}").contains("hunter2"));
    }
}
