//! Parses Terraform's values of any type in MessagePack. The input is a type's JSON, a
//! zero byte, and the value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_plugin::AttributeType;
use planton_plugin::protocol::fuzz_msgpack;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (Some(json), Some(msgpack)) = (parts.next(), parts.next()) else {
        return;
    };
    if let Ok(ty) = AttributeType::from_json(json) {
        fuzz_msgpack(msgpack, &ty);
    }
});
