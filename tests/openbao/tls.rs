use std::path::Path;

use planton_core::store::{NativeVersionId, SecretStore, StoreErrorKind};
use planton_vendors::http::{ClientIdentity, HttpSettings, Roots};
use planton_vendors::openbao::client::{
    OpenBaoClient, OpenBaoConfig, OpenBaoError, OpenBaoErrorKind,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::own::name;
use super::support::jwt::pem;
use super::support::own::Own;
use super::support::server::{Listener, Server};
use super::support::{config, hasty, token};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> ClientIdentity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        ClientIdentity {
            cert_pem: pem("CERTIFICATE", certificate.der()),
            key_pem: pem("PRIVATE KEY", &key.serialize_der()).as_str().into(),
        }
    }
}

async fn look(config: &OpenBaoConfig) -> (Result<bool, OpenBaoError>, u64) {
    let client = OpenBaoClient::with_retry(config, None, hasty()).unwrap();
    let looked = client.transit().key("none").await;
    (looked.map(|key| key.is_some()), client.requests().total())
}

#[tokio::test]
async fn only_the_configured_authority_and_certificate_get_through() {
    let authority = Authority::new();
    let server_cert = authority.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let identity = authority.issue("terraform", ExtendedKeyUsagePurpose::ClientAuth);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let listener = Listener {
        scheme: "https",
        text: format!(
            "tls_cert_file = {:?}\n tls_key_file = {:?}\n tls_client_ca_file = {:?}\n \
             tls_require_and_verify_client_cert = true",
            file("cert.pem", &server_cert.cert_pem),
            file("key.pem", server_cert.key_pem.expose()),
            file("ca.pem", &authority.pem()),
        ),
        trust: HttpSettings {
            roots: Roots::Pem(authority.pem()),
            identity: Some(identity.clone()),
            ..HttpSettings::default()
        },
    };
    let server = Server::with_listener(&listener).await;
    let good = OpenBaoConfig {
        ca_cert_pem: Some(authority.pem()),
        client_identity: Some(identity),
        ..config(&server.address, "kv", "transit", token(&server.root_token))
    };
    check_own_server(&server, &good, folder.path()).await;
    // The mount is missing. This error shows that the connection works.
    let (outcome, requests) = look(&good).await;
    assert_eq!(outcome.unwrap_err().kind(), OpenBaoErrorKind::Misconfigured);
    assert_eq!(requests, 2, "the refusal, and whose commands to print");

    let stranger = Authority::new();
    let bad = [
        (
            "no authority configured",
            None,
            good.client_identity.clone(),
        ),
        (
            "another authority",
            Some(stranger.pem()),
            good.client_identity.clone(),
        ),
        ("no certificate", good.ca_cert_pem.clone(), None),
        (
            "a stranger's certificate",
            good.ca_cert_pem.clone(),
            Some(stranger.issue("terraform", ExtendedKeyUsagePurpose::ClientAuth)),
        ),
    ];
    for (what, ca_cert_pem, client_identity) in bad {
        let config = OpenBaoConfig {
            ca_cert_pem,
            client_identity,
            ..good.clone()
        };
        let (outcome, requests) = look(&config).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            error.kind(),
            OpenBaoErrorKind::Misconfigured,
            "{what}: {error:?}"
        );
        assert!(
            error.remedy().unwrap().contains("certificate"),
            "{what}: {error:?}"
        );
        assert_eq!(requests, 1, "{what}: another try would not help");
    }
}

/// The same for a user's own server, with certificates in files.
async fn check_own_server(server: &Server, good: &OpenBaoConfig, folder: &Path) {
    let identity = good.client_identity.as_ref().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let own =
        || Own::new("hashicorp_vault", &server.address, "kv").given("token", &server.root_token);
    let with_identity = |own: Own| {
        own.with("client_cert_file", file("client.pem", &identity.cert_pem))
            .with(
                "client_key_file",
                file("client.key", identity.key_pem.expose()),
            )
    };
    let pem = good.ca_cert_pem.as_deref().unwrap();
    let get = async |own: Own| {
        let unknown = NativeVersionId::new("1-0badcafe@t".to_owned());
        let got = own.store().get(&name(), &unknown).await;
        got.unwrap_err()
    };
    let through = [
        with_identity(own().with("ca_cert_pem", pem)),
        with_identity(own().with("ca_cert_file", file("own-ca.pem", pem))),
    ];
    for own in through {
        let error = get(own).await;
        // The mount is missing, as below.
        assert!(error.remedy().unwrap().contains("-path=kv"), "{error:?}");
    }
    let refused = [
        with_identity(own()),
        own().with("ca_cert_pem", pem),
        with_identity(own().with("ca_cert_pem", Authority::new().pem())),
    ];
    for own in refused {
        let error = get(own).await;
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
        assert!(error.remedy().unwrap().contains("certificate"), "{error:?}");
    }
}
