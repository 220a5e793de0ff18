use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::*;
use crate::KeyFile;

fn root() -> RootKey {
    RootKey::generate().expect("randomness")
}

fn data_key(byte: u8) -> DataKey {
    DataKey::copy_of(&[byte; 32])
}

fn binding(byte: u8, key: &LocalKey) -> WrapBinding {
    WrapBinding::for_mac_key(Uuid::from_bytes([byte; 16]), key.id())
}

#[test]
fn wrap_opens_again_after_the_file_is_read_anew() {
    let created = KeyFile::generate().expect("randomness");
    let key = LocalKey::new(created.current(), "acme");
    let binding = binding(1, &key);
    let wrapped = key.wrap(&data_key(7), &binding).expect("wrapped");
    let file = created.encode();
    drop((created, key));

    let read = KeyFile::decode(&file).expect("a key file");
    let key = LocalKey::new(read.current(), "acme");
    let unwrapped = key.unwrap(&wrapped, &binding).expect("unwrapped");
    assert!(bool::from(unwrapped.ct_eq(&data_key(7))));
}

//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST draw 32 new bytes R from the operating system's random number generator for
//# every wrap, and use the first 12 bytes of `HMAC32(R, binding ‖ DEK)` as nonce.
#[test]
fn repeated_randomness_gives_two_wraps_two_nonces() {
    let key = LocalKey::new(&root(), "a");
    let (one, two) = (binding(1, &key), binding(2, &key));
    let first = hedged_nonce(&[5; 32], &data_key(7), &one);
    assert_eq!(first, hedged_nonce(&[5; 32], &data_key(7), &one));
    assert_ne!(first, hedged_nonce(&[5; 32], &data_key(7), &two));
    assert_ne!(first, hedged_nonce(&[5; 32], &data_key(8), &one));
}

//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST draw 32 new bytes R from the operating system's random number generator for
//# every wrap, and use the first 12 bytes of `HMAC32(R, binding ‖ DEK)` as nonce.
#[test]
fn wrapping_twice_gives_different_bytes() {
    let key = LocalKey::new(&root(), "a");
    let binding = binding(1, &key);
    let first = key.wrap(&data_key(7), &binding).expect("wrapped");
    let second = key.wrap(&data_key(7), &binding).expect("wrapped");
    assert_eq!(first.as_bytes().len(), 60);
    assert_ne!(first.as_bytes()[..12], second.as_bytes()[..12]);
    assert_ne!(first.as_bytes()[12..], second.as_bytes()[12..]);
}

//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a `wrapped` of another length than 60 bytes.
#[test]
fn unwrap_refuses_another_binding_key_or_organization_and_every_altered_bit() {
    let file = root();
    let key = LocalKey::new(&file, "acme");
    let home = binding(1, &key);
    let wrapped = key.wrap(&data_key(7), &home).expect("wrapped");

    for stranger in [
        LocalKey::new(&file, "acme-2"),
        LocalKey::new(&root(), "acme"),
    ] {
        assert!(stranger.unwrap(&wrapped, &home).is_none());
    }
    assert!(key.unwrap(&wrapped, &binding(2, &key)).is_none());

    let bytes = wrapped.as_bytes();
    let mut altered: Vec<Vec<u8>> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut copy = bytes.to_vec();
            copy[bit / 8] ^= 1 << (bit % 8);
            copy
        })
        .collect();
    altered.extend((0..bytes.len()).map(|length| bytes[..length].to_vec()));
    altered.push([bytes, &[0]].concat());
    for copy in altered {
        assert!(key.unwrap(&WrappedKey::new(copy), &home).is_none());
    }
    assert!(key.unwrap(&wrapped, &home).is_some());
}

//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST NOT wrap with the MAC key of a key file.
#[test]
fn keys_of_a_file_differ_by_organization_and_by_use() {
    let file = root();
    let acme = LocalKey::new(&file, "acme");
    let other = LocalKey::new(&file, "other");
    assert_eq!(acme.id().provider, "local");
    assert_eq!(acme.id().id, format!("{}/acme", file.id()));
    assert_ne!(acme.wrap_key, other.wrap_key);
    assert_ne!(acme.wrap_key, acme.mac_key);
    assert_eq!(acme.mac(b"m"), LocalKey::new(&file, "acme").mac(b"m"));
    assert_ne!(acme.mac(b"m"), other.mac(b"m"));
    assert_ne!(acme.mac(b"m"), acme.mac(b"n"));
}

#[test]
fn debug_never_shows_a_key() {
    let file = root();
    let key = LocalKey::new(&file, "acme");
    let shown = format!("{file:?} {key:?}");
    for bytes in [file.expose(), &key.wrap_key, &key.mac_key] {
        assert!(!shown.contains(&hex::encode(bytes)), "{shown}");
        assert!(!shown.contains(&format!("{bytes:?}")), "{shown}");
    }
}
