//! What an attacker does: reads and writes the backend and the catalog, seals, and forges
//! records.

use planton_core::catalog::{CatalogStore as _, RecordKey, StoredRecord, record_key_of_name};
use planton_core::kek::{KeyEncryptionKey as _, WrapContext, WrapNames};
use planton_core::store::{NativeVersionId, RemoteName, SecretStore as _};
use planton_envelope::{
    DataKey, Envelope, KekId, MacKey, Sealer, SecretValue, WrapBinding, WrappedKey,
};
use planton_vendors::age::AgeIdentity;
use serde_json::{Value, json};
use uuid::Uuid;

use super::objects::Place;
use super::scene::{DB, Scene, name, names, recipient};

const BACKEND: &str = "backends/vault";

impl Scene<'_> {
    /// Reads the envelope of a version, and where it stands.
    pub(super) async fn stored(&self, named: &str, version: u64) -> (Place, Envelope) {
        let record = self.record(&record_key_of_name(&name(named))).await;
        let document: Value = serde_json::from_str(&record.body).unwrap();
        let secret = &document["current"];
        let mut versions = secret["versions"].as_array().unwrap().iter();
        let found = versions.find(|one| one["number"] == version).unwrap();
        let place = Place {
            object: RemoteName::new(secret["remote_name"].as_str().unwrap().to_owned()),
            version: NativeVersionId::new(found["native_id"].as_str().unwrap().to_owned()),
        };
        let payload = self.objects.get(&place.object, &place.version).await;
        let envelope = Envelope::parse_stored(&payload.unwrap()).unwrap();
        (place, envelope)
    }

    /// Writes the backend.
    pub(super) fn plant(&self, place: &Place, envelope: &Envelope) {
        self.objects.plant(place, envelope.encode());
    }

    pub(super) async fn record(&self, key: &RecordKey) -> StoredRecord {
        self.catalog.read(key).await.unwrap().unwrap().0
    }

    pub(super) async fn backend_record(&self) -> StoredRecord {
        self.record(&RecordKey::new(BACKEND)).await
    }

    /// Writes the catalog: puts an older record of the backend back.
    pub(super) fn put_backend_back(&self, older: StoredRecord) {
        self.catalog.overwrite(&RecordKey::new(BACKEND), older);
    }

    /// Writes the catalog: adds an escrow recipient to the backend. The MAC is the former one,
    /// or one under `mac_key`.
    pub(super) async fn add_recipient(&self, added: &AgeIdentity, mac_key: Option<&MacKey>) {
        let settings = recipient(added.recipient()).settings;
        let id = added.id();
        let added = json!({"kek": id_json(id), "settings": settings});
        self.write(&RecordKey::new(BACKEND), mac_key, |record| {
            let escrow = &mut record["backend"]["keys"]["escrow"];
            escrow.as_array_mut().unwrap().push(added);
        })
        .await;
    }

    /// Writes the catalog: changes a record, with a MAC under `mac_key` or the former one.
    pub(super) async fn write(
        &self,
        key: &RecordKey,
        mac_key: Option<&MacKey>,
        change: impl FnOnce(&mut Value),
    ) {
        let StoredRecord { body, mac } = self.record(key).await;
        let mut record: Value = serde_json::from_str(&body).unwrap();
        change(&mut record);
        let changed = record.to_string();
        let mac = match mac_key {
            None => mac,
            Some(mac_key) => hex::encode(mac_key.mac(key.as_str(), changed.as_bytes())),
        };
        let record = StoredRecord { body: changed, mac };
        self.catalog.overwrite(key, record);
    }

    /// Unwraps the organization's MAC key, as whoever may decrypt with its KEK can.
    pub(super) async fn mac_key(&self) -> MacKey {
        let record = self.record(&RecordKey::new("organization")).await;
        let record: Value = serde_json::from_str(&record.body).unwrap();
        let uuid: Uuid = record["uuid"].as_str().unwrap().parse().unwrap();
        let wrapped = record["state"]["mac_key"][0]["wrapped"].as_str().unwrap();
        let wrapped = WrappedKey::new(hex::decode(wrapped).unwrap());
        let kek = &self.target.platform.1;
        let names = WrapNames::mac_key(&"acme".parse().unwrap());
        let bound = names.bound(WrapBinding::for_mac_key(uuid, kek.id()));
        MacKey::from_data_key(kek.unwrap(&wrapped, bound).await.unwrap())
    }

    /// Forges the record of a version, so that it names this envelope.
    pub(super) async fn vouch_for(&self, version: u64, envelope: &Envelope) {
        let mac_key = self.mac_key().await;
        let wraps = envelope.wrapped_keys().iter();
        let keks: Vec<Value> = wraps.map(|(id, _)| id_json(id)).collect();
        let key = record_key_of_name(&name(DB));
        self.write(&key, Some(&mac_key), |document| {
            let versions = &mut document["current"]["versions"];
            let mut versions = versions.as_array_mut().unwrap().iter_mut();
            let named = versions.find(|one| one["number"] == version).unwrap();
            named["payload_sha256"] = hex::encode(envelope.payload_digest()).into();
            named["wraps_sha256"] = hex::encode(envelope.wraps_digest()).into();
            named["keks"] = keks.into();
        })
        .await;
    }

    /// Seals a value of the attacker's in the context of an envelope, under a data key that
    /// `wrap` wraps for `id`.
    pub(super) async fn forged(
        &self,
        genuine: &Envelope,
        id: &KekId,
        wrap: impl AsyncFnOnce(&DataKey, WrapContext<'_>) -> WrappedKey,
    ) -> Envelope {
        let plaintext = SecretValue::Text("forged".into()).to_plaintext();
        let sealer = Sealer::new(genuine.context().clone(), &plaintext).unwrap();
        let names = names();
        let wrapped = wrap(sealer.data_key(), names.bound(sealer.binding(id))).await;
        // Whoever has the recipient wraps for it as well.
        let escrow = names.bound(sealer.binding(self.escrow.id()));
        let for_escrow = self.escrow.wrap(sealer.data_key(), escrow).await.unwrap();
        let wraps = vec![
            (id.clone(), wrapped),
            (self.escrow.id().clone(), for_escrow),
        ];
        sealer.seal(wraps).unwrap()
    }
}

pub(super) fn id_json(id: &KekId) -> Value {
    json!({"provider": id.provider, "id": id.id})
}
