//! CRC32C, with which Google's clients protect contents:
//! <https://cloud.google.com/storage/docs/data-validation>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Castagnoli's polynomial, reflected: <https://www.rfc-editor.org/rfc/rfc3720#section-12.1>
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Returns the checksum as Google writes it: big-endian, in base64.
pub(super) fn crc32c(content: &[u8]) -> String {
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    });
    STANDARD.encode((!crc).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_published_vector() {
        // https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
        let crc = STANDARD.encode(0x8a91_36aa_u32.to_be_bytes());
        assert_eq!(crc32c(&[0; 32]), crc);
    }
}
