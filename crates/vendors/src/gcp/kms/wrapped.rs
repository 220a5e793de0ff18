//! The form of a wrap: the version of the key, and what Cloud KMS returned.

use planton_envelope::WrappedKey;

/// The first byte of a wrap.
const FORMAT: u8 = 1;

/// The most bytes of a wrap. Google documents no limit; a wrap under a software key takes
/// about 120.
pub(super) const MAX_BYTES: usize = 1024;

/// A wrap, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrap<'a> {
    /// The version of the key that encrypted, as the writer was told.
    pub(super) version: u64,
    /// The ciphertext.
    pub(super) ciphertext: &'a [u8],
}

impl<'a> Wrap<'a> {
    //= docs/format.md#27-kek-in-gcp-kms
    //# A writer MUST write as `wrapped` the byte 1, the number of the key version in the
    //# response as `u64`, and the ciphertext, at most 1,024 bytes together.
    pub(super) fn join(self) -> Option<WrappedKey> {
        let version = self.version.to_be_bytes();
        let bytes = [&[FORMAT], version.as_slice(), self.ciphertext].concat();
        (bytes.len() <= MAX_BYTES).then(|| WrappedKey::new(bytes))
    }

    //= docs/format.md#27-kek-in-gcp-kms
    //# A reader MUST refuse a `wrapped` of another form without sending it to Cloud KMS.
    pub(super) fn split(wrapped: &'a WrappedKey) -> Option<Self> {
        let bytes = wrapped.as_bytes();
        let rest = bytes.strip_prefix(&[FORMAT])?;
        let (version, ciphertext) = rest.split_first_chunk()?;
        let version = u64::from_be_bytes(*version);
        let fits = version > 0 && !ciphertext.is_empty() && bytes.len() <= MAX_BYTES;
        fits.then_some(Self {
            version,
            ciphertext,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= docs/format.md#27-kek-in-gcp-kms
    //= type=test
    //# A writer MUST write as `wrapped` the byte 1, the number of the key version in the
    //# response as `u64`, and the ciphertext, at most 1,024 bytes together.
    #[test]
    fn wrap_contains_version_and_ciphertext() {
        let wrap = Wrap {
            version: 258,
            ciphertext: b"opaque",
        };
        let wrapped = wrap.join().expect("short");
        assert_eq!(wrapped.as_bytes(), b"\x01\0\0\0\0\0\0\x01\x02opaque");
        assert_eq!(Wrap::split(&wrapped), Some(wrap));
        let longest = Wrap {
            version: 1,
            ciphertext: &[7; MAX_BYTES - 9],
        };
        assert!(longest.join().is_some());
        let longer = Wrap {
            version: 1,
            ciphertext: &[7; MAX_BYTES - 8],
        };
        assert!(longer.join().is_none());
    }

    //= docs/format.md#27-kek-in-gcp-kms
    //= type=test
    //# A reader MUST refuse a `wrapped` of another form without sending it to Cloud KMS.
    #[test]
    fn other_forms_are_no_wraps() {
        let long = [&[1, 0, 0, 0, 0, 0, 0, 0, 1][..], &[7; 1016]].concat();
        for bad in [
            &b""[..],
            b"\x01",
            b"\x01\0\0\0\0\0\0\0\x01",
            b"\x01\0\0\0\0\0\0\0\0opaque",
            b"\x02\0\0\0\0\0\0\0\x01opaque",
            b"opaque opaque",
            &long,
        ] {
            assert_eq!(Wrap::split(&WrappedKey::new(bad.to_vec())), None, "{bad:?}");
        }
    }
}
