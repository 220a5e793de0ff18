#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::{DynamicValue, Number};

fn round_trip(value: &Value, ty: &AttributeType) -> Value {
    decode_value(Some(encode_value(value, ty).unwrap()), ty).unwrap()
}

fn every_type() -> AttributeType {
    AttributeType::object([
        ("string", AttributeType::String),
        ("number", AttributeType::Number),
        ("bool", AttributeType::Bool),
        ("list", AttributeType::list(AttributeType::String)),
        ("set", AttributeType::set(AttributeType::Number)),
        ("map", AttributeType::map(AttributeType::Bool)),
        (
            "tuple",
            AttributeType::Tuple(vec![AttributeType::String, AttributeType::Bool]),
        ),
        ("dynamic", AttributeType::Dynamic),
    ])
}

#[test]
fn every_character_round_trips() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for some in all.chunks(4096) {
        let text = Value::from(some.iter().collect::<String>());
        assert!(round_trip(&text, &AttributeType::String) == text);
    }
}

#[test]
fn every_type_round_trips() {
    let value = Value::object([
        ("string", Value::from("grüße\n\0")),
        (
            "number",
            Value::Number(Number::parse("1234567890123456789012345.5").unwrap()),
        ),
        ("bool", true.into()),
        (
            "list",
            Value::list([Value::from("a"), Value::Null, Value::Unknown]),
        ),
        (
            "set",
            Value::set_of([1.into(), u64::MAX.into(), 0.5.into(), Value::from(i64::MIN)]),
        ),
        ("map", Value::map([("k", Value::Bool(false))])),
        ("tuple", Value::Tuple(vec!["x".into(), Value::Null])),
        (
            "dynamic",
            Value::Dynamic(Box::new(DynamicValue {
                ty: AttributeType::list(AttributeType::Number),
                value: Value::list([7.into()]),
            })),
        ),
    ]);
    assert!(round_trip(&value, &every_type()) == value);
    assert!(round_trip(&Value::Unknown, &every_type()).is_unknown());
    assert!(round_trip(&Value::Null, &every_type()).is_null());
}

#[test]
fn numbers_stay_exact() {
    for text in [
        "0",
        "-1",
        "127",
        "128",
        "-129",
        "65536",
        "9007199254740993",
        "0.1",
        "2.5",
    ] {
        let number = Value::Number(Number::parse(text).unwrap());
        assert!(
            round_trip(&number, &AttributeType::Number) == number,
            "{text}"
        );
        let json = from_json(text.as_bytes(), &AttributeType::Number).unwrap();
        assert!(json == number, "{text}");
    }
}

#[test]
fn a_refined_unknown_is_unknown() {
    // Extension 12: {1: false} means "not null".
    for bytes in [
        &[0xc7, 3, 12, 0x81, 1, 0xc2][..],
        &[0xd4, 0, 0],
        &[0xd5, 0, 0, 0],
    ] {
        let value = decode::from_msgpack(bytes, &AttributeType::String).unwrap();
        assert!(value.is_unknown(), "{bytes:x?}");
    }
    assert!(decode::from_msgpack(&[0xd4, 5, 0], &AttributeType::String).is_err());
}

#[test]
fn missing_attributes_are_null_and_foreign_ones_are_refused() {
    let ty = AttributeType::object([("a", AttributeType::String)]);
    let value = decode::from_msgpack(&[0x80], &ty).unwrap();
    assert!(value.entries().unwrap().contains_key("a"));
    let error = decode::from_msgpack(&[0x81, 0xa1, b'b', 0xc0], &ty).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected known attributes, found another"
    );
    let extra = Value::object([("b", Value::Null)]);
    assert_eq!(
        encode_value(&extra, &ty).unwrap_err().to_string(),
        "b: expected attributes of the schema, found another"
    );
}

#[test]
fn errors_name_the_place_and_never_the_content() {
    let ty = AttributeType::object([("list", AttributeType::list(AttributeType::Number))]);
    let value = Value::object([("list", Value::list([1.into(), "hunter2".into()]))]);
    let error = encode_value(&value, &ty).unwrap_err();
    assert_eq!(
        error.to_string(),
        "list[1]: expected a number, found string"
    );
    let error = from_json(br#"{"list":["hunter2"]}"#, &ty).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let error = from_json(br#"{"list":"hunter2"}"#, &ty).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn stored_json_decodes_by_type_and_forgives_attributes_of_another_release() {
    let value = from_json(
        br#"{"string":"s","number":"12","set":[1,2],"tuple":["x",true],"gone":{"a":[1]},
            "dynamic":{"value":{"a":1},"type":["object",{"a":"number"}]}}"#,
        &every_type(),
    )
    .unwrap();
    assert_eq!(value.attribute("string").as_str(), Some("s"));
    assert_eq!(value.attribute("number").as_i64(), Some(12));
    assert_eq!(value.attribute("dynamic").attribute("a").as_i64(), Some(1));
    assert!(value.attribute("map").is_null());
    assert!(value.entries().unwrap().get("gone").is_none());
    for bad in [
        "",
        "{",
        "[]",
        "1",
        r#"{"bool":"true"}"#,
        r#"{"tuple":["x"]}"#,
        "{} x",
    ] {
        assert!(from_json(bad.as_bytes(), &every_type()).is_err(), "{bad}");
    }
}

#[test]
fn forged_lengths_and_depths_are_refused() {
    let list = AttributeType::list(AttributeType::String);
    for bytes in [
        &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 0],
        &[0xc1],
        &[],
    ] {
        assert!(decode::from_msgpack(bytes, &list).is_err(), "{bytes:x?}");
    }
    // A value whose type is dynamic may nest without end.
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep.extend_from_slice(b"\x92\xa9\"dynamic\"");
    }
    deep.push(0xc0);
    assert!(decode::from_msgpack(&deep, &AttributeType::Dynamic).is_err());
}

fn any_value() -> impl Strategy<Value = (Value, AttributeType)> {
    let leaf = prop_oneof![
        Just((Value::Unknown, AttributeType::String)),
        any::<bool>().prop_map(|b| (b.into(), AttributeType::Bool)),
        any::<i64>().prop_map(|n| (n.into(), AttributeType::Number)),
        any::<f64>().prop_map(|n| (n.into(), AttributeType::Number)),
        ".{0,40}".prop_map(|s| (Value::from(s), AttributeType::String)),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0..4usize).prop_map(|((value, ty), times)| {
                (Value::List(vec![value; times]), AttributeType::list(ty))
            }),
            (inner.clone(), "[a-z]{0,3}").prop_map(|((value, ty), key)| {
                (Value::map([(key, value)]), AttributeType::map(ty))
            }),
            proptest::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..4).prop_map(|all| {
                let types = all.iter().map(|(name, (_, ty))| (name.clone(), ty.clone()));
                let ty = AttributeType::object(types);
                (
                    Value::object(all.into_iter().map(|(name, (value, _))| (name, value))),
                    ty,
                )
            }),
            inner.prop_map(|(value, ty)| {
                let dynamic = DynamicValue { ty, value };
                (Value::Dynamic(Box::new(dynamic)), AttributeType::Dynamic)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_round_trips((value, ty) in any_value()) {
        prop_assert!(round_trip(&value, &ty) == value);
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::from_msgpack(&bytes, &every_type());
        let _ = decode::from_msgpack(&bytes, &AttributeType::Dynamic);
        let _ = from_json(&bytes, &every_type());
        let _ = crate::PrivateData::decode(&bytes);
    }

    #[test]
    fn no_damage_makes_the_decoder_panic(
        (value, ty) in any_value(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode_value(&value, &ty).unwrap().msgpack.clone();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = decode::from_msgpack(&bytes, &ty);
        let _ = decode::from_msgpack(&bytes[..place], &ty);
    }
}

#[test]
fn an_encoded_object_that_lacks_attributes_never_grew() {
    let names: Vec<String> = (0..50).map(|n| format!("a_rather_long_name_{n}")).collect();
    let inner = AttributeType::object(
        names
            .iter()
            .map(|name| (name.clone(), AttributeType::String)),
    );
    let ty = AttributeType::list(inner.clone());
    let value = Value::list([
        Value::object([("a_rather_long_name_0", Value::from("hunter2"))]),
        Value::object([("a_rather_long_name_1", Value::from("hunter2"))]),
    ]);
    for (value, ty) in [
        (value.clone(), ty.clone()),
        (
            Value::Dynamic(Box::new(DynamicValue {
                ty: ty.clone(),
                value,
            })),
            AttributeType::Dynamic,
        ),
    ] {
        let encoded = encode_value(&value, &ty).unwrap();
        // A buffer that grew has twice what it had.
        let sized = encode::size_hint(&value, &ty);
        assert_eq!(encoded.msgpack.capacity(), sized);
    }
}
