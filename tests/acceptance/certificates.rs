//! Certificates for one test, in files.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;
use xtask::openbao::{ServerOptions, TlsFiles};

/// A certificate authority in a folder.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        write(folder.path(), "ca.pem", "CERTIFICATE", certificate.der());
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    /// Returns the path of the authority's certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs a certificate for this machine. Returns it and its key.
    pub(crate) fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let hosts = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(hosts).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let folder = self.folder.path();
        let file = write(
            folder,
            &format!("{name}.pem"),
            "CERTIFICATE",
            certificate.der(),
        );
        let key = write(
            folder,
            &format!("{name}.key"),
            "PRIVATE KEY",
            &key.serialize_der(),
        );
        (file, key)
    }

    /// Returns the TLS files of a server with a certificate of this authority, which
    /// requires one of its clients.
    pub(crate) fn server(&self) -> ServerOptions {
        let (certificate, key) = self.sign("server", ExtendedKeyUsagePurpose::ServerAuth);
        ServerOptions {
            tls: Some(TlsFiles {
                certificate,
                key,
                client_authority: Some(self.certificate()),
            }),
            ..ServerOptions::default()
        }
    }
}

fn write(folder: &Path, name: &str, label: &str, der: &[u8]) -> PathBuf {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let file = folder.join(name);
    let pem = format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    );
    fs::write(&file, pem).unwrap();
    file
}
