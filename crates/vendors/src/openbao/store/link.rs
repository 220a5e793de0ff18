//! The connection to a server: opened once, by the first operation that needs it.

use tokio::sync::OnceCell;

use crate::http::{HttpError, HttpErrorKind, HttpSettings};
use crate::openbao::client::{OpenBaoClient, OpenBaoError, OpenBaoErrorKind, fence_slot};
use crate::openbao::credential::{Credential, Found};
use crate::openbao::settings::VaultConfig;
use planton_core::store::{StoreError, StoreErrorKind};

/// A client, or the settings to create one.
#[derive(Debug)]
pub(super) struct Link {
    opening: Option<Opening>,
    opened: OnceCell<Opened>,
    /// Set once the server is known to support the namespace.
    verified: OnceCell<()>,
}

#[derive(Debug)]
struct Opening {
    config: VaultConfig,
    credential: Credential,
    http: HttpSettings,
}

#[derive(Debug)]
struct Opened {
    client: OpenBaoClient,
    /// The credential of the login; absent for a client that was passed in.
    found: Option<Found>,
}

impl Link {
    /// Uses an existing client.
    pub(super) fn to(client: &OpenBaoClient) -> Self {
        Self {
            opening: None,
            opened: OnceCell::new_with(Some(Opened {
                client: client.clone(),
                found: None,
            })),
            verified: OnceCell::new_with(Some(())),
        }
    }

    /// Creates a link without opening it.
    pub(super) fn new(config: VaultConfig, credential: Credential, http: HttpSettings) -> Self {
        Self {
            opening: Some(Opening {
                config,
                credential,
                http,
            }),
            opened: OnceCell::new(),
            verified: OnceCell::new(),
        }
    }

    /// Returns the number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        let opened = self.opened.get();
        opened.map_or(0, |opened| opened.client.requests().total())
    }

    /// Returns the client. The first call reads files and resolves the credential.
    ///
    /// # Errors
    ///
    /// `Misconfigured` and `Unauthenticated`, with the setting to edit.
    pub(super) async fn client(&self) -> Result<&OpenBaoClient, StoreError> {
        let opened = self.opened.get_or_try_init(async || {
            let opening = self.opening.as_ref();
            opening
                .expect("a link without settings is made with its client")
                .open()
        });
        Ok(&opened.await?.client)
    }

    /// Checks, before the first write, that the server supports the namespace. A server
    /// without namespaces would store the secrets in its root.
    ///
    /// Takes one request per process if a namespace is configured, and none otherwise.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if it does not.
    pub(super) async fn verify_namespace(&self, client: &OpenBaoClient) -> Result<(), StoreError> {
        let verified = self.verified.get_or_try_init(async || {
            let keeps = client.keeps_to_namespace().await;
            if keeps.map_err(|error| self.explain(error))? {
                return Ok(());
            }
            let setting = "namespace";
            Err(match &self.opening {
                Some(Opening { config, .. }) => config.misconfigured(
                    setting,
                    format!(
                        "The server knows no namespaces, and would store in its root what is meant \
                         for {:?} (HashiCorp Vault has them in its Enterprise edition only). Remove \
                         namespace, or correct the address.",
                        config.namespace().unwrap_or_default()
                    ),
                ),
                None => StoreError::new(StoreErrorKind::Misconfigured, "configure", setting),
            })
        });
        verified.await.copied()
    }

    /// Maps an error of the client to one of the store, with the way to renew a
    /// credential.
    pub(super) fn explain(&self, error: OpenBaoError) -> StoreError {
        let found = self.opened.get().and_then(|opened| opened.found.as_ref());
        let setting = found.and_then(|found| setting(&error, found));
        let explained: StoreError = match (error.kind(), found) {
            (OpenBaoErrorKind::Unauthenticated, Some(found)) => found.explain(error).into(),
            _ => error.into(),
        };
        match setting {
            Some(setting) => explained.with_setting(setting),
            None => explained,
        }
    }
}

/// Returns the setting that is the likely cause.
fn setting(error: &OpenBaoError, found: &Found) -> Option<&'static str> {
    use OpenBaoErrorKind as K;
    Some(match (error.kind(), error.http().map(HttpError::kind)) {
        (K::Unauthenticated, _) => found.setting(),
        (_, Some(HttpErrorKind::Tls)) => "ca_cert_pem",
        (_, Some(HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Redirected)) => {
            "address"
        }
        (_, Some(_)) => return None,
        (K::Misconfigured, None) if error.concerns_namespace() => "namespace",
        (K::Misconfigured, None) if error.operation() == "login" => found.login_setting(),
        (K::Misconfigured, None) => "kv_mount_path",
        _ => return None,
    })
}

impl Opening {
    fn open(&self) -> Result<Opened, StoreError> {
        let config = &self.config;
        let found = self.credential.find(config)?;
        let connection = config.client_config(found.auth.clone())?;
        let slot = fence_slot().map_err(|error| {
            StoreError::new(StoreErrorKind::Unavailable, "make a fence", "randomness")
                .with_source(error)
        })?;
        // Outside of every organization, since no organization's name begins with a
        // dot.
        let fence = format!("{}/.fence/{slot}", config.name_prefix());
        let client = OpenBaoClient::with_http(&connection, Some(&fence), self.http.clone());
        let client = client.map_err(|error| self.unusable(error))?;
        Ok(Opened {
            client,
            found: Some(found),
        })
    }

    /// Describes why no client can be created: only certificates can be the cause.
    fn unusable(&self, error: OpenBaoError) -> StoreError {
        let setting = "ca_cert_pem";
        let unusable = self.config.misconfigured(
            setting,
            "Check the CA certificate (ca_cert_pem, ca_cert_file), and the client certificate with \
             its key (client_cert_file, client_key_file): each must be PEM.",
        );
        match error.into_parts().source {
            Some(source) => unusable.with_source(source),
            None => unusable,
        }
    }
}
