//! Texts of the configuration and the environment, and headers of responses.

use http::HeaderValue;
use planton_core::names::SecretName;
use planton_core::operations::Resume;
use planton_vendors::http::{fuzz_retry_after, fuzz_roots};
use planton_vendors::openbao::client::fuzz_index;

use crate::Verdict;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Parses CA certificates in PEM.
pub(crate) fn certificates(bytes: &[u8]) -> Verdict {
    match text(bytes).is_some_and(fuzz_roots) {
        true => Verdict::Accepted,
        false => Verdict::Refused,
    }
}

/// Parses the consistency index in a response of OpenBAO or Vault.
pub(crate) fn consistency_index(bytes: &[u8]) -> Verdict {
    let header = HeaderValue::from_bytes(bytes).ok();
    match header.is_some_and(|header| fuzz_index(&header)) {
        true => Verdict::Accepted,
        false => Verdict::Refused,
    }
}

/// Parses `Retry-After` of any server, in seconds or as a date.
pub(crate) fn retry_after(bytes: &[u8]) -> Verdict {
    let header = HeaderValue::from_bytes(bytes).ok();
    Verdict::of(header.and_then(fuzz_retry_after))
}

/// Parses a name, as in import ids. A name that parses is printed unchanged.
pub(crate) fn import_id(bytes: &[u8]) -> Verdict {
    let Some(text) = text(bytes) else {
        return Verdict::Refused;
    };
    let name = text.parse::<SecretName>().ok();
    if let Some(name) = &name {
        assert_eq!(name.to_string(), text);
    }
    Verdict::of(name)
}

/// Parses `PLANTON_RESUME`. A value that parses is equal after it is printed and parsed
/// again.
pub(crate) fn resume(bytes: &[u8]) -> Verdict {
    let resume = text(bytes).and_then(|text| text.parse::<Resume>().ok());
    if let Some(resume) = &resume {
        assert_eq!(resume.to_string().parse().ok().as_ref(), Some(resume));
    }
    Verdict::of(resume)
}
