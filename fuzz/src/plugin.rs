//! What Terraform sends.

use planton_plugin::protocol::fuzz_msgpack;
use planton_plugin::{AttributeType, PrivateData, fuzzed_duration};

use crate::Verdict;

/// Parses a value of any type in `MessagePack`. The input is a type's JSON, a zero byte, and
/// the value.
pub(crate) fn value(bytes: &[u8]) -> Verdict {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (Some(json), Some(msgpack)) = (parts.next(), parts.next()) else {
        return Verdict::Refused;
    };
    let Ok(ty) = AttributeType::from_json(json) else {
        return Verdict::Refused;
    };
    match fuzz_msgpack(msgpack, &ty) {
        true => Verdict::Accepted,
        false => Verdict::Refused,
    }
}

/// Parses the private data of a resource, as a state returns it.
pub(crate) fn private_data(bytes: &[u8]) -> Verdict {
    let decoded = PrivateData::decode(bytes).ok();
    if let Some(data) = &decoded {
        let encoded = data.encode();
        let again = PrivateData::decode(&encoded);
        assert_eq!(
            again.ok().map(|data| data.encode()),
            Some(encoded),
            "what is written is read back"
        );
    }
    Verdict::of(decoded)
}

/// Parses a duration of `timeouts`, which is never zero.
pub(crate) fn duration(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Verdict::Refused;
    };
    let duration = fuzzed_duration(text);
    assert!(duration.is_none_or(|duration| !duration.is_zero()));
    Verdict::of(duration)
}
