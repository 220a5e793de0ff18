//! What payloads and names are kept, and which are refused.

use super::{
    Outcome, ensure, expect_error, expect_no_payload, expect_payload, name, options, put_versions,
};
use crate::store::{PayloadEncoding, RemoteName, SecretStore, StoreErrorKind};

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every byte comes back from a store of bytes, and every symbol of base64url
/// from one of text.
pub async fn put_of_every_symbol_is_kept(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "every-symbol");
    let payload = match store.capability().encoding {
        PayloadEncoding::Binary => [b"PSE1".as_slice(), &(0..=255).collect::<Vec<u8>>()].concat(),
        PayloadEncoding::Text => [b"pse1.".as_slice(), BASE64URL].concat(),
    };
    let id = store.put(&name, &payload, options(1)).await?;
    expect_payload(store, &name, &id, &payload).await
}

/// The limit that the capability names can be used up.
pub async fn put_payload_at_the_limit_is_kept(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "at-the-limit");
    let payload = of_length(store, 1, store.capability().max_payload_bytes);
    let id = store.put(&name, &payload, options(1)).await?;
    expect_payload(store, &name, &id, &payload).await
}

/// One byte more is refused, and neither a new nor an existing object changes.
pub async fn put_payload_above_the_limit_is_too_large_and_writes_nothing(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let payload = of_length(store, 2, store.capability().max_payload_bytes + 1);
    let new = name(store, prefix, "above-the-limit");
    let refused = store.put(&new, &payload, options(1)).await;
    expect_error(refused, &[StoreErrorKind::TooLarge])?;

    let existing = name(store, prefix, "above-the-limit-2");
    let ids = put_versions(store, &existing, 1).await?;
    let refused = store.put(&existing, &payload, options(2)).await;
    expect_error(refused, &[StoreErrorKind::TooLarge])?;
    expect_payload(store, &existing, &ids[0], &sample(store, 1)).await?;
    // The identifier is another object's: none of them is in this one.
    expect_no_payload(store, &new, &ids[0]).await
}

/// A name as long as the capability allows works for every verb.
pub async fn put_under_a_name_of_the_greatest_length_is_kept(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = padded(store, prefix, "long", 'a');
    let ids = put_versions(store, &name, 2).await?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await?;
    expect_payload(store, &name, &ids[1], &sample(store, 2)).await
}

/// Names that differ in their last byte only are two objects.
pub async fn put_under_two_names_of_the_greatest_length_keeps_them_apart(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let (a, b) = (
        padded(store, prefix, "apart", 'a'),
        padded(store, prefix, "apart", 'b'),
    );
    let (at_a, at_b) = (sample(store, 1), sample(store, 2));
    let id_a = store.put(&a, &at_a, options(1)).await?;
    let id_b = store.put(&b, &at_b, options(1)).await?;
    expect_payload(store, &a, &id_a, &at_a).await?;
    expect_payload(store, &b, &id_b, &at_b).await
}

/// A name beyond the capability's length is refused.
pub async fn put_under_a_longer_name_is_invalid_name(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let longer = RemoteName::new(format!("{}a", padded(store, prefix, "longer", 'a')));
    let refused = store.put(&longer, &sample(store, 1), options(1)).await;
    expect_error(refused, &[StoreErrorKind::InvalidName])
}

/// An empty name is refused.
pub async fn put_under_an_empty_name_is_invalid_name(store: &dyn SecretStore) -> Outcome {
    let empty = RemoteName::new(String::new());
    let refused = store.put(&empty, &sample(store, 1), options(1)).await;
    expect_error(refused, &[StoreErrorKind::InvalidName])?;
    ensure(store.capability().name.max_bytes > 0, || {
        "the capability allows no name at all".to_owned()
    })
}

/// Returns a small payload in the store's form, different for each `seed`.
pub fn sample(store: &dyn SecretStore, seed: u64) -> Vec<u8> {
    // 5 + 59: a length that unpadded base64url can have.
    of_length(store, seed, 64)
}

fn of_length(store: &dyn SecretStore, seed: u64, bytes: usize) -> Vec<u8> {
    // A linear congruential generator is enough to tell payloads apart.
    let mut state = seed.wrapping_add(1);
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let mut payload = match store.capability().encoding {
        PayloadEncoding::Binary => b"PSE1".to_vec(),
        PayloadEncoding::Text => b"pse1.".to_vec(),
    };
    while payload.len() < bytes {
        payload.push(match store.capability().encoding {
            PayloadEncoding::Binary => next(),
            PayloadEncoding::Text => BASE64URL[usize::from(next()) % BASE64URL.len()],
        });
    }
    if store.capability().encoding == PayloadEncoding::Text {
        // The bits beyond the last whole byte are zero in canonical base64url.
        payload.pop();
        payload.push(b'A');
    }
    payload
}

/// Returns a name of the greatest length that ends with `last`.
fn padded(store: &dyn SecretStore, prefix: &str, middle: &str, last: char) -> RemoteName {
    let mut text = name(store, prefix, middle).as_str().to_owned();
    while text.len() + 1 < store.capability().name.max_bytes {
        text.push('x');
    }
    text.push(last);
    RemoteName::new(text)
}
