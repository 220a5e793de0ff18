//! A version that is sealed as in production, and the search for its plaintext.

use std::collections::BTreeMap;

use planton_core::kek::{KeyEncryptionKey, LocalKek};
use planton_core::names::Slug;
use planton_core::store::{PayloadEncoding, PutOptions, RemoteName, SecretStore};
use planton_envelope::{Context, Envelope, Purpose, RootKey, Sealer};
use planton_secret::SecretBytes;
use uuid::Uuid;
use xtask::canary::Canary;
use xtask::reader::{Object, Reading};

use super::Recorded;
use crate::wrapping::bound;

/// A sealed value and its location.
pub struct Sealed {
    name: RemoteName,
    options: PutOptions,
    canary: Canary,
    context: Context,
    kek: LocalKek,
}

/// Seals a canary, and puts it below `prefix` with the labels of every secret of an
/// environment.
pub async fn leave_sealed(store: &dyn SecretStore, prefix: &str) -> Sealed {
    let canary = Canary::new("the sealed value");
    let organization = Slug::parse("acme").unwrap();
    let kek = LocalKek::new(&RootKey::generate().unwrap(), &organization);
    let context = Context {
        purpose: Purpose::Secret,
        organization: Uuid::new_v4(),
        object: Uuid::new_v4(),
        backend: Uuid::new_v4(),
        version: 1,
        extension: None,
    };
    let plaintext = SecretBytes::new(canary.value().as_bytes().to_vec());
    let sealer = Sealer::new(context.clone(), &plaintext).unwrap();
    let bound = bound(&sealer.binding(kek.id()));
    let wrapped = kek.wrap(sealer.data_key(), bound).await.unwrap();
    let envelope = sealer.seal(vec![(kek.id().clone(), wrapped)]);
    let envelope = envelope.unwrap();
    let capability = store.capability();
    let payload = match capability.encoding {
        PayloadEncoding::Binary => envelope.encode(),
        PayloadEncoding::Text => envelope.encode_text().into_bytes(),
    };

    let parts = [prefix, "acme", "env", "prod", "db-0badcafe"];
    let name = RemoteName::new(parts.join(capability.name.separator));
    let labels = [
        ("planton-organization", "acme".to_owned()),
        ("planton-environment", "prod".to_owned()),
        ("planton-secret", "db".to_owned()),
        ("planton-id", context.object.to_string()),
    ];
    let options = PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: labels.map(|(key, text)| (key.to_owned(), text)).into(),
    };
    let put = store.put(&name, &payload, options.clone()).await;
    put.unwrap();
    Sealed {
        name,
        options,
        canary,
        context,
        kek,
    }
}

impl Sealed {
    /// Checks that a reading shows exactly what `store` holds: its names, its payloads in
    /// envelope form, and the metadata of a put beside the sealed version, as `about`
    /// describes it. The plaintext is absent.
    pub async fn expect_among<S: SecretStore>(
        &self,
        store: &Recorded<S>,
        reading: &Reading,
        about: impl FnOnce(&RemoteName, &PutOptions) -> Vec<String>,
    ) {
        let seen: BTreeMap<&str, &Object> = reading
            .objects
            .iter()
            .map(|object| (object.name.as_str(), object))
            .collect();
        let left = store.left();
        let names = |all: Vec<&str>| all.join("\n");
        assert_eq!(
            names(seen.keys().copied().collect()),
            names(left.keys().map(String::as_str).collect())
        );
        assert_eq!(seen.len(), reading.objects.len(), "a name is there twice");

        let capability = store.capability();
        let form: &[u8] = match capability.encoding {
            PayloadEncoding::Binary => b"PSE1",
            PayloadEncoding::Text => b"pse1.",
        };
        for (name, object) in &seen {
            let mut put: Vec<&[u8]> = left[*name].values().map(Vec::as_slice).collect();
            let mut there: Vec<&[u8]> = object.payloads.iter().map(Vec::as_slice).collect();
            put.sort_unstable();
            there.sort_unstable();
            if capability.max_versions.is_some() {
                // The vendor removes old versions.
                let known = there.iter().all(|payload| put.contains(payload));
                assert!(known && !there.is_empty(), "{name}");
            } else {
                assert!(put == there, "{name}: other payloads than were put");
            }
            let is_envelope = |payload: &&[u8]| payload.starts_with(form);
            assert!(there.iter().all(is_envelope), "{name}: no envelope");
        }

        let object = seen[self.name.as_str()];
        let mut expected = about(&self.name, &self.options);
        let mut there = object.about.clone();
        expected.sort_unstable();
        there.sort_unstable();
        assert_eq!(there, expected);
        let [payload] = &object.payloads[..] else {
            panic!("one version was put: {object:?}");
        };
        self.expect_opens(payload).await;
        self.expect_nowhere(reading);
    }

    /// Checks that the client read the envelope of the value. Otherwise the absence of
    /// the plaintext would prove nothing.
    async fn expect_opens(&self, payload: &[u8]) {
        let envelope = Envelope::parse_stored(payload).unwrap();
        let [(id, wrapped)] = envelope.wrapped_keys() else {
            panic!("it was wrapped once");
        };
        assert_eq!(id, self.kek.id());
        let bound = bound(&envelope.binding(id));
        let key = self.kek.unwrap(wrapped, bound).await.unwrap();
        let opened = envelope.open(&key, &self.context).unwrap();
        assert!(!self.canary.find_in(opened.plaintext.expose()).is_empty());
    }

    fn expect_nowhere(&self, reading: &Reading) {
        let absent = |place: &str, bytes: &[u8]| self.canary.absent_from(place, bytes).unwrap();
        absent("what the client printed", reading.printed.as_bytes());
        for object in &reading.objects {
            absent(&object.name, object.about.join("\n").as_bytes());
            for payload in &object.payloads {
                absent(&object.name, payload);
                // The decoded form of a text must not contain it either.
                if let Ok(envelope) = Envelope::parse_stored(payload) {
                    absent(&object.name, &envelope.encode());
                }
            }
        }
    }
}
