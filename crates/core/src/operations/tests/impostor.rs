//! An attacker answers in place of the store, without the MAC key of the record.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use planton_envelope::{Envelope, Sealer, SecretValue};

use super::*;
use crate::kek::{KeyEncryptionKey, WrapNames};
use crate::operations::secrets::context;
use crate::store::{
    Deletion, DescribeOptions, InMemoryStore, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreCapability, StoreError, VersionStatus,
};

/// A store whose responses an attacker may replace.
#[derive(Debug)]
struct Impostor {
    inner: Arc<InMemoryStore>,
    answer: Mutex<Option<Vec<u8>>>,
}

impl Impostor {
    /// Returns an impostor of the store of `world`, and a process that uses it.
    fn before(world: &World) -> (Arc<Self>, Organization) {
        let impostor = Arc::new(Self {
            inner: Arc::clone(&world.store),
            answer: Mutex::new(None),
        });
        let mut platform = world.platform();
        platform.store = Arc::clone(&impostor) as _;
        (impostor, Organization::new(world::acme(), platform))
    }

    fn answer(&self, payload: Vec<u8>) {
        *self.answer.lock().unwrap() = Some(payload);
    }

    async fn payload(&self, view: &SecretView, world: &World, version: u64) -> Vec<u8> {
        let document = world.document(&view.name).await;
        let secret = document.secret(view.uuid).unwrap();
        let version = secret
            .versions
            .iter()
            .find(|v| v.number == version)
            .unwrap();
        self.inner
            .get(&secret.remote_name, &version.native_id)
            .await
            .unwrap()
    }
}

#[async_trait]
impl SecretStore for Impostor {
    fn capability(&self) -> &StoreCapability {
        self.inner.capability()
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        self.inner.put(name, payload, options).await
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Some(payload) => Ok(payload),
            None => self.inner.get(name, version).await,
        }
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        self.inner.describe(name, options).await
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        self.inner.delete(name, what).await
    }
}

#[tokio::test]
async fn an_envelope_in_anothers_place_is_refused() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let process = world.warm().await;
    let view = created(&world, "db", "v1").await;
    let view = process
        .secrets()
        .update(rotate(&view, "v2"), &interrupt)
        .await
        .unwrap();
    let other = created(&world, "other", "v2").await;
    let stranger = World::new();
    let abroad = created(&stranger, "db", "v2").await;
    let (impostor, process) = Impostor::before(&world);
    let selector = Selector::Uuid(view.uuid);
    let own = impostor.payload(&view, &world, 2).await;
    let abroad = Impostor {
        inner: Arc::clone(&stranger.store),
        answer: Mutex::new(None),
    }
    .payload(&abroad, &stranger, 1)
    .await;
    let foreign = [
        impostor.payload(&view, &world, 1).await,
        impostor.payload(&other, &world, 1).await,
        abroad,
    ];
    for payload in foreign {
        impostor.answer(payload);
        let opened = process.secrets().open(&selector, None).await;
        let refused = matches!(
            opened,
            Err(OperationError::EnvelopeRefused { version: 2, .. })
        );
        assert!(refused, "{opened:?}");
        let compared = process
            .secrets()
            .is_current_value(view.uuid, &text("v2"))
            .await;
        assert!(matches!(
            compared,
            Err(OperationError::EnvelopeRefused { .. })
        ));
    }
    for cut in [0, 3, 64, own.len() / 2, own.len() - 1] {
        impostor.answer(own[..cut].to_vec());
        let opened = process.secrets().open(&selector, None).await;
        let malformed = matches!(
            opened,
            Err(OperationError::EnvelopeMalformed { version: 2, .. })
        );
        assert!(malformed, "{cut}: {opened:?}");
    }
    // One byte of each part: context, wrap, salt, commitment, ciphertext, tag.
    for at in [
        10,
        30,
        50,
        64,
        140,
        own.len() - 90,
        own.len() - 40,
        own.len() - 1,
    ] {
        let mut flipped = own.clone();
        flipped[at] ^= 1;
        impostor.answer(flipped);
        let opened = process.secrets().open(&selector, None).await;
        let refused = matches!(
            opened,
            Err(OperationError::EnvelopeRefused { .. } | OperationError::EnvelopeMalformed { .. })
        );
        assert!(refused, "{at}: {opened:?}");
    }
    impostor.answer(own);
    assert_eq!(
        world::exposed(&process.secrets().open(&selector, None).await.unwrap().value),
        "v2"
    );
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST decide whether an envelope is well-formed before it uses any key.
#[tokio::test]
async fn a_malformed_envelope_reaches_no_key() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let (impostor, process) = Impostor::before(&world);
    let selector = Selector::Uuid(view.uuid);
    process.secrets().open(&selector, None).await.unwrap();
    let unwrapped = world.counts().unwrap;

    let mut longer = impostor.payload(&view, &world, 1).await;
    longer.push(0);
    impostor.answer(longer);
    let opened = process.secrets().open(&selector, None).await;
    let malformed = matches!(opened, Err(OperationError::EnvelopeMalformed { .. }));
    assert!(malformed, "{opened:?}");
    assert_eq!(world.counts().unwrap, unwrapped);
}

//= docs/format.md#16-payload-digest
//= type=test
//# A reader MUST NOT open an envelope whose digest differs from the record's.
#[tokio::test]
async fn another_envelope_of_the_same_version_is_refused_by_its_digest() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let (impostor, process) = Impostor::before(&world);
    let document = world.document(&view.name).await;
    let organization = process.existing().await.unwrap().uuid;
    let context = context(organization, document.secret(view.uuid).unwrap(), 1);

    // A client that may encrypt under the KEK seals an envelope that is valid in every other
    // respect.
    let kek = &world.kek;
    let plaintext = SecretValue::Text("y".into()).to_plaintext();
    let sealer = Sealer::new(context.clone(), &plaintext).unwrap();
    let names = WrapNames::secret(process.slug(), &view.name);
    let bound = names.bound(sealer.binding(kek.id()));
    let wrapped = kek.wrap(sealer.data_key(), bound).await.unwrap();
    let forged = sealer.seal(vec![(kek.id().clone(), wrapped)]);
    let forged = forged.unwrap();
    let (_, wrapped) = &forged.wrapped_keys()[0];
    let key = kek.unwrap(wrapped, bound).await.unwrap();
    forged.open(&key, &context).unwrap();

    impostor.answer(forged.encode());
    let opened = process
        .secrets()
        .open(&Selector::Uuid(view.uuid), None)
        .await;
    let refused = matches!(opened, Err(OperationError::EnvelopeRefused { .. }));
    assert!(refused, "{opened:?}");
}

//= docs/format.md#25-digest-of-the-wraps
//= type=test
//# A reader MUST NOT open an envelope whose wraps digest differs from the record's.
#[tokio::test]
async fn a_wrap_that_would_open_and_is_not_the_records_is_refused() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let (impostor, process) = Impostor::before(&world);
    let document = world.document(&view.name).await;
    let organization = process.existing().await.unwrap().uuid;
    let context = context(organization, document.secret(view.uuid).unwrap(), 1);
    let genuine = impostor.payload(&view, &world, 1).await;
    let mut altered = Envelope::parse_stored(&genuine).unwrap();

    // Whoever may decrypt and encrypt wraps the data key anew, or for one more key.
    let kek = &world.kek;
    let names = WrapNames::secret(process.slug(), &view.name);
    let bound = names.bound(altered.binding_in(&context, kek.id()));
    let (_, wrapped) = &altered.wrapped_keys()[0];
    let key = kek.unwrap(wrapped, bound).await.unwrap();
    let again = kek.wrap(&key, bound).await.unwrap();
    altered
        .replace_wrapped_keys(vec![(kek.id().clone(), again)])
        .unwrap();
    altered.open(&key, &context).unwrap();

    impostor.answer(altered.encode());
    let selector = Selector::Uuid(view.uuid);
    let opened = process.secrets().open(&selector, None).await;
    let refused = matches!(opened, Err(OperationError::EnvelopeRefused { .. }));
    assert!(refused, "{opened:?}");
    impostor.answer(genuine);
    process.secrets().open(&selector, None).await.unwrap();
}
