use super::*;

fn sample() -> Value {
    Value::object([
        ("name", Value::from("hunter2")),
        ("size", 3.into()),
        ("tags", Value::map([("k", Value::from("hunter3"))])),
        (
            "list",
            Value::list([Value::from("hunter4"), Value::Unknown]),
        ),
    ])
}

#[test]
fn debug_shows_shapes_and_no_content() {
    let shown = format!("{:?}", sample());
    assert!(!shown.contains("hunter"), "{shown}");
    assert_eq!(
        shown,
        r#"object {"list": list[string, unknown], "name": string, "size": number, "tags": map(1)}"#
    );
}

#[test]
fn attributes_are_found_set_and_taken() {
    let mut value = sample();
    assert_eq!(value.attribute("name").as_str(), Some("hunter2"));
    assert!(value.attribute("absent").is_null());
    assert!(Value::Unknown.attribute("any").is_unknown());
    assert_eq!(value.take("name").as_str(), Some("hunter2"));
    assert!(value.attribute("name").is_null());
    value.set("size", 4);
    assert_eq!(value.attribute("size").as_i64(), Some(4));
    let path = AttributePath::attribute("tags").key("k");
    assert_eq!(value.at(&path).and_then(Value::as_str), Some("hunter3"));
    assert!(
        value
            .at(&AttributePath::attribute("list").index(7))
            .is_none()
    );
}

#[test]
fn unknown_parts_are_seen_and_replaced() {
    assert!(!sample().is_wholly_known());
    let nulled = sample().unknown_as_null();
    assert!(nulled.is_wholly_known());
    assert!(nulled.attribute("list").elements()[1].is_null());
}

#[test]
fn sets_compare_without_order_and_keep_multiplicity() {
    let set = |all: &[&str]| Value::Set(all.iter().copied().map(Value::from).collect());
    assert_eq!(set(&["a", "b"]), set(&["b", "a"]));
    assert_ne!(set(&["a", "a", "b"]), set(&["a", "b", "b"]));
    assert_eq!(
        Value::set_of([1.into(), 1.into()]),
        Value::Set(vec![1.into()])
    );
}
