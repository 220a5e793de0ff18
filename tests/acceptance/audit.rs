//! Reads a raw audit log, and removes the plaintexts that a server must see.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use xtask::canary::Canary;

/// What holds the plaintexts of Transit: one, or those of a batch.
const SIDES: [&str; 4] = [
    "/request/data",
    "/request/data/batch_input",
    "/response/data",
    "/response/data/batch_results",
];

/// Returns each data key that Transit wrapped or unwrapped, as text and as bytes.
pub(crate) fn data_keys(audit: &[Value]) -> Vec<Canary> {
    let mut keys = Vec::new();
    for entry in audit.iter().filter(|entry| is_transit(entry)) {
        for text in SIDES.iter().filter_map(|side| entry.pointer(side)) {
            let items = text
                .as_array()
                .map_or(std::slice::from_ref(text), Vec::as_slice);
            for text in items.iter().filter_map(|item| item["plaintext"].as_str()) {
                let bytes = STANDARD.decode(text).unwrap();
                assert_eq!(bytes.len(), 32, "a key, and never a value");
                keys.push(hex::encode(&bytes));
                keys.push(text.to_owned());
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys.iter()
        .map(|key| Canary::of("a data key", key))
        .collect()
}

fn is_transit(entry: &Value) -> bool {
    let path = entry["request"]["path"].as_str().unwrap_or_default();
    path.starts_with("transit/encrypt/") || path.starts_with("transit/decrypt/")
}

/// Removes from the raw audit log exactly the values that a server needs:
/// - the token of each request, and its properties (`auth`, `request.client_token`);
/// - the credential of a login, the token that it returns (`auth/approle/login`), and the
///   requests with which this test created both;
/// - the data keys that Transit wraps and unwraps (`plaintext` of `transit/encrypt/…` and
///   `transit/decrypt/…`), but never a value.
pub(crate) fn without_exempt(audit: Vec<Value>) -> Value {
    let made_here = [
        "auth/approle/login",
        "auth/approle/role/ci/secret-id",
        "auth/token/create",
    ];
    let kept = audit.into_iter().filter_map(|mut entry| {
        let path = entry["request"]["path"].as_str().unwrap_or_default();
        if made_here.contains(&path) {
            return None;
        }
        if is_transit(&entry) {
            for side in SIDES {
                match entry.pointer_mut(side) {
                    Some(Value::Array(items)) => {
                        items
                            .iter_mut()
                            .for_each(|item| _ = item["plaintext"].take());
                    }
                    Some(Value::Object(item)) => _ = item.remove("plaintext"),
                    _ => {}
                }
            }
        }
        entry["auth"].take();
        entry["request"]["client_token"].take();
        Some(entry)
    });
    Value::Array(kept.collect())
}
