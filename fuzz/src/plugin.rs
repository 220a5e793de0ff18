//! What Terraform sends.

use planton_plugin::protocol::fuzz_msgpack;
use planton_plugin::{
    AttributeType, FieldReader, FieldWriter, InvalidPrivateData, PrivateData, fuzzed_duration,
};

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
        assert_eq!(data.encode(), bytes, "private data has one encoding");
    }
    Verdict::of(decoded)
}

/// Parses one entry of private data. The input is the kinds of its fields, a zero byte, and the
/// entry.
pub(crate) fn private_fields(bytes: &[u8]) -> Verdict {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (Some(kinds), Some(entry)) = (parts.next(), parts.next()) else {
        return Verdict::Refused;
    };
    let again = written_again(kinds, entry).ok();
    if let Some(again) = &again {
        assert_eq!(again, entry, "an entry has one encoding");
    }
    Verdict::of(again)
}

/// Reads the fields of an entry, and writes them into another one.
fn written_again(kinds: &[u8], entry: &[u8]) -> Result<Vec<u8>, InvalidPrivateData> {
    let mut from = FieldReader::new(entry)?;
    let mut to = FieldWriter::new();
    for kind in kinds {
        match kind % 6 {
            0 => to.flag(from.flag()?),
            1 => to.number(from.number()?),
            2 => to.fixed(&from.fixed::<16>()?),
            3 => to.bytes(from.bytes()?),
            4 => to.text(from.text()?),
            _ => to.optional(from.optional(FieldReader::number)?, FieldWriter::number),
        }
    }
    from.finish()?;
    Ok(to.finish())
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
