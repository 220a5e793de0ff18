//! The KEK of an organization in a service that the platform does not own: a customer's key,
//! which settings name.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use planton_envelope::{DataKey, KekId, WrappedKey};

use super::reworded::{Reworded, reworded};
use super::{
    ConnectKek, KekError, KekErrorKind, KekSettings, KeyDescription, KeyEncryptionKey,
    ProvisionKek, Rewrap, WrapContext, WrapNames,
};
use crate::store::StoreCredential;

/// Longest wrap of a data key in an envelope. It stands in for the key's own until the key is
/// known.
const MAX_WRAPPED_BYTES: usize = 2048;

/// A customer's key as the KEK of an organization.
///
/// The service is asked for the key once in the life of an organization: first use resolves
/// the settings, and the organization's record keeps the identifier. From then on, the
/// settings only have to name that key. It is never created.
///
/// # Security
///
/// The identifier in a record is a claim until the record's MAC is verified, which takes this
/// key. So [`ConnectKek::open`] must refuse a key that the settings cannot name, and an alias
/// is compared with the identifier before its first use in a process. That does not keep whoever
/// moves the alias and writes the record from choosing the key: with an alias, a client has to
/// pin the organization's fingerprint or its keys.
pub struct ServiceKek {
    settings: KekSettings,
    credential: StoreCredential,
    connector: Arc<dyn ConnectKek>,
    /// The identifier before the key is known. No wrap has it.
    unknown: KekId,
    opened: OnceLock<Opened>,
    /// The key that takes the place of the opened one from now on.
    installed: OnceLock<Opened>,
    /// Puts the remedies of the key's type into the words of the settings.
    reword: fn(&str) -> String,
    compared: OnceCell<()>,
    /// The newest version, where each version is a KEK of its own. Asked for once.
    newest: OnceCell<Option<Arc<dyn KeyEncryptionKey>>>,
    /// Other versions of the key, which unwrap what they have wrapped.
    versions: Mutex<Vec<Arc<dyn KeyEncryptionKey>>>,
}

#[derive(Debug)]
struct Opened {
    kek: Arc<dyn KeyEncryptionKey>,
    /// Whether the settings may name another key by now.
    may_have_moved: bool,
}

impl ServiceKek {
    /// Creates the KEK that `settings` name. Does no I/O.
    #[must_use]
    pub fn new(
        settings: KekSettings,
        credential: StoreCredential,
        connector: Arc<dyn ConnectKek>,
    ) -> Self {
        let unknown = KekId {
            provider: settings.kind.clone(),
            id: String::new(),
        };
        Self {
            settings,
            credential,
            connector,
            unknown,
            opened: OnceLock::new(),
            installed: OnceLock::new(),
            reword: str::to_owned,
            compared: OnceCell::new(),
            newest: OnceCell::new(),
            versions: Mutex::default(),
        }
    }

    /// Sets how remedies are put into words: a type of key names the arguments of a backend,
    /// which the place of these settings may not have.
    #[must_use]
    pub fn with_remedies(self, reword: fn(&str) -> String) -> Self {
        Self { reword, ..self }
    }

    fn reworded(&self, error: KekError) -> KekError {
        reworded(self.reword, error)
    }

    /// Returns the key, whether or not it is the one that the settings name.
    fn opened(&self) -> Option<&Opened> {
        self.installed.get().or_else(|| self.opened.get())
    }

    /// Returns the key, once it is known to be the one that the settings name.
    async fn current(&self) -> Result<&dyn KeyEncryptionKey, KekError> {
        let opened = self.opened().ok_or_else(|| {
            KekError::new(
                KekErrorKind::NotFound,
                "open key",
                self.settings.kind.as_str(),
            )
            .with_remedy(
                "The organization's record names no key of this type. Configure the key \
                     that the organization was created with.",
            )
        })?;
        if opened.may_have_moved {
            let compare = self
                .compared
                .get_or_try_init(|| self.compare(opened.kek.id()));
            compare.await?;
        }
        Ok(opened.kek.as_ref())
    }

    /// Asks the service whether an alias still names the key of the record.
    async fn compare(&self, id: &KekId) -> Result<(), KekError> {
        let is_still = self
            .connector
            .is_still(&self.settings, &self.credential, id);
        match is_still.await.map_err(|error| self.reworded(error))? {
            true => Ok(()),
            false => Err(KekError::new(
                KekErrorKind::Misconfigured,
                "compare key",
                id.id.as_str(),
            )
            .with_remedy(format!(
                "The encryption settings now name another key than the organization's own: an \
                 alias was moved, or somebody put another record in the place of the \
                 organization's. Nothing was encrypted or decrypted. Move the alias back, or name \
                 the key itself: {}. An organization never moves to another key by itself.",
                id.id
            ))),
        }
    }

    /// Asks the service for the newest version of the opened key, where each version is a KEK of
    /// its own. As long as that one cannot be used, nothing takes the place of the opened one.
    async fn newest_version(
        &self,
        opened: &Opened,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let asked = self
            .connector
            .newest_version(&self.settings, &self.credential);
        match asked.await {
            Ok(newest) => Ok(newest.map(|newest| self.in_own_words(newest))),
            Err(error)
                if matches!(
                    error.kind(),
                    KekErrorKind::Disabled | KekErrorKind::Misconfigured
                ) =>
            {
                let key = opened.kek.id();
                tracing::warn!(%error, %key, "the key's newest version is not used");
                Ok(None)
            }
            Err(error) => Err(gone_for_good(self.reworded(error))),
        }
    }

    /// Puts the remedies of an opened key into the words of the settings.
    fn in_own_words(&self, kek: Arc<dyn KeyEncryptionKey>) -> Arc<dyn KeyEncryptionKey> {
        Arc::new(Reworded {
            kek,
            reword: self.reword,
        })
    }

    fn keep(&self, kek: Arc<dyn KeyEncryptionKey>, may_have_moved: bool) {
        let opened = Opened {
            kek: self.in_own_words(kek),
            may_have_moved,
        };
        // Another task may have been first. It has asked for the same key.
        let _first_wins = self.opened.set(opened);
    }

    /// Returns the error of a record that names another key than the settings.
    fn another(&self, id: &KekId, error: KekError) -> KekError {
        KekError::new(KekErrorKind::Misconfigured, "open key", id.id.as_str())
            .with_remedy(format!(
                "The organization was created with the key {}:{}, and the encryption settings \
                 name another one. Configure that key. If nobody of yours created the \
                 organization with it, find out who can write to the platform's storage.",
                id.provider, id.id
            ))
            .with_source(error)
    }
}

impl fmt::Debug for ServiceKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKek")
            .field("settings", &self.settings)
            .field("opened", &self.opened())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyEncryptionKey for ServiceKek {
    /// Returns the identifier of the record, or of the key that first use has resolved.
    /// Before both, an identifier that no wrap has.
    fn id(&self) -> &KekId {
        self.opened()
            .map_or(&self.unknown, |opened| opened.kek.id())
    }

    async fn prepare(&self) -> Result<(), KekError> {
        if self.opened().is_none() {
            return Ok(());
        }
        let current = self.current().await?;
        if self.successor().await?.is_some() {
            return Ok(());
        }
        current.prepare().await
    }

    async fn successor(&self) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let Some(opened) = self.opened().filter(|_| self.installed.get().is_none()) else {
            return Ok(None);
        };
        let newest = self.newest.get_or_try_init(|| self.newest_version(opened));
        Ok(newest.await?.clone())
    }

    fn version(&self, id: &KekId) -> Option<Arc<dyn KeyEncryptionKey>> {
        // Before the record was read, nothing says that the settings name this key.
        self.opened()?;
        if !self.connector.names(&self.settings, id) {
            return None;
        }
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = versions.iter().find(|known| known.id() == id) {
            return Some(Arc::clone(known));
        }
        let opened = self.connector.open(&self.settings, &self.credential, id);
        // Another form of the key's identifier is of no wrap that this provider made.
        let opened = self.in_own_words(opened.ok().filter(|kek| kek.id() == id)?);
        versions.push(Arc::clone(&opened));
        Some(opened)
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        let wrapped = self.current().await?.wrap(dek, context).await;
        wrapped.map_err(gone_for_good)
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.current().await?.unwrap(wrapped, context).await
    }

    fn claimed_names(&self, wrapped: &WrappedKey) -> Option<WrapNames> {
        self.opened()?.kek.claimed_names(wrapped)
    }

    fn concurrency(&self) -> usize {
        self.opened()
            .map_or(super::CONCURRENT_CALLS, |opened| opened.kek.concurrency())
    }

    fn rewraps_in_service(&self) -> bool {
        self.opened()
            .is_some_and(|opened| opened.kek.rewraps_in_service())
    }

    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        match self.current().await {
            Ok(kek) => kek.rewrap(wraps).await,
            Err(error) => super::failed_for_all(error, wraps.len()),
        }
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.opened()?.kek.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        self.opened()
            .map_or(MAX_WRAPPED_BYTES, |opened| opened.kek.max_wrapped_bytes())
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        let current = self.current().await?;
        let newest = self.successor().await?;
        newest.as_deref().unwrap_or(current).describe().await
    }
}

#[async_trait]
impl ProvisionKek for ServiceKek {
    /// Checks that the key is the one that the settings name. Creates nothing: the key is the
    /// customer's.
    async fn provision(&self) -> Result<(), KekError> {
        self.current().await.map(drop)
    }

    fn is_recorded(&self) -> bool {
        true
    }

    async fn resolve(&self) -> Result<(), KekError> {
        if self.opened.get().is_some() {
            return Ok(());
        }
        let resolved = self
            .connector
            .resolve(&self.settings, &self.credential)
            .await
            .map_err(|error| self.reworded(error))?;
        self.keep(resolved.kek, false);
        // A key is resolved to its newest version.
        let _first_wins = self.newest.set(None);
        Ok(())
    }

    async fn resolve_newest(&self) -> Result<(), KekError> {
        self.resolve_newest_version().await
    }

    async fn resolve_newest_version(&self) -> Result<(), KekError> {
        if let Some(newest) = self.successor().await? {
            let _first_wins = self.installed.set(Opened {
                kek: newest,
                may_have_moved: false,
            });
        }
        Ok(())
    }

    async fn resolve_anew(&self) -> Result<(), KekError> {
        let resolved = self
            .connector
            .resolve(&self.settings, &self.credential)
            .await
            .map_err(|error| self.reworded(error))?;
        let is_known = self.opened().is_some_and(|it| *it.kek.id() == resolved.id);
        if !is_known {
            let _first_wins = self.installed.set(Opened {
                kek: self.in_own_words(resolved.kek),
                may_have_moved: false,
            });
        }
        Ok(())
    }

    fn expect_recorded(&self, id: &KekId) -> Result<(), KekError> {
        if let Some(opened) = self.opened.get() {
            let is_ours = opened.kek.id() == id || self.version(id).is_some();
            return match is_ours {
                true => Ok(()),
                false => {
                    let kind = KekErrorKind::Misconfigured;
                    let found = opened.kek.id().id.as_str();
                    Err(self.another(id, KekError::new(kind, "resolve key", found)))
                }
            };
        }
        self.connector
            .check(&self.settings, Some(&self.credential))?;
        let kek = self.connector.open(&self.settings, &self.credential, id);
        let kek = kek.map_err(|error| self.another(id, error))?;
        let is_named = self.connector.names(&self.settings, id);
        let may_have_moved = !is_named && self.connector.may_move(&self.settings);
        self.keep(kek, may_have_moved);
        Ok(())
    }
}

/// Adds how to replace a key, or the version of one, that is gone for good.
fn gone_for_good(error: KekError) -> KekError {
    match error.kind() {
        KekErrorKind::Disabled | KekErrorKind::NotFound => {
            let remedy = error.remedy().unwrap_or_default();
            let remedy = format!("{remedy} {INSTALL}");
            error.with_remedy(remedy.trim_start())
        }
        _ => error,
    }
}

const INSTALL: &str = "This is the organization's own key, which its record names: no apply moves \
                       it to another key, and a plain rewrap moves to a newer version of the same \
                       key only. If it cannot be enabled again, install the key that the settings \
                       name now, with an escrow identity: run the command rewrap --with.";
