//! Seals a value, puts it into its backend, and opens what a backend returns.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::steps::{Interrupt, crash_point};
use super::{Backend, OperationError};
use crate::catalog::{SecretRecord, VersionRecord};
use crate::kek::{KekError, KekErrorKind};
use crate::names::SecretName;
use crate::store::{NativeVersionId, PayloadEncoding, PutOptions, StoreCapability, StoreErrorKind};
use planton_envelope::{
    Context, DataKey, Envelope, Fingerprint, KekId, Purpose, Sealer, SecretValue,
    max_plaintext_bytes,
};
use planton_secret::SecretBytes;

/// The context of one version of a secret.
pub(super) fn context(organization: Uuid, secret: &SecretRecord, version: u64) -> Context {
    Context {
        purpose: Purpose::Secret,
        organization,
        object: secret.uuid,
        backend: secret.backend,
        version,
        configuration_digest: None,
    }
}

/// Returns the size of the longest plaintext that a store holds, in bytes.
pub(super) fn max_plaintext(capability: &StoreCapability) -> usize {
    let text = capability.encoding == PayloadEncoding::Text;
    max_plaintext_bytes(capability.max_payload_bytes, text)
}

/// Refuses a plaintext beyond what a store can hold; before anything is written.
//= docs/format.md#23-limits
//# A writer MUST refuse a value if the greatest possible envelope around it would not fit its
//# secret backend.
pub(super) fn check_size(
    capability: &StoreCapability,
    plaintext: &SecretBytes,
) -> Result<(), OperationError> {
    let limit = max_plaintext(capability);
    if plaintext.len() <= limit {
        return Ok(());
    }
    // The kind byte is ours: people count their own bytes.
    Err(OperationError::ValueTooLarge {
        bytes: plaintext.len() - 1,
        limit: limit - 1,
        vendor: capability.vendor,
    })
}

/// A value that is sealed as one version of a secret, and not put yet.
pub(super) struct Sealed {
    number: u64,
    payload: Vec<u8>,
    payload_sha256: String,
    kek: KekId,
    fingerprint: Fingerprint,
}

impl Backend {
    /// Seals `plaintext` as version `number` of `secret`.
    pub(super) async fn seal(
        &self,
        organization: Uuid,
        secret: &SecretRecord,
        number: u64,
        plaintext: &SecretBytes,
        interrupt: &Interrupt,
    ) -> Result<Sealed, OperationError> {
        check_size(self.store.capability(), plaintext)?;
        interrupt.before("wrap")?;
        let sealer = Sealer::new(context(organization, secret, number))
            .map_err(|_| OperationError::Randomness)?;
        let kek = self.kek.id().clone();
        let wrapped = self
            .kek
            .wrap(sealer.data_key(), &sealer.binding(&kek))
            .await?;
        let fingerprint = sealer.fingerprint(plaintext);
        let envelope = sealer
            .seal(vec![(kek.clone(), wrapped)], plaintext)
            // The plaintext's length is checked: what does not fit is the wrap.
            .map_err(|error| {
                let kek = self.kek.id().id.as_str();
                KekError::new(KekErrorKind::Misconfigured, "wrap", kek).with_source(error)
            })?;
        Ok(Sealed {
            number,
            payload: match self.store.capability().encoding {
                PayloadEncoding::Binary => envelope.encode(),
                PayloadEncoding::Text => envelope.encode_text().into_bytes(),
            },
            payload_sha256: hex::encode(envelope.payload_digest()),
            kek,
            fingerprint,
        })
    }

    /// Puts a sealed version into the object that `secret` names: a new one where
    /// `keep` is empty, and one that exists otherwise.
    ///
    /// # Errors
    ///
    /// `Store(NotFound)` where an object that should exist does not.
    pub(super) async fn put(
        &self,
        secret: &SecretRecord,
        sealed: &Sealed,
        keep: Vec<NativeVersionId>,
        interrupt: &Interrupt,
    ) -> Result<VersionRecord, OperationError> {
        self.expect_place().await?;
        interrupt.before("put")?;
        let options = PutOptions {
            version: sealed.number,
            attempt: Uuid::new_v4(),
            keep,
            labels: self.labels(secret),
        };
        let native_id = self
            .store
            .put(&secret.remote_name, &sealed.payload, options)
            .await?;
        let now = Timestamp::now();
        Ok(VersionRecord {
            number: sealed.number,
            revision: u64::try_from(now.as_millisecond()).unwrap_or_default(),
            native_id,
            payload_sha256: sealed.payload_sha256.clone(),
            keks: vec![sealed.kek.clone()],
            fingerprint: sealed.fingerprint,
            created_at: now,
        })
    }

    /// Says to people who look at the backend whose object it is. Only what never
    /// changes: nothing rewrites it.
    fn labels(&self, secret: &SecretRecord) -> BTreeMap<String, String> {
        let SecretName { environment, name } = &secret.name;
        let mut labels = vec![
            ("planton-organization", self.organization.to_string()),
            ("planton-secret", name.to_string()),
            ("planton-id", secret.uuid.to_string()),
        ];
        if let Some(environment) = environment {
            labels.push(("planton-environment", environment.to_string()));
        }
        let own = |(key, text): (&str, String)| (key.to_owned(), text);
        labels.into_iter().map(own).collect()
    }

    /// Fetches the envelope of `version` and unwraps its key. The envelope is
    /// the one that the verified record names, or refused.
    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST decide whether an envelope is well-formed before it uses any key.
    pub(super) async fn fetch(
        &self,
        organization: Uuid,
        secret: &SecretRecord,
        version: &VersionRecord,
    ) -> Result<Fetched, OperationError> {
        let name = secret.name.to_string();
        let number = version.number;
        let stored = self
            .store
            .get(&secret.remote_name, &version.native_id)
            .await;
        let stored = stored.map_err(|error| match error.kind() {
            StoreErrorKind::NotFound => None,
            _ => Some(error),
        });
        let stored = match stored {
            Ok(stored) => stored,
            Err(Some(error)) => return Err(error.into()),
            Err(None) => {
                self.expect_place().await?;
                return Err(OperationError::VersionLost {
                    secret: name,
                    version: number,
                });
            }
        };
        let refused = || OperationError::EnvelopeRefused {
            secret: name.clone(),
            version: number,
        };
        let envelope =
            Envelope::parse_stored(&stored).map_err(|_| OperationError::EnvelopeMalformed {
                secret: name.clone(),
                version: number,
            })?;
        //= docs/format.md#16-payload-digest
        //# A reader MUST NOT open an envelope whose digest differs from the record's.
        if hex::encode(envelope.payload_digest()) != version.payload_sha256 {
            return Err(refused());
        }
        //= docs/format.md#11-opening
        //# A reader MUST NOT use a wrapped DEK of a KEK that the catalog does not name for the
        //# version.
        // Which KEKs may open comes from the catalog, never from the envelope alone.
        let kek_id = self.kek.id();
        if !version.keks.contains(kek_id) {
            return Err(refused());
        }
        let wrapped = envelope.wrapped_keys().iter().find(|(id, _)| id == kek_id);
        let (_, wrapped) = wrapped.ok_or_else(refused)?;
        let context = context(organization, secret, number);
        let binding = envelope.binding_in(&context, kek_id);
        crash_point("unwrap");
        let data_key = self.kek.unwrap(wrapped, &binding).await.map_err(|error| {
            if error.kind() == KekErrorKind::Refused {
                refused()
            } else {
                error.into()
            }
        })?;
        Ok(Fetched {
            envelope,
            data_key,
            context,
        })
    }
}

/// An envelope with its key, not opened yet.
#[derive(Debug)]
pub(super) struct Fetched {
    envelope: Envelope,
    data_key: DataKey,
    context: Context,
}

impl Fetched {
    /// Decrypts the value; `None` when the envelope is refused.
    pub(super) fn open(&self) -> Option<SecretValue> {
        let opened = self.envelope.open(&self.data_key, &self.context).ok()?;
        SecretValue::from_plaintext(&opened.plaintext).ok()
    }

    /// Says whether `candidate` is the value, without decrypting it; `None`
    /// when the envelope is refused.
    pub(super) fn is_value(
        &self,
        candidate: &SecretBytes,
        version: &VersionRecord,
    ) -> Option<bool> {
        let fingerprint = self
            .envelope
            .fingerprint(&self.data_key, &self.context, candidate)
            .ok()?;
        Some(fingerprint == version.fingerprint)
    }
}
