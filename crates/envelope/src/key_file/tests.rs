use super::*;

fn of_several(count: usize) -> KeyFile {
    let mut file = KeyFile::generate().expect("randomness");
    for _ in 1..count {
        assert!(file.rotate().expect("randomness"));
    }
    file
}

fn ids(file: &KeyFile) -> Vec<Uuid> {
    let former = file.former().iter().map(RootKey::id);
    std::iter::once(file.current().id()).chain(former).collect()
}

/// Replaces the body of a key file, and its checksum with it.
fn with_checksum(body: &[u8]) -> Vec<u8> {
    [body, &primitives::sha256(&[body])].concat()
}

//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST encode a key file with one root key as the fields of this table, in this
//# order.
#[test]
fn file_with_one_root_key_has_the_published_form() {
    let file = of_several(1);
    let root = file.current();
    let body = [b"PLK1\x01", root.id().as_bytes().as_slice(), root.expose()].concat();
    assert!(*file.encode() == with_checksum(&body));
    assert_eq!(file.encode().len(), 85);
}

//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST encode a key file with several root keys as the fields of this table, in this
//# order, the current root key first.
#[test]
fn file_with_several_root_keys_has_the_published_form() {
    let file = of_several(3);
    let mut body = b"PLK1\x02\x03".to_vec();
    for root in std::iter::once(file.current()).chain(file.former()) {
        body.extend_from_slice(root.id().as_bytes());
        body.extend_from_slice(root.expose());
    }
    assert!(*file.encode() == with_checksum(&body));
}

//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file of another length.
//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file whose SHA-256 differs.
#[test]
fn every_altered_bit_and_every_other_length_is_refused() {
    for count in [1, 2] {
        let good = of_several(count).encode().to_vec();
        let mut bad: Vec<Vec<u8>> = (0..good.len() * 8)
            .map(|bit| {
                let mut copy = good.clone();
                copy[bit / 8] ^= 1 << (bit % 8);
                copy
            })
            .collect();
        bad.extend((0..good.len()).map(|length| good[..length].to_vec()));
        bad.push([good.as_slice(), &[0]].concat());
        bad.push([good.as_slice(), good.as_slice()].concat());
        for bytes in bad {
            assert!(KeyFile::decode(&bytes).is_none());
        }
        assert!(KeyFile::decode(&good).is_some());
    }
}

//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file with another magic or format.
//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file of another length.
//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file of format 2 with fewer than 2 or more than 16 root keys, or
//# with the same UUID twice.
#[test]
fn another_form_with_a_right_checksum_is_refused() {
    let root = [7; ROOT_BYTES];
    let other = [8; ROOT_BYTES];
    let of = |head: &[u8], roots: &[&[u8]]| with_checksum(&[head, &roots.concat()].concat());
    let distinct: Vec<Vec<u8>> = (0..17).map(|n| vec![n; ROOT_BYTES]).collect();
    let distinct: Vec<&[u8]> = distinct.iter().map(Vec::as_slice).collect();
    assert!(KeyFile::decode(&of(b"PLK1\x01", &[&root])).is_some());
    assert!(KeyFile::decode(&of(b"PLK1\x02\x02", &[&root, &other])).is_some());
    assert!(KeyFile::decode(&of(b"PLK1\x02\x10", &distinct[..16])).is_some());
    for bad in [
        of(b"PLK2\x01", &[&root]),
        of(b"PLK1\x00", &[&root]),
        of(b"PLK1\x03\x02", &[&root, &other]),
        of(b"PLK1\x01", &[]),
        of(b"PLK1\x01", &[&root, &other]),
        of(b"PLK1\x01", &[&root[1..]]),
        of(b"PLK1\x02\x00", &[]),
        of(b"PLK1\x02\x01", &[&root]),
        of(b"PLK1\x02\x11", &distinct),
        of(b"PLK1\x02\x03", &[&root, &other]),
        of(b"PLK1\x02\x02", &[&root, &other, &[0]]),
        of(b"PLK1\x02\x02", &[&root, &root]),
        of(b"PLK1\x02", &[]),
        with_checksum(b"PLK1"),
        with_checksum(b""),
        Vec::new(),
    ] {
        assert!(KeyFile::decode(&bad).is_none(), "{}", hex::encode(bad));
    }
}

#[test]
fn rotation_puts_a_new_root_key_first_and_keeps_the_others_until_they_are_removed() {
    let mut file = of_several(1);
    let first = file.current().id();
    assert!(file.rotate().expect("randomness"));
    let second = file.current().id();
    assert!(file.rotate().expect("randomness"));
    assert_eq!(ids(&file)[1..], [second, first]);
    let read = KeyFile::decode(&file.encode()).expect("a key file");
    assert_eq!(ids(&read), ids(&file));
    assert_eq!(read.former()[1].expose(), file.former()[1].expose());

    let current = file.current().id();
    assert!(!file.remove_former(current), "the current one stays");
    assert!(!file.remove_former(Uuid::nil()));
    assert!(file.remove_former(first));
    assert!(file.remove_former(second));
    assert_eq!(ids(&file), [current]);
    assert_eq!(file.encode().len(), 85);
}

#[test]
fn full_file_takes_no_further_root_key() {
    let mut file = of_several(MAX_ROOT_KEYS);
    let before = ids(&file);
    assert!(!file.rotate().expect("randomness"));
    assert_eq!(ids(&file), before);
    assert_eq!(file.encode().len(), MAX_KEY_FILE_BYTES);
    assert!(KeyFile::decode(&file.encode()).is_some());
}

#[test]
fn debug_never_shows_a_key() {
    let file = of_several(2);
    let shown = format!("{file:?}");
    for root in [file.current(), &file.former()[0]] {
        assert!(shown.contains(&root.id().to_string()));
        assert!(!shown.contains(&hex::encode(root.expose())), "{shown}");
        assert!(!shown.contains(&format!("{:?}", root.expose())), "{shown}");
    }
}
