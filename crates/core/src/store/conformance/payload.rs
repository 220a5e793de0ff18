//! Checks which payloads and names are accepted, and which are rejected.

use super::{
    Outcome, ensure, expect_error, expect_no_payload, expect_payload, name, options, put_versions,
};
use crate::store::{PayloadEncoding, RemoteName, SecretStore, StoreErrorKind};

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Checks that every byte is kept by a binary store, and every base64url symbol by a
/// text store.
pub async fn put_of_every_symbol_is_kept(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "every-symbol");
    let payload = match store.capability().encoding {
        PayloadEncoding::Binary => [b"PSE1".as_slice(), &(0..=255).collect::<Vec<u8>>()].concat(),
        PayloadEncoding::Text => [b"pse1.".as_slice(), BASE64URL].concat(),
    };
    let id = store.put(&name, &payload, options(1)).await?;
    expect_payload(store, &name, &id, &payload).await
}

/// Checks that a payload of the maximum size is accepted.
pub async fn put_payload_at_the_limit_is_kept(store: &dyn SecretStore, prefix: &str) -> Outcome {
    let name = name(store, prefix, "at-the-limit");
    let payload = of_length(store, 1, store.capability().max_payload_bytes);
    let id = store.put(&name, &payload, options(1)).await?;
    expect_payload(store, &name, &id, &payload).await
}

/// Checks that a payload above the maximum size is rejected, and that no object
/// changes.
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
    // The identifier belongs to another object, so this object must not contain it.
    expect_no_payload(store, &new, &ids[0]).await
}

/// Checks that a name of the maximum length is accepted by put and get.
pub async fn put_under_a_name_of_the_greatest_length_is_kept(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let name = padded(store, prefix, "long", 'a');
    let ids = put_versions(store, &name, 2).await?;
    expect_payload(store, &name, &ids[0], &sample(store, 1)).await?;
    expect_payload(store, &name, &ids[1], &sample(store, 2)).await
}

/// Checks that two names that differ in their last byte only are two objects.
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

/// Checks that a name above the maximum length is rejected.
pub async fn put_under_a_longer_name_is_invalid_name(
    store: &dyn SecretStore,
    prefix: &str,
) -> Outcome {
    let longer = RemoteName::new(format!("{}a", padded(store, prefix, "longer", 'a')));
    let refused = store.put(&longer, &sample(store, 1), options(1)).await;
    expect_error(refused, &[StoreErrorKind::InvalidName])
}

/// Checks that an empty name is rejected.
pub async fn put_under_an_empty_name_is_invalid_name(store: &dyn SecretStore) -> Outcome {
    let empty = RemoteName::new(String::new());
    let refused = store.put(&empty, &sample(store, 1), options(1)).await;
    expect_error(refused, &[StoreErrorKind::InvalidName])?;
    ensure(store.capability().name.max_bytes > 0, || {
        "the capability allows no name at all".to_owned()
    })
}

/// Returns a small payload in the store's form, distinct for each `seed`.
pub fn sample(store: &dyn SecretStore, seed: u64) -> Vec<u8> {
    // 5 + 59: a valid length of unpadded base64url.
    of_length(store, seed, 64)
}

fn of_length(store: &dyn SecretStore, seed: u64, bytes: usize) -> Vec<u8> {
    // A linear congruential generator suffices to make payloads distinct.
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
        // In canonical base64url, the bits beyond the last whole byte are zero.
        payload.pop();
        payload.push(b'A');
    }
    payload
}

/// Returns a name of the maximum length that ends with `last`.
fn padded(store: &dyn SecretStore, prefix: &str, middle: &str, last: char) -> RemoteName {
    let mut text = name(store, prefix, middle).as_str().to_owned();
    while text.len() + 1 < store.capability().name.max_bytes {
        text.push('x');
    }
    text.push(last);
    RemoteName::new(text)
}
