//! A key in the Transit engine of OpenBAO or HashiCorp Vault.

mod coalesce;
mod refusals;
mod wrap_text;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::openbao::client::{
    Encrypted, MAX_BATCH, OpenBaoClient, OpenBaoError, OpenBaoErrorKind, Outcomes, Plain,
    PolicyScope, Transit, TransitKey, first_use_text,
};
use coalesce::Coalescer;
use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, KeyRotation, ProvisionKek, Rewrap,
    WrapContext,
};
use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};
use planton_secret::SecretBytes;
use wrap_text::{FIRST_VERSION, MAX_WRAPPED_BYTES, text_of, version_of};

const PROVIDER: &str = "transit";

/// The period after which the server rotates a key that the provider creates, unless the
/// configuration sets another one: 90 days.
pub const DEFAULT_ROTATION_PERIOD: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Maximum wait for a stale standby: ten seconds, where standbys lag by less than one.
const CATCH_UP_TRIES: u32 = 100;
const CATCH_UP_WAIT: Duration = Duration::from_millis(100);

/// Maximum wait for a stale standby whose lag no fence proves: one second.
const UNPROVEN_TRIES: u32 = 10;

/// A Transit key. It is `derived`, so that each binding has its own key.
///
/// The binding is Transit's `context`, and not its `associated_data`, with which
/// `rewrap` fails: <https://github.com/hashicorp/vault/issues/29532>.
///
/// Wraps of concurrent callers share a request, and so do unwraps.
///
/// # Security
///
/// The key is read before the first wrap, once per process. With a token that may
/// create keys, Transit would otherwise create a missing key, and not a derived one:
/// <https://github.com/hashicorp/vault/pull/18272>.
#[derive(Debug)]
pub struct TransitKek {
    client: OpenBaoClient,
    transit: Transit,
    key: String,
    id: KekId,
    owner: Owner,
    /// Period after which the server rotates a key that [`ProvisionKek`] creates.
    rotation_period: Option<Duration>,
    looked_at: OnceCell<()>,
    caught_up: OnceCell<()>,
    encryptions: Coalescer<Plain, String>,
    decryptions: Coalescer<Encrypted, SecretBytes>,
}

/// The owner of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// The platform: nobody outside the server may have a copy of the key.
    Platform {
        /// Whether the key wraps the MAC key only. After first use, nothing encrypts with
        /// it.
        is_for_mac_key: bool,
        /// The rules that first use requires beyond the apply policy.
        first_use: String,
    },
    /// A customer, who may have imported the key and may keep a copy.
    Customer,
}

impl TransitKek {
    //= docs/format.md#14-transit-kek
    //# A writer MUST write `transit` as `provider`, and as `kek_id` the engine's mount, `/`
    //# and the key's name, without a version.
    fn of_platform(
        client: &OpenBaoClient,
        scope: &PolicyScope,
        key: String,
        is_for_mac_key: bool,
    ) -> Self {
        let owner = Owner::Platform {
            is_for_mac_key,
            first_use: first_use_text(scope),
        };
        let id = KekId {
            provider: PROVIDER.to_owned(),
            id: format!("{}/{key}", client.transit().mount()),
        };
        Self::new(client, key, id, owner)
    }

    /// Uses an organization's own key on its platform, `planton-{organization}`.
    #[must_use]
    pub fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        Self::of_platform(client, scope, scope.transit_key(), false)
    }

    /// Uses the key of an organization's MAC key on its platform, `planton-{organization}.mac`.
    #[must_use]
    pub fn platform_mac(client: &OpenBaoClient, scope: &PolicyScope) -> Self {
        Self::of_platform(client, scope, scope.transit_mac_key(), true)
    }

    /// Uses a customer's key in the client's Transit mount.
    #[must_use]
    pub fn customers(client: &OpenBaoClient, key: impl Into<String>, id: KekId) -> Self {
        Self::new(client, key.into(), id, Owner::Customer)
    }

    /// Sets the period after which the server rotates the key, if the provider creates it;
    /// `None` for never. Default: [`DEFAULT_ROTATION_PERIOD`].
    #[must_use]
    pub fn rotated_every(self, rotation_period: Option<Duration>) -> Self {
        Self {
            rotation_period,
            ..self
        }
    }

    fn new(client: &OpenBaoClient, key: String, id: KekId, owner: Owner) -> Self {
        let transit = client.transit();
        let at = |api: &str| format!("{}/{api}/{key}", transit.mount());
        let engine = || (transit.clone(), key.clone());
        let (encrypting, decrypting) = (engine(), engine());
        Self {
            client: client.clone(),
            encryptions: Coalescer::new("encrypt", at("encrypt"), move |items| {
                encrypt(encrypting.clone(), items)
            }),
            decryptions: Coalescer::new("decrypt", at("decrypt"), move |items| {
                decrypt(decrypting.clone(), items)
            }),
            key,
            transit,
            id,
            owner,
            rotation_period: Some(DEFAULT_ROTATION_PERIOD),
            looked_at: OnceCell::new(),
            caught_up: OnceCell::new(),
        }
    }

    /// Reads and checks the key, once per process.
    async fn look(&self) -> Result<(), KekError> {
        let look = || async {
            let key = self
                .key_fenced()
                .await
                .map_err(|error| self.explain(error))?;
            match key {
                Some(key) => self.check(&key),
                None => Err(self.missing("read key")),
            }
        };
        self.looked_at.get_or_try_init(look).await.copied()
    }

    /// Reads the key. If it is absent, reads it again behind a fence.
    async fn key_fenced(&self) -> Result<Option<TransitKey>, OpenBaoError> {
        let key = self.transit.key(&self.key).await?;
        if key.is_some() {
            return Ok(key);
        }
        self.client.fence().await?.transit().key(&self.key).await
    }

    /// Waits until the addressed node has `version` of the key, if standbys may be
    /// stale.
    ///
    /// An unwrap cannot use the fenced route, which wraps responses: the server would
    /// store the data key.
    async fn await_version(&self, version: u64) -> Result<(), OpenBaoError> {
        if !self.client.has_fences() {
            return self.await_unproven_version(version).await;
        }
        let fenced = self.client.fence().await?;
        if !self.client.lets_standbys_lag() {
            return Ok(());
        }
        let Some(key) = fenced.transit().key(&self.key).await? else {
            return Ok(());
        };
        let version = version.min(key.latest_version);
        self.await_version_on_node(version, CATCH_UP_TRIES).await
    }

    /// As [`await_version`](Self::await_version), without the proof that the version
    /// exists: for a client without fences, as a customer's key has it.
    async fn await_unproven_version(&self, version: u64) -> Result<(), OpenBaoError> {
        let waited = self.await_version_on_node(version, UNPROVEN_TRIES).await;
        match waited {
            // A role that may only decrypt: nothing is known of the node.
            Err(error) if error.kind() == OpenBaoErrorKind::PermissionDenied => Ok(()),
            waited => waited,
        }
    }

    async fn await_version_on_node(&self, version: u64, tries: u32) -> Result<(), OpenBaoError> {
        for _ in 0..tries {
            let known = self.transit.key(&self.key).await?;
            if known.is_some_and(|known| known.latest_version >= version) {
                break;
            }
            tokio::time::sleep(CATCH_UP_WAIT).await;
        }
        Ok(())
    }

    /// Returns true for an error that a stale standby may cause, which lacks a new key or
    /// a new version of it.
    fn may_be_stale(&self, error: &OpenBaoError) -> bool {
        let kinds = [OpenBaoErrorKind::NotFound, OpenBaoErrorKind::Refused];
        kinds.contains(&error.kind()) && !(self.client.has_fences() && self.client.is_fenced())
    }

    async fn encrypt(&self, dek: &DataKey, binding: &WrapBinding) -> Result<String, OpenBaoError> {
        let submit = || {
            self.encryptions.submit(Plain {
                plaintext: SecretBytes::from(dek.expose().as_slice()),
                context: *binding.as_bytes(),
            })
        };
        let outcome = submit().await;
        // A stale standby without the new key handles this request as its creation,
        // which requires another permission.
        if outcome.is_err() && self.client.lets_standbys_lag() {
            self.await_version(FIRST_VERSION).await?;
            return submit().await;
        }
        outcome
    }

    /// Makes sure, once per process, that the addressed node has the newest version of the
    /// key, which a rewrap is to use.
    async fn catch_up(&self) -> Result<(), OpenBaoError> {
        let has_standbys = || async {
            if !self.client.has_fences() {
                return Ok(());
            }
            self.await_version(u64::MAX).await
        };
        self.caught_up.get_or_try_init(has_standbys).await.copied()
    }

    /// Rewraps one batch. Each item fails by itself.
    async fn rewrap_batch(&self, items: &[Encrypted]) -> Outcomes<String> {
        let send = async |items: &[Encrypted]| {
            let outcomes = self.transit.rewrap_batch(&self.key, items).await;
            outcomes.unwrap_or_else(|error| items.iter().map(|_| Err(error.repeated())).collect())
        };
        let mut outcomes = send(items).await;
        let is_stale = |at: &usize| {
            let failed = outcomes[*at].as_ref().err();
            failed.is_some_and(|error| self.may_be_stale(error))
        };
        let again: Vec<usize> = (0..items.len()).filter(is_stale).collect();
        let version = again
            .iter()
            .map(|at| version_of(&items[*at].ciphertext))
            .max();
        let Some(version) = version else {
            return outcomes;
        };
        if let Err(error) = self.await_version(version).await {
            for at in again {
                outcomes[at] = Err(error.repeated());
            }
            return outcomes;
        }
        let repeated: Vec<Encrypted> = again.iter().map(|at| items[*at].clone()).collect();
        for (at, outcome) in again.into_iter().zip(send(&repeated).await) {
            outcomes[at] = outcome;
        }
        outcomes
    }

    /// Returns what the engine is asked to open; `None` for no wrap of its own.
    fn encrypted(wrapped: &WrappedKey, context: &WrapContext<'_>) -> Option<Encrypted> {
        Some(Encrypted {
            ciphertext: text_of(wrapped.as_bytes())?.to_owned(),
            context: *context.binding.as_bytes(),
        })
    }

    /// Takes a ciphertext of the engine for a wrap.
    fn wrapped(&self, ciphertext: String, operation: &'static str) -> Result<WrappedKey, KekError> {
        if text_of(ciphertext.as_bytes()).is_none() {
            return Err(self
                .error(KekErrorKind::Misconfigured, operation)
                .with_remedy("The answer is none of Transit's: check the mount."));
        }
        Ok(WrappedKey::new(ciphertext.into_bytes()))
    }
}

/// Encrypts a batch. One item is sent as a request of its own.
async fn encrypt(
    (transit, key): (Transit, String),
    items: Vec<Plain>,
) -> Result<Outcomes<String>, OpenBaoError> {
    match items.as_slice() {
        [one] => {
            let (plaintext, context) = (one.plaintext.expose(), &one.context);
            Ok(vec![transit.encrypt(&key, plaintext, context).await])
        }
        items => transit.encrypt_batch(&key, items).await,
    }
}

/// Decrypts a batch. One item is sent as a request of its own.
async fn decrypt(
    (transit, key): (Transit, String),
    items: Vec<Encrypted>,
) -> Result<Outcomes<SecretBytes>, OpenBaoError> {
    match items.as_slice() {
        [one] => {
            let (ciphertext, context) = (&one.ciphertext, &one.context);
            Ok(vec![transit.decrypt(&key, ciphertext, context).await])
        }
        items => transit.decrypt_batch(&key, items).await,
    }
}

/// Returns whether a wrap is under the newest version of its key; `None` if it is no wrap of
/// Transit's, or the version is not known.
pub(super) fn is_newest_wrap(wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
    let ciphertext = text_of(wrapped.as_bytes())?;
    Some(version_of(ciphertext) >= description.newest_version?)
}

/// Returns the length of the longest wrap of a Transit key.
pub(super) fn max_wrapped_bytes() -> usize {
    MAX_WRAPPED_BYTES
}

#[async_trait]
impl KeyEncryptionKey for TransitKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn prepare(&self) -> Result<(), KekError> {
        self.look().await
    }

    //= docs/format.md#14-transit-kek
    //# A writer MUST write the `ciphertext` that the engine returns as `wrapped`, unchanged.
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.look().await?;
        let ciphertext = self.encrypt(dek, &context.binding).await;
        let ciphertext = ciphertext.map_err(|error| self.explain(error))?;
        self.wrapped(ciphertext, "encrypt")
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        let refused = || self.error(KekErrorKind::Refused, "decrypt");
        let item = Self::encrypted(wrapped, &context).ok_or_else(refused)?;
        let version = version_of(&item.ciphertext);
        let mut outcome = self.decryptions.submit(item.clone()).await;
        if outcome
            .as_ref()
            .is_err_and(|error| self.may_be_stale(error))
        {
            let caught_up = self.await_version(version).await;
            caught_up.map_err(|error| self.explain(error))?;
            outcome = self.decryptions.submit(item).await;
        }
        let plaintext = outcome.map_err(|error| self.explain(error))?;
        let key = plaintext.expose().try_into().map_err(|_| refused())?;
        Ok(DataKey::copy_of(key))
    }

    fn rewraps_in_service(&self) -> bool {
        true
    }

    /// Rewraps inside the engine, which keeps the data keys.
    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let ready = async {
            self.look().await?;
            self.catch_up().await.map_err(|error| self.explain(error))
        };
        if let Err(error) = ready.await {
            return Self::all_failed(wraps, &error);
        }
        let mut rewrapped = Vec::with_capacity(wraps.len());
        for wraps in wraps.chunks(MAX_BATCH) {
            let items = wraps
                .iter()
                .map(|one| Self::encrypted(one.wrapped, &one.context));
            let items: Vec<Option<Encrypted>> = items.collect();
            let sent: Vec<Encrypted> = items.iter().flatten().cloned().collect();
            let mut outcomes = self.rewrap_batch(&sent).await.into_iter();
            for item in items {
                let outcome = item.and_then(|_| outcomes.next());
                rewrapped.push(match outcome {
                    Some(Ok(ciphertext)) => self.wrapped(ciphertext, "rewrap"),
                    Some(Err(error)) => Err(self.explain(error)),
                    None => Err(self.error(KekErrorKind::Refused, "rewrap")),
                });
            }
        }
        rewrapped
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        is_newest_wrap(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        max_wrapped_bytes()
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        // Behind a fence: an older version would pass for the newest.
        let key = async { self.client.fence().await?.transit().key(&self.key).await };
        let key = key.await.map_err(|error| self.explain(error))?;
        let key = key.ok_or_else(|| self.missing("read key"))?;
        self.check(&key)?;
        Ok(KeyDescription {
            rotation: match key.auto_rotate_period {
                // Its owner would have to import another version.
                _ if key.imported_key && !key.imported_key_allow_rotation => KeyRotation::Never,
                0 => KeyRotation::Manual,
                seconds => KeyRotation::Every(Duration::from_secs(seconds)),
            },
            newest_version: Some(key.latest_version),
        })
    }
}

#[async_trait]
impl ProvisionKek for TransitKek {
    async fn provision(&self) -> Result<(), KekError> {
        // An administrator may have created it, where no role has that permission. No
        // fence: a creation does not change an existing key.
        let key = self.transit.key(&self.key).await;
        if let Some(key) = key.map_err(|error| self.explain(error))? {
            self.check(&key)?;
            // Another task may have checked the key in the meantime.
            let _ = self.looked_at.set(());
            return Ok(());
        }
        // Creation is idempotent: a second one changes nothing and also succeeds.
        let created = self
            .transit
            .create_derived_key(&self.key, self.rotation_period)
            .await;
        if let Err(error) = created {
            return Err(self.explain_creation(error).await);
        }
        self.look().await
    }
}
