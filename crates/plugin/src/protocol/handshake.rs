//! Handshake: the host's environment variables, and the line on stdout that answers them.

use std::io::{self, Write};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::listener::{Address, Place};

const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The major version of the plugin protocol.
pub(super) const PROTOCOL: u32 = 6;

/// Failure of the handshake.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// A user or another kind of host started the process.
    #[error("this is a plugin, which only Terraform or OpenTofu can start")]
    NotStartedByHost,
    /// The host does not support protocol 6.
    #[error(
        "the host offers plugin protocol versions \"{offered}\", but this provider supports 6; use \
         Terraform 1.11 or OpenTofu 1.11, or later"
    )]
    Protocol {
        /// Versions that the host offers.
        offered: String,
    },
    /// The host does not authenticate itself.
    #[error(
        "the host sent no PLUGIN_CLIENT_CERT: without mutual TLS any process of this user could \
         call the provider, so it serves without only when it is started with --debug"
    )]
    NoClientCertificate,
    /// The host sent no valid certificate.
    #[error("PLUGIN_CLIENT_CERT contains no certificate in PEM form")]
    ClientCertificate,
    /// A port is not a number, or the range is empty.
    #[error("PLUGIN_MIN_PORT and PLUGIN_MAX_PORT are not a range of ports")]
    Ports,
}

/// Returns true if a host started this process as a plugin.
#[must_use]
pub fn started_by_host() -> bool {
    has_cookie(&|name| std::env::var(name).ok())
}

/// Settings that the host passes.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) client_certificate: CertificateDer<'static>,
    pub(super) place: Place,
}

impl Host {
    /// Reads the host's environment variables.
    pub(super) fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, HandshakeError> {
        if !has_cookie(variable) {
            return Err(HandshakeError::NotStartedByHost);
        }
        let offered = variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        if !offered
            .split(',')
            .any(|version| version.trim().parse() == Ok(PROTOCOL))
        {
            return Err(HandshakeError::Protocol { offered });
        }
        let pem = variable("PLUGIN_CLIENT_CERT").filter(|pem| !pem.is_empty());
        let pem = pem.ok_or(HandshakeError::NoClientCertificate)?;
        let client_certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| HandshakeError::ClientCertificate)?;
        Ok(Self {
            client_certificate,
            place: place(variable)?,
        })
    }
}

/// Sends the host the address of the listener and its certificate.
pub(super) fn announce(
    out: &mut dyn Write,
    address: &Address,
    certificate: &CertificateDer<'_>,
) -> io::Result<()> {
    let (network, at) = address.parts();
    let certificate = STANDARD_NO_PAD.encode(certificate);
    // One write, since the host parses the first line that it reads.
    let line = format!("1|{PROTOCOL}|{network}|{at}|grpc|{certificate}\n");
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn has_cookie(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable(COOKIE_NAME).as_deref() == Some(COOKIE)
}

fn place(variable: &dyn Fn(&str) -> Option<String>) -> Result<Place, HandshakeError> {
    let port = |name: &str, default: u16| {
        variable(name)
            .filter(|text| !text.is_empty())
            .map_or(Ok(default), |text| {
                text.parse().map_err(|_| HandshakeError::Ports)
            })
    };
    let ports = port("PLUGIN_MIN_PORT", 0)?..=port("PLUGIN_MAX_PORT", 0)?;
    if ports.is_empty() {
        return Err(HandshakeError::Ports);
    }
    if cfg!(windows) {
        return Ok(Place::Tcp { ports });
    }
    let given = |name: &str| variable(name).filter(|text| !text.is_empty());
    Ok(Place::Unix {
        folder: given("PLUGIN_UNIX_SOCKET_DIR").map_or_else(std::env::temp_dir, PathBuf::from),
        group: given("PLUGIN_UNIX_SOCKET_GROUP"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(variables: &[(&str, &str)]) -> HandshakeError {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Host::from_environment(&lookup).expect_err("it is refused")
    }

    #[test]
    fn what_is_no_host_of_protocol_6_with_mutual_tls_is_refused() {
        let cookie = (COOKIE_NAME, COOKIE);
        assert!(matches!(refused(&[]), HandshakeError::NotStartedByHost));
        assert!(matches!(
            refused(&[(COOKIE_NAME, "x")]),
            HandshakeError::NotStartedByHost
        ));
        for offered in ["", "5", "4,5", "66", "x"] {
            let error = refused(&[cookie, ("PLUGIN_PROTOCOL_VERSIONS", offered)]);
            assert!(
                matches!(error, HandshakeError::Protocol { .. }),
                "{offered}: {error}"
            );
        }
        let six = ("PLUGIN_PROTOCOL_VERSIONS", "5,6");
        assert!(matches!(
            refused(&[cookie, six]),
            HandshakeError::NoClientCertificate
        ));
        let pem = ("PLUGIN_CLIENT_CERT", "no certificate");
        assert!(matches!(
            refused(&[cookie, six, pem]),
            HandshakeError::ClientCertificate
        ));
    }

    #[test]
    fn ports_are_a_range() {
        let with = |min: &'static str, max: &'static str| {
            place(&move |name| match name {
                "PLUGIN_MIN_PORT" => Some(min.to_owned()),
                "PLUGIN_MAX_PORT" => Some(max.to_owned()),
                _ => None,
            })
        };
        assert!(with("10000", "25000").is_ok());
        assert!(with("2", "1").is_err());
        assert!(with("x", "1").is_err());
    }
}
