//! A customer's Transit key: opened with its first use, once its cluster is verified.

use async_trait::async_trait;
use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, Rewrap, WrapContext,
};
use planton_envelope::{DataKey, KekId, WrappedKey};
use tokio::sync::OnceCell;

use super::settings::{TransitKeyConfig, unusable};
use crate::http::HttpSettings;
use crate::openbao::client::{Clusters, OpenBaoClient, OpenBaoError};
use crate::openbao::credential::{Credential, Found};
use crate::openbao::errors::credential_error;
use crate::openbao::kek::{TransitKek, is_newest_wrap, max_wrapped_bytes};

/// A customer's key.
///
/// # Security
///
/// The server's cluster is compared with the key's identifier before the first request
/// about the key: another cluster, at the same address, gets no data key to wrap.
#[derive(Debug)]
pub(super) struct CustomersKek {
    config: TransitKeyConfig,
    credential: Credential,
    http: HttpSettings,
    id: KekId,
    opened: OnceCell<Opened>,
}

#[derive(Debug)]
struct Opened {
    kek: TransitKek,
    found: Found,
}

impl CustomersKek {
    /// Opens the key that the server has now.
    ///
    /// # Errors
    ///
    /// As [`KeyEncryptionKey::describe`]; `Misconfigured` for a server that ignores the
    /// namespace.
    pub(super) async fn resolve(
        config: TransitKeyConfig,
        credential: Credential,
        http: HttpSettings,
    ) -> Result<Self, KekError> {
        let (client, found) = connect(&config, &credential, &http)?;
        let clusters = verified_clusters(&client, &found, &config).await?;
        let id = config.id_on(clusters.permanent())?;
        let kek = TransitKek::customers(&client, &config.key_name, id.clone());
        Ok(Self {
            config,
            credential,
            http,
            id,
            opened: OnceCell::new_with(Some(Opened { kek, found })),
        })
    }

    /// Opens the key `id`. Sends nothing.
    pub(super) fn open(
        config: TransitKeyConfig,
        credential: Credential,
        http: HttpSettings,
        id: &KekId,
    ) -> Self {
        Self {
            config,
            credential,
            http,
            id: id.clone(),
            opened: OnceCell::new(),
        }
    }

    /// Returns the open key. The first call reads files, and verifies namespace and cluster.
    async fn opened(&self) -> Result<&Opened, KekError> {
        let open = async || {
            let (client, found) = connect(&self.config, &self.credential, &self.http)?;
            let clusters = verified_clusters(&client, &found, &self.config).await?;
            self.expect_cluster(&clusters)?;
            let kek = TransitKek::customers(&client, &self.config.key_name, self.id.clone());
            Ok(Opened { kek, found })
        };
        self.opened.get_or_try_init(open).await
    }

    //= docs/format.md#29-customers-transit-kek
    //# A reader that reaches the engine MUST compare the server's cluster with the `kek_id`
    //# before it sends anything else to the engine.
    fn expect_cluster(&self, clusters: &Clusters) -> Result<(), KekError> {
        for cluster in clusters.all() {
            if self.config.id_on(cluster)? == self.id {
                return Ok(());
            }
        }
        let expected = self.id.id.split(':').next().unwrap_or_default();
        Err(self
            .error(KekErrorKind::Misconfigured, "identify cluster")
            .with_setting("address")
            .with_remedy(format!(
                "The key belongs to the cluster {expected}, and the server is of the cluster {}. \
                 Correct the address. After a restore into a new cluster, save the key again: that \
                 makes it another key, and `rewrap` moves what the former one wrapped.",
                clusters.permanent()
            )))
    }

    fn error(&self, kind: KekErrorKind, operation: &'static str) -> KekError {
        KekError::new(kind, operation, &self.id.id)
    }
}

impl Opened {
    /// Adds to a failed authentication how to renew the credential.
    fn explain(&self, error: KekError) -> KekError {
        explain_login(&self.found, error)
    }
}

fn explain_login(found: &Found, error: KekError) -> KekError {
    if error.kind() != KekErrorKind::Unauthenticated {
        return error;
    }
    let known = error.remedy().unwrap_or_default();
    let remedy = format!("{known} {}", found.renewal);
    error
        .with_setting(found.setting())
        .with_remedy(remedy.trim_start().to_owned())
}

fn connect(
    config: &TransitKeyConfig,
    credential: &Credential,
    http: &HttpSettings,
) -> Result<(OpenBaoClient, Found), KekError> {
    let found = credential.find(config);
    let found = found.map_err(|error| credential_error(&error))?;
    let connection = config.client_config(found.auth.clone())?;
    // No fence: the customer's server need not have a KV mount.
    let client = OpenBaoClient::with_http(&connection, None, http.clone());
    let client = client.map_err(|error| {
        let unusable = unusable(
            "ca_cert_pem",
            "Check the CA certificate (ca_cert_pem, ca_cert_file), and the client certificate with \
             its key (client_cert_file, client_key_file): each must be PEM.",
        );
        match error.into_parts().source {
            Some(source) => unusable.with_source(source),
            None => unusable,
        }
    })?;
    Ok((client, found))
}

/// Returns the clusters of the server, which must know the configured namespace.
async fn verified_clusters(
    client: &OpenBaoClient,
    found: &Found,
    config: &TransitKeyConfig,
) -> Result<Clusters, KekError> {
    let explain = |error: OpenBaoError| explain_login(found, error.into());
    if !client.keeps_to_namespace().await.map_err(explain)? {
        return Err(unusable(
            "namespace",
            format!(
                "The server knows no namespaces, and would use a key of its root in place of one of \
                 {:?} (HashiCorp Vault has them in its Enterprise edition only). Remove namespace, \
                 or correct the address.",
                config.namespace().unwrap_or_default()
            ),
        ));
    }
    client.clusters().await.map_err(explain)
}

#[async_trait]
impl KeyEncryptionKey for CustomersKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        let opened = self.opened().await?;
        let wrapped = opened.kek.wrap(dek, context).await;
        wrapped.map_err(|error| opened.explain(error))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        let opened = self.opened().await?;
        let unwrapped = opened.kek.unwrap(wrapped, context).await;
        unwrapped.map_err(|error| opened.explain(error))
    }

    fn rewraps_in_service(&self) -> bool {
        true
    }

    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let opened = match self.opened().await {
            Ok(opened) => opened,
            Err(error) => return TransitKek::all_failed(wraps, &error),
        };
        let rewrapped = opened.kek.rewrap(wraps).await.into_iter();
        rewrapped
            .map(|one| one.map_err(|error| opened.explain(error)))
            .collect()
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        is_newest_wrap(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        max_wrapped_bytes()
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        let opened = self.opened().await?;
        let described = opened.kek.describe().await;
        described.map_err(|error| opened.explain(error))
    }
}
