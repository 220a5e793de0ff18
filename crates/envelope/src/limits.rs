//! Defines the limits of an envelope.

use super::format::{HEADER_BYTES, PAYLOAD_OVERHEAD_BYTES, TEXT_PREFIX};

/// Maximum number of wrapped keys: by the KEK, and by three escrow keys.
pub const MAX_WRAPPED_KEYS: usize = 4;

/// Maximum length of [`KekId::provider`](super::KekId::provider).
pub const MAX_PROVIDER_BYTES: usize = 32;

/// Maximum length of [`KekId::id`](super::KekId::id).
pub const MAX_KEK_ID_BYTES: usize = 512;

/// Maximum length of [`WrappedKey`](super::WrappedKey) in bytes. AWS KMS's limit of 6,144 bytes is for
/// ciphertexts of any plaintext; that of a data key with its context stays below this.
pub const MAX_WRAPPED_KEY_BYTES: usize = 2048;

/// The most bytes that all wrapped keys of an envelope take, each with its identifiers
/// and the three lengths.
pub const MAX_WRAPS_BYTES: usize = 6296;

/// Length of the largest envelope without its ciphertext.
const MAX_OVERHEAD_BYTES: usize = HEADER_BYTES + MAX_WRAPS_BYTES + PAYLOAD_OVERHEAD_BYTES;

/// Returns how many bytes a wrapped key takes in an envelope, with its identifiers and
/// the three lengths.
#[must_use]
pub const fn wrap_bytes(provider: usize, kek_id: usize, wrapped: usize) -> usize {
    3 * size_of::<u16>() + provider + kek_id + wrapped
}

/// Returns the maximum length of a plaintext whose envelope fits `max_payload_bytes`.
///
/// `text` selects the text form. The result reserves [`MAX_WRAPS_BYTES`], whatever the
/// envelope contains. So escrow keys and a rewrap always fit. The kind byte of a
/// [`SecretValue`](super::SecretValue) is part of the plaintext.
//= docs/format.md#23-limits
//# A writer MUST refuse a value if the greatest possible envelope around it would not fit its
//# secret backend.
#[must_use]
pub const fn max_plaintext_bytes(max_payload_bytes: usize, text: bool) -> usize {
    let envelope = if text {
        let characters = max_payload_bytes.saturating_sub(TEXT_PREFIX.len());
        // Four characters encode three bytes; two or three remaining ones encode one or
        // two.
        characters / 4 * 3 + (characters % 4).saturating_sub(1)
    } else {
        max_payload_bytes
    };
    let plaintext = envelope.saturating_sub(MAX_OVERHEAD_BYTES);
    if plaintext > u32::MAX as usize {
        u32::MAX as usize
    } else {
        plaintext
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{context, kek_id};
    use crate::{Envelope, Sealer, WrappedKey};
    use planton_secret::SecretBytes;

    fn greatest_envelope(plaintext_bytes: usize) -> Envelope {
        let wrapped_bytes = MAX_WRAPS_BYTES / MAX_WRAPPED_KEYS
            - wrap_bytes(MAX_PROVIDER_BYTES, MAX_KEK_ID_BYTES, 0);
        let wraps = (0..MAX_WRAPPED_KEYS)
            .map(|n| {
                let mut kek = kek_id(&"p".repeat(MAX_PROVIDER_BYTES), &n.to_string());
                kek.id = kek.id.repeat(MAX_KEK_ID_BYTES);
                (kek, WrappedKey::new(vec![0; wrapped_bytes]))
            })
            .collect();
        let plaintext = SecretBytes::new(vec![0; plaintext_bytes]);
        let sealer = Sealer::new(context(), &plaintext).expect("sealer");
        sealer.seal(wraps).expect("envelope")
    }

    #[test]
    fn greatest_envelope_fits_the_limit_exactly_in_binary() {
        let plaintext = max_plaintext_bytes(65_536, false);
        assert_eq!(plaintext, 59_091);
        assert_eq!(greatest_envelope(plaintext).encode().len(), 65_536);
    }

    //= docs/format.md#23-limits
    //= type=test
    //# A writer MUST refuse a value if the greatest possible envelope around it would not fit
    //# its secret backend.
    #[test]
    fn greatest_envelope_fits_every_limit_in_text_and_one_byte_more_does_not() {
        assert_eq!(max_plaintext_bytes(25_000, true), 12_301);
        assert_eq!(max_plaintext_bytes(65_536, true), 42_703);
        for limit in [25_000, 25_001, 25_002, 25_003, 65_536] {
            let plaintext = max_plaintext_bytes(limit, true);
            let longest = greatest_envelope(plaintext).encode_text().len();
            let too_long = greatest_envelope(plaintext + 1).encode_text().len();
            assert!(longest <= limit, "{longest} > {limit}");
            assert!(too_long > limit, "{too_long} <= {limit}");
        }
    }

    #[test]
    fn store_too_small_for_any_envelope_holds_nothing() {
        assert_eq!(max_plaintext_bytes(0, true), 0);
        assert_eq!(max_plaintext_bytes(0, false), 0);
        assert_eq!(max_plaintext_bytes(6_000, false), 0);
        assert_eq!(max_plaintext_bytes(usize::MAX, false), u32::MAX as usize);
    }
}
