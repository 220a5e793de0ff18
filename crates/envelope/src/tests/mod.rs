//! Tests the guarantees of an envelope end to end, with local KEKs.

mod commitment;
mod malformed;
mod memory;
mod precedence;
mod properties;
mod refusals;
mod types;
mod vectors;

use uuid::Uuid;

use super::{
    Context, Envelope, EnvelopeError, KekId, LocalKey, Opened, Purpose, RootKey, SealError, Sealer,
    WrappedKey,
};
use planton_secret::SecretBytes;

pub(super) fn context() -> Context {
    Context {
        purpose: Purpose::Secret,
        organization: Uuid::from_bytes([1; 16]),
        object: Uuid::from_bytes([2; 16]),
        backend: Uuid::from_bytes([3; 16]),
        version: 4,
        extension: None,
    }
}

pub(super) fn kek_id(provider: &str, id: &str) -> KekId {
    KekId {
        provider: provider.to_owned(),
        id: id.to_owned(),
    }
}

fn plaintext() -> SecretBytes {
    SecretBytes::from(b"\0correct horse".as_slice())
}

/// Returns a new random key.
fn local_key() -> LocalKey {
    LocalKey::new(&RootKey::generate().expect("randomness"), "acme")
}

fn seal(keks: &[&LocalKey], context: Context, plaintext: &SecretBytes) -> Envelope {
    let sealer = Sealer::new(context, plaintext).expect("sealer");
    let mut wraps = Vec::new();
    for kek in keks {
        let binding = sealer.binding(kek.id());
        let wrapped = kek.wrap(sealer.data_key(), &binding).expect("wrapped");
        wraps.push((kek.id().clone(), wrapped));
    }
    sealer.seal(wraps).expect("envelope")
}

/// The step that failed on the way from stored bytes to a plaintext.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Envelope(EnvelopeError),
    NoWrapOfOurs,
    Unwrap,
}

/// Opens an envelope as a reader does.
///
/// It parses the envelope, finds the key that the catalog's KEK wrapped, unwraps it
/// with the catalog's binding, and opens the envelope.
fn open_stored(bytes: &[u8], kek: &LocalKey, expected: &Context) -> Result<Opened, Refusal> {
    let envelope = Envelope::parse_stored(bytes).map_err(Refusal::Envelope)?;
    let mut wraps = envelope.wrapped_keys().iter();
    let (_, wrapped) = wraps
        .find(|(id, _)| id == kek.id())
        .ok_or(Refusal::NoWrapOfOurs)?;
    let binding = envelope.binding_in(expected, kek.id());
    let key = kek.unwrap(wrapped, &binding).ok_or(Refusal::Unwrap)?;
    envelope.open(&key, expected).map_err(Refusal::Envelope)
}

//= docs/format.md#6-text-form
//= type=test
//# A reader MUST read bytes that begin with `pse1.` as the text form, and all others as the
//# binary form.
#[test]
fn sealed_value_opens_in_both_stored_forms_under_every_key() {
    let (kek, escrow) = (local_key(), local_key());
    let envelope = seal(&[&kek, &escrow], context(), &plaintext());
    for stored in [envelope.encode(), envelope.encode_text().into_bytes()] {
        for key in [&kek, &escrow] {
            let opened = open_stored(&stored, key, &context()).expect("opened");
            assert_eq!(opened.plaintext.expose(), plaintext().expose());
        }
    }
    assert_eq!(envelope.context(), &context());
    assert_eq!(
        envelope.binding(kek.id()),
        envelope.binding_in(&context(), kek.id())
    );
}

//= docs/format.md#7-context
//= type=test
//# A writer MUST NOT store these 32 bytes in the envelope.
#[test]
fn extended_context_opens_with_its_extension_only() {
    let kek = local_key();
    for purpose in [
        Purpose::BackendCredential,
        Purpose::KekCredential,
        Purpose::ValueForName,
    ] {
        let home = Context {
            purpose,
            extension: Some([5; 32]),
            ..context()
        };
        let stored = seal(&[&kek], home.clone(), &plaintext()).encode();
        assert!(!stored.windows(32).any(|bytes| bytes == [5; 32]));
        let opened = open_stored(&stored, &kek, &home).expect("opened");
        assert_eq!(opened.plaintext.expose(), plaintext().expose());
        for extension in [Some([6; 32]), None] {
            let elsewhere = Context {
                extension,
                ..home.clone()
            };
            let outcome = open_stored(&stored, &kek, &elsewhere);
            assert_eq!(outcome.expect_err("refused"), Refusal::Unwrap);
        }
    }
}

#[test]
fn fingerprint_is_the_same_by_every_way_and_differs_by_value_and_version() {
    let kek = local_key();
    let plaintext_sealed = plaintext();
    let sealer = Sealer::new(context(), &plaintext_sealed).expect("sealer");
    let wrapped = kek
        .wrap(sealer.data_key(), &sealer.binding(kek.id()))
        .expect("wrapped");
    let sealed = sealer.fingerprint();
    let envelope = sealer
        .seal(vec![(kek.id().clone(), wrapped)])
        .expect("envelope");
    let (_, wrapped) = &envelope.wrapped_keys()[0];
    let binding = envelope.binding(kek.id());
    let key = kek.unwrap(wrapped, &binding).expect("unwrapped");

    let opened = envelope.open(&key, &context()).expect("opened");
    assert_eq!(opened.fingerprint(&plaintext()), sealed);
    let unopened = envelope.fingerprint(&key, &context(), &plaintext());
    assert_eq!(unopened.expect("fingerprint"), sealed);
    let alone = super::Fingerprint::compute(&key, envelope.salt(), &context(), &plaintext());
    assert_eq!(alone, sealed);

    let other_value = SecretBytes::from(b"\0correct horsf".as_slice());
    assert_ne!(opened.fingerprint(&other_value), sealed);
    let other_version = Sealer::new(context(), &plaintext_sealed).expect("sealer");
    assert_ne!(other_version.fingerprint(), sealed);
    let elsewhere = Context {
        version: 5,
        ..context()
    };
    assert_eq!(
        envelope.fingerprint(&key, &elsewhere, &plaintext()).err(),
        Some(EnvelopeError::Refused)
    );
}

//= docs/format.md#12-wrapped-deks
//= type=test
//# A rewrap MUST NOT change any byte of an envelope other than byte 5 and the wrapped DEKs.
#[test]
fn rewrap_replaces_the_wraps_and_leaves_every_other_byte() {
    let (old, new) = (local_key(), local_key());
    let before = seal(&[&old], context(), &plaintext());
    let mut after = before.clone();
    let (_, wrapped) = &before.wrapped_keys()[0];
    let key = old
        .unwrap(wrapped, &before.binding(old.id()))
        .expect("unwrapped");
    let rewrapped = new.wrap(&key, &before.binding(new.id())).expect("wrapped");
    after
        .replace_wrapped_keys(vec![(new.id().clone(), rewrapped)])
        .expect("replaced");

    let (before_bytes, after_bytes) = (before.encode(), after.encode());
    assert_eq!(before_bytes[..65], after_bytes[..65]);
    let payload = 32 + 32 + 4 + plaintext().len() + 16;
    assert_eq!(
        before_bytes[before_bytes.len() - payload..],
        after_bytes[after_bytes.len() - payload..]
    );
    assert_eq!(before.payload_digest(), after.payload_digest());
    let opened = open_stored(&after_bytes, &new, &context()).expect("opened");
    assert_eq!(opened.plaintext.expose(), plaintext().expose());
    let outcome = open_stored(&after_bytes, &old, &context());
    assert_eq!(outcome.expect_err("replaced"), Refusal::NoWrapOfOurs);
}

//= docs/format.md#9-keys-of-a-version
//= type=test
//# A writer MUST draw a new DEK and 32 new bytes R from the operating system's random number
//# generator for every version.
#[test]
fn sealing_the_same_value_twice_shares_no_key_salt_or_ciphertext() {
    let kek = local_key();
    let first = seal(&[&kek], context(), &plaintext());
    let second = seal(&[&kek], context(), &plaintext());
    assert_ne!(first.salt(), second.salt());
    assert_ne!(first.commitment(), second.commitment());
    assert_ne!(first.ciphertext(), second.ciphertext());
    assert_ne!(first.payload_digest(), second.payload_digest());
}

//= docs/format.md#3-layout
//= type=test
//# A writer MUST NOT seal or rewrap an envelope with fewer than one or more than four wrapped
//# DEKs.
//= docs/format.md#3-layout
//= type=test
//# A writer MUST NOT write a `provider`, `kek_id` or `wrapped` outside the limits of this
//# table.
//= docs/format.md#3-layout
//= type=test
//# A writer MUST NOT write the same pair of `provider` and `kek_id` twice in one envelope.
//= docs/format.md#3-layout
//= type=test
//# A writer MUST NOT write wrapped DEKs that take more than 6,296 bytes together.
#[test]
fn seal_refuses_what_the_format_does_not_hold() {
    let good = || (kek_id("local", "a"), WrappedKey::new(vec![0; 60]));
    let numbered = |n: u8| (kek_id("local", &n.to_string()), WrappedKey::new(vec![n]));
    let of_length = |n: u8, length: usize| {
        let kek = kek_id("local", &n.to_string());
        (kek, WrappedKey::new(vec![0; length]))
    };
    let of = |provider: &str, id: &str, length: usize| {
        vec![
            good(),
            (kek_id(provider, id), WrappedKey::new(vec![0; length])),
        ]
    };
    type Check = fn(&SealError) -> bool;
    let count: Check = |e| matches!(e, SealError::WrappedKeyCount(0 | 5));
    let id: Check = |e| matches!(e, SealError::KekId(_));
    let wrap: Check = |e| matches!(e, SealError::WrappedKey(_));
    let twice: Check = |e| matches!(e, SealError::DuplicateKek(_));
    let together: Check = |e| matches!(e, SealError::WrapsTooLong(8048));
    for (wraps, expected) in [
        (vec![], count),
        ((0..5).map(numbered).collect(), count),
        (of("", "b", 1), id),
        (of(&"p".repeat(33), "b", 1), id),
        (of("local", "", 1), id),
        (of("local", &"b".repeat(513), 1), id),
        (of("local", "b", 0), wrap),
        (of("local", "b", 2049), wrap),
        ((0..4).map(|n| of_length(n, 2000)).collect(), together),
        (of("local", "a", 1), twice),
    ] {
        let error = sealed_with(wraps.clone()).expect_err("refused");
        assert!(expected(&error), "{error:?}");

        let mut envelope = sealed_with(vec![good()]).expect("envelope");
        let before = envelope.encode();
        let error = envelope.replace_wrapped_keys(wraps).expect_err("refused");
        assert!(expected(&error), "{error:?}");
        assert_eq!(envelope.encode(), before);
    }
}

/// Seals under a fresh key with wraps as they are.
fn sealed_with(wraps: Vec<(KekId, WrappedKey)>) -> Result<Envelope, SealError> {
    let plaintext = plaintext();
    let sealer = Sealer::new(context(), &plaintext).expect("sealer");
    sealer.seal(wraps)
}

//= docs/format.md#25-digest-of-the-wraps
//= type=test
//# A writer MUST record as wraps digest SHA-256 of byte 5 of the envelope and its wrapped
//# DEKs, as they are encoded.
#[test]
fn wraps_digest_covers_the_number_and_the_wraps_and_nothing_else() {
    let wraps = |n: u8| vec![(kek_id("local", "a"), WrappedKey::new(vec![n]))];
    let one = sealed_with(wraps(1)).expect("envelope");
    let encoded = one.encode();
    let list = [
        &encoded[5..6],
        &encoded[65..encoded.len() - 84 - plaintext().len()],
    ]
    .concat();
    assert_eq!(one.wraps_digest(), super::primitives::sha256(&[&list]));
    let same_wraps = sealed_with(wraps(1)).expect("envelope");
    assert_ne!(one.payload_digest(), same_wraps.payload_digest());
    assert_eq!(one.wraps_digest(), same_wraps.wraps_digest());
    let other = sealed_with(wraps(2)).expect("envelope");
    assert_ne!(one.wraps_digest(), other.wraps_digest());
}

//= docs/format.md#7-context
//= type=test
//# For purpose 1, a writer MUST NOT append anything to `CTX`.
#[test]
fn sealer_refuses_an_extension_that_is_out_of_place() {
    for (purpose, extension) in [
        (Purpose::Secret, Some([0; 32])),
        (Purpose::BackendCredential, None),
        (Purpose::KekCredential, None),
        (Purpose::ValueForName, None),
    ] {
        let context = Context {
            purpose,
            extension,
            ..context()
        };
        let plaintext = plaintext();
        let sealer = Sealer::new(context, &plaintext);
        assert!(matches!(sealer, Err(SealError::Context)));
    }
}

#[test]
fn debug_shows_neither_key_nor_plaintext() {
    let plaintext_sealed = plaintext();
    let sealer = Sealer::new(context(), &plaintext_sealed).expect("sealer");
    let key = hex::encode(sealer.data_key().expose());
    let key_list = format!("{:?}", sealer.data_key().expose());
    let mut shown = format!("{sealer:?}");
    let key_copy = super::DataKey::copy_of(sealer.data_key().expose());
    let wraps = vec![(kek_id("local", "a"), WrappedKey::new(vec![0]))];
    let envelope = sealer.seal(wraps).expect("envelope");
    let opened = envelope.open(&key_copy, &context()).expect("opened");
    shown += &format!("{envelope:?} {opened:?}");
    for secret in [&key, &key_list, "correct horse"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains(&format!("{:?}", plaintext().expose())[1..30]));
}
