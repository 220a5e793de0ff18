//! Tests properties of any input.

use proptest::prelude::*;

use super::*;
use crate::DataKey;

fn contexts() -> impl Strategy<Value = Context> {
    let digest = any::<[u8; 32]>();
    (0..4usize, any::<[[u8; 16]; 3]>(), any::<u64>(), digest).prop_map(
        |(purpose, [organization, object, backend], version, digest)| {
            let purpose = [
                Purpose::Secret,
                Purpose::BackendCredential,
                Purpose::KekCredential,
                Purpose::ValueForName,
            ][purpose];
            Context {
                purpose,
                organization: Uuid::from_bytes(organization),
                object: Uuid::from_bytes(object),
                backend: Uuid::from_bytes(backend),
                version,
                extension: (purpose != Purpose::Secret).then_some(digest),
            }
        },
    )
}

fn wraps() -> impl Strategy<Value = Vec<(KekId, WrappedKey)>> {
    let id = "[a-z_]{1,32}";
    let wrapped = prop::collection::vec(any::<u8>(), 1..=1400);
    prop::collection::btree_map((id, "\\PC{1,100}"), wrapped, 1..=4).prop_map(|wraps| {
        let wraps = wraps.into_iter();
        wraps
            .map(|((provider, id), wrapped)| (KekId { provider, id }, WrappedKey::new(wrapped)))
            .collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again(
        context in contexts(),
        wraps in wraps(),
        plaintext in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        let plaintext = SecretBytes::new(plaintext);
        let sealer = Sealer::new(context.clone(), &plaintext).expect("sealer");
        let key = DataKey::copy_of(sealer.data_key().expose());
        let sealed = sealer.seal(wraps.clone()).expect("envelope");

        for stored in [sealed.encode(), sealed.encode_text().into_bytes()] {
            let parsed = Envelope::parse_stored(&stored).expect("well-formed");
            prop_assert_eq!(parsed.encode(), sealed.encode());
            prop_assert_eq!(parsed.wrapped_keys(), wraps.as_slice());
            prop_assert_eq!(parsed.context(), &context.without_extension());
            prop_assert_eq!(parsed.payload_digest(), sealed.payload_digest());
            let opened = parsed.open(&key, &context).expect("opened");
            prop_assert_eq!(opened.plaintext.expose(), plaintext.expose());
        }
    }

    #[test]
    fn parser_never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _outcome = Envelope::parse_stored(&bytes);
        let _outcome = Envelope::parse_stored(&[b"pse1.", bytes.as_slice()].concat());
        let _outcome = Envelope::parse(&[b"PSE1\x01\x01\x00\x01\x01", bytes.as_slice()].concat());
    }

    #[test]
    fn parser_takes_an_altered_envelope_for_what_it_is_or_refuses_it(
        wraps in wraps(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = sealed_with(wraps).expect("envelope").encode();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(parsed) = Envelope::parse(&bytes) {
            prop_assert_eq!(parsed.encode(), bytes);
        }
    }
}
