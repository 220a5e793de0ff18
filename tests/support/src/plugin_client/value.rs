//! Converts values between JSON and MessagePack, without the server's codec.

use rmp::Marker;
use rmp::decode::{self, RmpRead};
use rmp::encode;
use serde_json::{Map, Value as Json, json};

use super::wire::DynamicValue;

/// The marker of an unknown value.
pub fn unknown() -> Json {
    json!({ "$unknown": true })
}

pub fn encode(value: &Json) -> Option<DynamicValue> {
    let mut msgpack = Vec::new();
    write(&mut msgpack, value);
    Some(DynamicValue {
        msgpack,
        json: Vec::new(),
    })
}

pub fn decode(value: Option<&DynamicValue>) -> Json {
    let value = value.expect("a value");
    let mut input = value.msgpack.as_slice();
    let json = read(&mut input);
    assert!(input.is_empty(), "bytes after the value");
    json
}

fn write(out: &mut Vec<u8>, value: &Json) {
    match value {
        value if *value == unknown() => out.extend_from_slice(&[0xd4, 0, 0]),
        Json::Null => encode::write_nil(out).expect("written"),
        Json::Bool(value) => encode::write_bool(out, *value).expect("written"),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => drop(encode::write_sint(out, value).expect("written")),
            (_, Some(value), _) => drop(encode::write_uint(out, value).expect("written")),
            (.., value) => encode::write_f64(out, value.expect("a float")).expect("written"),
        },
        Json::String(text) => encode::write_str(out, text).expect("written"),
        Json::Array(all) => {
            encode::write_array_len(out, all.len().try_into().expect("short")).expect("written");
            all.iter().for_each(|value| write(out, value));
        }
        Json::Object(all) => {
            encode::write_map_len(out, all.len().try_into().expect("short")).expect("written");
            for (key, value) in all {
                encode::write_str(out, key).expect("written");
                write(out, value);
            }
        }
    }
}

fn read(input: &mut &[u8]) -> Json {
    let marker = Marker::from_u8(*input.first().expect("a byte"));
    match marker {
        Marker::Null => {
            decode::read_nil(input).expect("nil");
            Json::Null
        }
        Marker::True | Marker::False => decode::read_bool(input).expect("bool").into(),
        Marker::F32 | Marker::F64 => decode::read_f64(input).expect("float").into(),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let len = decode::read_str_len(input).expect("text");
            String::from_utf8(take(input, len)).expect("UTF-8").into()
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            let len = decode::read_bin_len(input).expect("bytes");
            String::from_utf8(take(input, len)).expect("UTF-8").into()
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let len = decode::read_array_len(input).expect("an array");
            (0..len).map(|_| read(input)).collect()
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let len = decode::read_map_len(input).expect("a map");
            let mut all = Map::new();
            for _ in 0..len {
                let key = read(input).as_str().expect("a key").to_owned();
                all.insert(key, read(input));
            }
            Json::Object(all)
        }
        Marker::FixExt1 => {
            assert_eq!(take(input, 3), [0xd4, 0, 0], "an unknown value");
            unknown()
        }
        Marker::U64 => decode::read_u64(input).expect("a number").into(),
        _ => decode::read_int::<i64, _>(input).expect("a number").into(),
    }
}

fn take(input: &mut &[u8], len: u32) -> Vec<u8> {
    let mut bytes = vec![0; len.try_into().expect("short")];
    input.read_exact_buf(&mut bytes).expect("bytes");
    bytes
}
