//! TLS with rustls and aws-lc-rs.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{HttpError, HttpErrorKind};
use planton_secret::SecretString;

/// The trusted certificate authorities.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those of the operating system.
    #[default]
    Platform,
    /// These and no others, in PEM.
    Pem(String),
    /// None: for addresses without TLS, where loading them is superfluous.
    Nobody,
}

impl Roots {
    /// Checks that a client can be built with these roots, without any I/O.
    ///
    /// # Errors
    ///
    /// `Invalid` for a text that contains no certificate in PEM form.
    pub fn check(&self) -> Result<(), HttpError> {
        match self {
            Self::Pem(pem) => parse_roots(pem).map(drop),
            Self::Platform | Self::Nobody => Ok(()),
        }
    }
}

/// A client certificate.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate and its intermediates, in PEM.
    pub cert_pem: String,
    /// The private key in PEM.
    pub key_pem: SecretString,
}

/// Builds the TLS configuration.
pub(super) fn client_config(
    roots: &Roots,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("TLS versions").with_source(error))?;
    let builder = match roots {
        Roots::Platform => builder
            .dangerous()
            .with_custom_certificate_verifier(platform_verifier(provider)?),
        Roots::Pem(pem) => builder.with_root_certificates(parse_roots(pem)?),
        Roots::Nobody => builder.with_root_certificates(RootCertStore::empty()),
    };
    let Some(identity) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = parse_certificates(&identity.cert_pem, "client certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes())
        // The parser's error may quote the text, so it is omitted.
        .map_err(|_| invalid("client key: no private key in PEM form"))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| invalid("client certificate and key").with_source(error))
}

/// Returns the verifier of the operating system. "Dangerous" is rustls' term for every
/// verifier other than its own.
///
/// All clients of a process share it, because it reads and parses every root certificate
/// of the system. A process therefore notices a changed root only after a restart.
fn platform_verifier(
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, HttpError> {
    static SHARED: OnceLock<Arc<dyn ServerCertVerifier>> = OnceLock::new();
    if let Some(verifier) = SHARED.get() {
        return Ok(Arc::clone(verifier));
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider)
        .map_err(|error| invalid("the system's root certificates").with_source(error))?;
    Ok(Arc::clone(SHARED.get_or_init(|| Arc::new(verifier))))
}

fn parse_roots(pem: &str) -> Result<RootCertStore, HttpError> {
    let mut store = RootCertStore::empty();
    for certificate in parse_certificates(pem, "CA certificate")? {
        store
            .add(certificate)
            .map_err(|error| invalid("CA certificate").with_source(error))?;
    }
    Ok(store)
}

fn parse_certificates(
    pem: &str,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| invalid(what).with_detail("not in PEM form"))?;
    if certificates.is_empty() {
        return Err(invalid(what).with_detail("no certificate in PEM form"));
    }
    Ok(certificates)
}

/// Returns whether a text is CA certificates in PEM form, for a fuzz target.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzz_roots(pem: &str) -> bool {
    parse_roots(pem).is_ok()
}

fn invalid(what: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Invalid, what)
}
