use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planton_core::kek::{KekErrorKind, KeyEncryptionKey, KeyRotation, ProvisionKek, Rewrap};
use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};
use planton_vendors::openbao::client::OpenBaoClient;
use planton_vendors::openbao::{DEFAULT_ROTATION_PERIOD, TransitKek};
use serde_json::json;
use subtle::ConstantTimeEq;
use test_support::wrapping::bound as bound_to;
use uuid::Uuid;
use xtask::faults::{Fault, Match};

use super::support::{Place, counted};

fn dek() -> DataKey {
    DataKey::copy_of(&[7; 32])
}

fn binding(kek: &TransitKek, organization: u128) -> WrapBinding {
    WrapBinding::for_mac_key(Uuid::from_u128(organization), kek.id())
}

//= docs/format.md#14-transit-kek
//= type=test
//# A writer MUST write `transit` as `provider`, and as `kek_id` the engine's mount, `/` and
//# the key's name, without a version.
#[tokio::test]
async fn wraps_open_for_their_own_binding_and_no_other() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    let id = format!("{}/planton-acme", place.config.transit_mount_path);
    assert_eq!(
        (kek.id().provider.as_str(), kek.id().id.as_str()),
        ("transit", id.as_str())
    );
    kek.provision().await.unwrap();
    kek.provision().await.unwrap();
    let bound = binding(&kek, 1);
    let wrapped = kek.wrap(&dek(), bound_to(&bound)).await.unwrap();
    assert!(wrapped.as_bytes().starts_with(b"vault:v1:"));
    let unwrapped = kek.unwrap(&wrapped, bound_to(&bound)).await.unwrap();
    assert!(bool::from(unwrapped.ct_eq(&dek())));
    let error = kek
        .unwrap(&wrapped, bound_to(&binding(&kek, 2)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Refused);
    let mut altered = wrapped.as_bytes().to_vec();
    altered[20] ^= 1;
    for broken in [
        altered,
        b"vault:v1:".to_vec(),
        b"nonsense".to_vec(),
        vec![0xff; 40],
    ] {
        let error = kek
            .unwrap(&WrappedKey::new(broken), bound_to(&bound))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::Refused);
    }
}

//= docs/format.md#14-transit-kek
//= type=test
//# A writer MUST send the DEK to `encrypt` as `plaintext` and the binding as `context`, both
//# in base64 with padding (RFC 4648, section 4).
//= docs/format.md#14-transit-kek
//= type=test
//# A writer MUST write the `ciphertext` that the engine returns as `wrapped`, unchanged.
//= docs/format.md#14-transit-kek
//= type=test
//# A reader MUST refuse a `wrapped` of another form without sending it to the engine.
#[tokio::test]
async fn the_engine_opens_a_wrap_by_its_published_form() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let bound = binding(&kek, 1);
    let wrapped = kek.wrap(&dek(), bound_to(&bound)).await.unwrap();

    // Unwraps as an operator would, by the published format.
    let path = format!("{}/decrypt/planton-acme", place.config.transit_mount_path);
    let request = json!({
        "ciphertext": std::str::from_utf8(wrapped.as_bytes()).unwrap(),
        "context": STANDARD.encode(bound.as_bytes()),
    });
    let answer = place.admin.ok("POST", &path, &request.to_string()).await;
    assert_eq!(answer["data"]["plaintext"], STANDARD.encode([7; 32]));

    for other in ["vault:v01:AAAA", "vault:v1", "AAAA", "vault:v1:\u{e9}"] {
        let other = WrappedKey::new(other.as_bytes().to_vec());
        let (outcome, requests) = counted(&client, kek.unwrap(&other, bound_to(&bound))).await;
        assert_eq!(outcome.unwrap_err().kind(), KekErrorKind::Refused);
        assert_eq!(requests, 0);
    }
}

#[tokio::test]
async fn the_key_is_looked_at_once_per_process() {
    let place = Place::new().await;
    TransitKek::platform(&place.client(), &place.scope)
        .provision()
        .await
        .unwrap();
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    let bound = binding(&kek, 1);
    let (wrapped, requests) = counted(&client, kek.wrap(&dek(), bound_to(&bound))).await;
    assert_eq!(requests, 2, "look, wrap");
    let (outcome, requests) = counted(&client, kek.wrap(&dek(), bound_to(&bound))).await;
    outcome.unwrap();
    assert_eq!(requests, 1);
    let (outcome, requests) =
        counted(&client, kek.unwrap(&wrapped.unwrap(), bound_to(&bound))).await;
    outcome.unwrap();
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_missing_key_stays_missing_even_for_a_token_that_could_make_one() {
    let place = Place::new().await;
    let kek = TransitKek::platform(&place.client(), &place.scope);
    let bound = binding(&kek, 1);
    let error = kek.wrap(&dek(), bound_to(&bound)).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::NotFound);
    assert!(error.path().contains("planton-acme"), "{error:?}");
    assert!(error.remedy().unwrap().contains("backup"), "{error:?}");
    let wrapped = WrappedKey::new(b"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_vec());
    let error = kek.unwrap(&wrapped, bound_to(&bound)).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::NotFound, "{error:?}");
    let key = place.client().transit().key("planton-acme").await.unwrap();
    assert_eq!(key, None);
}

//= docs/format.md#14-transit-kek
//= type=test
//# A writer MUST refuse a key that is not of type `aes256-gcm96`, not `derived`,
//# convergent, or exportable.
#[tokio::test]
async fn a_key_of_another_kind_is_refused_and_left_alone() {
    let place = Place::new().await;
    for (name, settings) in [
        ("plain", r#"{"type":"aes256-gcm96"}"#),
        ("chacha", r#"{"type":"chacha20-poly1305","derived":true}"#),
        (
            "convergent",
            r#"{"derived":true,"convergent_encryption":true}"#,
        ),
        ("exportable", r#"{"derived":true,"exportable":true}"#),
    ] {
        let path = format!("{}/keys/{name}", place.config.transit_mount_path);
        place.admin.ok("POST", &path, settings).await;
        let kek = customers(&place.client(), name);
        let bound = binding(&kek, 1);
        let provisioned = kek.provision().await.unwrap_err();
        let wrapped = kek.wrap(&dek(), bound_to(&bound)).await.unwrap_err();
        for error in [provisioned, wrapped] {
            assert_eq!(
                error.kind(),
                KekErrorKind::Misconfigured,
                "{name}: {error:?}"
            );
            assert!(
                error.remedy().unwrap().contains("derived=true"),
                "{name}: {error:?}"
            );
        }
    }
}

/// Returns a customer's key.
fn customers(client: &OpenBaoClient, name: &str) -> TransitKek {
    let id = KekId {
        provider: "vault_transit".to_owned(),
        id: name.to_owned(),
    };
    TransitKek::customers(client, name, id)
}

/// Returns whether `kek` is accepted for a first use, and for a wrap.
async fn taken(kek: &TransitKek) -> [Result<(), String>; 2] {
    let provisioned = kek.provision().await;
    let wrapped = kek
        .wrap(&dek(), bound_to(&binding(kek, 1)))
        .await
        .map(|_| ());
    [provisioned, wrapped].map(|outcome| {
        outcome.map_err(|error| {
            assert_eq!(error.kind(), KekErrorKind::Misconfigured, "{error:?}");
            error.remedy().unwrap().to_owned()
        })
    })
}

//= docs/format.md#14-transit-kek
//= type=test
//# For the built-in backend, a writer MUST also refuse a key that was imported or that allows
//# plaintext backups.
#[tokio::test]
async fn the_platforms_key_is_refused_when_it_may_be_known_elsewhere() {
    let place = Place::new().await;
    let path = format!("{}/keys/planton-acme", place.config.transit_mount_path);
    let body = r#"{"derived":true,"allow_plaintext_backup":true}"#;
    place.admin.ok("POST", &path, body).await;
    for refusal in taken(&TransitKek::platform(&place.client(), &place.scope)).await {
        let remedy = refusal.unwrap_err();
        assert!(remedy.contains("allows plaintext backups"), "{remedy}");
        assert!(remedy.contains("allow_plaintext_backup=false"), "{remedy}");
    }
    // The owner of the user's own key may back it up.
    let theirs = customers(&place.client(), "planton-acme");
    assert_eq!(taken(&theirs).await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn the_platforms_key_is_refused_after_it_began_to_allow_backups() {
    let place = Place::new().await;
    let path = format!("{}/keys/planton-acme", place.config.transit_mount_path);
    let kek = || TransitKek::platform(&place.client(), &place.scope);
    assert_eq!(taken(&kek()).await, [Ok(()), Ok(())]);
    let body = r#"{"allow_plaintext_backup":true}"#;
    place
        .admin
        .ok("POST", &format!("{path}/config"), body)
        .await;
    for refusal in taken(&kek()).await {
        assert!(refusal.unwrap_err().contains("allows plaintext backups"));
    }
}

#[tokio::test]
async fn rewrapped_and_retired_key_versions_are_told_apart() {
    let place = Place::new().await;
    let client = place.client();
    let kek = TransitKek::platform(&client, &place.scope);
    kek.provision().await.unwrap();
    let bound = binding(&kek, 1);
    let old = kek.wrap(&dek(), bound_to(&bound)).await.unwrap();
    let path = format!("{}/keys/planton-acme", place.config.transit_mount_path);
    place.admin.ok("POST", &format!("{path}/rotate"), "").await;
    let (wrapped, context) = (&old, bound_to(&bound));
    let new = kek.rewrap(&[Rewrap { wrapped, context }]).await.remove(0);
    let new = new.unwrap();
    assert!(new.as_bytes().starts_with(b"vault:v2:"), "{new:?}");
    let retire = r#"{"min_decryption_version":2}"#;
    place
        .admin
        .ok("POST", &format!("{path}/config"), retire)
        .await;
    let unwrapped = kek.unwrap(&new, bound_to(&bound)).await.unwrap();
    assert!(bool::from(unwrapped.ct_eq(&dek())));
    let error = kek.unwrap(&old, bound_to(&bound)).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Disabled, "{error:?}");

    // Restoring the version restores the reads.
    let restore = r#"{"min_decryption_version":1}"#;
    let config = format!("{path}/config");
    place.admin.ok("POST", &config, restore).await;
    let unwrapped = kek.unwrap(&old, bound_to(&bound)).await.unwrap();
    assert!(bool::from(unwrapped.ct_eq(&dek())));
}

#[tokio::test]
async fn a_stale_404_for_the_key_is_not_believed_whatever_was_written_before() {
    let place = Place::new().await;
    let proxy = place.proxy();
    TransitKek::platform(&place.client(), &place.scope)
        .provision()
        .await
        .unwrap();
    let client = place.client_at(proxy.address());
    client.fence().await.unwrap();
    let kek = TransitKek::platform(&client, &place.scope);
    let stale = Fault::status(404).with_body("{\"errors\":[]}");
    proxy.fail(stale.on(Match::path("/keys/planton-acme")));
    let wrapped = counted(&client, kek.wrap(&dek(), bound_to(&binding(&kek, 1)))).await;
    wrapped.0.unwrap();
    assert_eq!(wrapped.1, 4, "the key, a fence, the key, the wrap");
    assert_eq!(proxy.unused_faults(), [""; 0]);
}

/// The server itself says when it rotates the key.
#[tokio::test]
async fn a_key_that_the_provider_creates_rotates_by_itself_unless_disabled() {
    let place = Place::new().await;
    let client = place.client();
    let day = Duration::from_secs(24 * 60 * 60);
    let kek = || TransitKek::platform(&client, &place.scope);
    for (kek, name, seconds) in [
        (kek(), "planton-acme", 90 * 24 * 60 * 60),
        (
            TransitKek::platform_mac(&client, &place.scope).rotated_every(Some(day)),
            "planton-acme.mac",
            24 * 60 * 60,
        ),
    ] {
        kek.provision().await.unwrap();
        let path = format!("{}/keys/{name}", place.config.transit_mount_path);
        let answer = place.admin.ok("GET", &path, "").await;
        assert_eq!(answer["data"]["auto_rotate_period"], seconds, "{name}");
        let every = KeyRotation::Every(Duration::from_secs(seconds));
        assert_eq!(kek.describe().await.unwrap().rotation, every);
    }
    // A later configuration does not change an existing key.
    let later = kek().rotated_every(None);
    later.provision().await.unwrap();
    let every = KeyRotation::Every(DEFAULT_ROTATION_PERIOD);
    assert_eq!(later.describe().await.unwrap().rotation, every);

    let other = Place::new().await;
    let never = TransitKek::platform(&other.client(), &other.scope).rotated_every(None);
    never.provision().await.unwrap();
    let described = never.describe().await.unwrap();
    assert_eq!(described.rotation, KeyRotation::Manual);
}
