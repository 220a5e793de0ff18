//! The text of a wrap: `vault:v1:…`, for both vendors, with the key's version.

/// Maximum length of a wrapped key in an envelope.
pub(super) const MAX_WRAPPED_BYTES: usize = 1024;

pub(super) const FIRST_VERSION: u64 = 1;

/// Returns the version of the key in a wrap.
pub(super) fn version_of(wrap: &str) -> u64 {
    let version = wrap
        .strip_prefix("vault:v")
        .and_then(|rest| rest.split(':').next());
    let version = version.and_then(|version| version.parse().ok());
    version.unwrap_or(FIRST_VERSION)
}

/// Returns the text of a wrap; `None` for any other form.
//= docs/format.md#14-transit-kek
//# A reader MUST refuse a `wrapped` of another form without sending it to the engine.
pub(super) fn text_of(wrapped: &[u8]) -> Option<&str> {
    let (version, ciphertext) = wrapped
        .strip_prefix(b"vault:v")
        .and_then(|rest| rest.split_at_checked(rest.iter().position(|&b| b == b':')?))?;
    let is_wrap = wrapped.len() <= MAX_WRAPPED_BYTES
        && !version.is_empty()
        && version[0] != b'0'
        && version.iter().all(u8::is_ascii_digit)
        && ciphertext.len() > 1
        && ciphertext.is_ascii();
    is_wrap.then(|| std::str::from_utf8(wrapped).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transits_own_form_is_taken_for_a_wrap() {
        assert!(text_of(b"vault:v1:AAAA").is_some());
        assert!(text_of(b"vault:v12:AAAA").is_some());
        let long = [b"vault:v1:".as_slice(), &[b'A'; 1024]].concat();
        for bad in [
            b"".as_slice(),
            b"vault:v1",
            b"vault:v1:",
            b"vault:v0:AAAA",
            b"vault:v:AAAA",
            b"vault:vx:AAAA",
            b"AAAA",
            &long,
        ] {
            assert!(text_of(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
