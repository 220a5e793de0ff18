//! Attacks on the escrow keys of a backend, and by what a rewrap would carry on.

use planton_core::catalog::CatalogErrorKind;
use planton_core::kek::KeyEncryptionKey as _;
use planton_core::operations::OperationError;
use planton_envelope::{DataKey, Envelope};

use super::Target;
use super::objects::Place;
use super::scene::{DB, Scene, names, recipient, second_recipient};

/// The wrap for the escrow key is removed, or replaced by one that its holder cannot use. It
/// is found while the main key is there, and not when only the escrow key is left.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_stripped_or_replaced_escrow_wrap_is_found_by_verify(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, genuine) = scene.stored(DB, 1).await;
    let drilled = scene.verify(Some(&scene.escrow)).await;
    assert_eq!((drilled.drilled, drilled.findings), (3, Vec::new()));
    let [main, escrow] = genuine.wrapped_keys() else {
        panic!("it is wrapped for the main key and the escrow key");
    };
    let names = names();
    let bound = |id| names.bound(genuine.binding(id));
    let another = DataKey::generate().unwrap();
    let id = scene.escrow.id();
    let of_another = scene.escrow.wrap(&another, bound(id)).await.unwrap();
    let id = scene.theirs.id();
    let for_theirs = scene.theirs.wrap(&another, bound(id)).await.unwrap();
    for wraps in [
        vec![main.clone()],
        vec![main.clone(), (escrow.0.clone(), of_another)],
        vec![main.clone(), (id.clone(), for_theirs.clone())],
        vec![main.clone(), (escrow.0.clone(), for_theirs)],
    ] {
        let mut altered = genuine.clone();
        altered.replace_wrapped_keys(wraps).unwrap();
        let opened = scene.break_glass(scene.main.as_ref(), &altered).await;
        assert_eq!(
            opened.as_deref(),
            Some("one"),
            "the main key still opens it"
        );
        assert_eq!(scene.break_glass(&scene.escrow, &altered).await, None);
        scene.plant(&place, &altered);
        scene.expect_refused_and_found(1).await;
    }
    scene.plant(&place, &genuine);
    scene.expect_intact().await;
}

/// The wrap of another data key, in place of the genuine one.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_substituted_wrap_is_not_carried_on_by_a_rewrap(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, substituted) = substituted(&scene).await;
    scene.plant(&place, &substituted);
    let ours = recipient(scene.escrow.recipient());
    scene.change_escrow(vec![ours, second_recipient()]).await;
    // First by whoever writes the backend, and then by whoever can forge the version's record.
    for is_forged in [false, true] {
        if is_forged {
            scene.vouch_for(1, &substituted).await;
        }
        let progress = scene.rewrap(&scene.process()).await.unwrap();
        let failed: Vec<_> = progress
            .failed
            .iter()
            .map(|failed| failed.version)
            .collect();
        assert_eq!(failed, [Some(1)], "{progress:?}");
        let (_, now) = scene.stored(DB, 1).await;
        assert_eq!(now.encode(), substituted.encode(), "nothing was put");
    }
    scene.expect_refused(1).await;
    assert_eq!(scene.open(2).await.unwrap(), "two");
}

/// The same with a forged record, and a rewrap under the same key. `rotate` makes its service wrap
/// each data key again, without showing it.
///
/// # Panics
///
/// If the substituted wrap opens anything.
pub async fn a_substituted_wrap_that_a_forged_record_names_is_carried_on_and_opens_nothing(
    target: &Target,
    rotate: impl Future<Output = ()>,
) {
    let scene = Scene::new(target).await;
    let (place, substituted) = substituted(&scene).await;
    scene.plant(&place, &substituted);
    scene.vouch_for(1, &substituted).await;
    rotate.await;
    let progress = scene.rewrap(&scene.process()).await.unwrap();
    assert_eq!(progress.failed, [], "nobody sees the data key");
    let (_, now) = scene.stored(DB, 1).await;
    assert_ne!(now.wraps_digest(), substituted.wraps_digest());
    assert_eq!(now.payload_digest(), substituted.payload_digest());
    scene.expect_refused(1).await;
    assert_eq!(scene.open(2).await.unwrap(), "two");
    // A `verify` unwraps nothing without a drill.
    assert_eq!(scene.verify(None).await.findings, []);
    // The escrow key still opens it.
    let opened = scene.break_glass(&scene.escrow, &now).await;
    assert_eq!(opened.as_deref(), Some("one"));
}

/// The same under a key whose data keys the provider unwraps to rewrap them: it compares them.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_substituted_wrap_that_a_forged_record_names_is_not_carried_on_under_the_same_key(
    target: &Target,
    rotate: impl Future<Output = ()>,
) {
    let scene = Scene::new(target).await;
    let (place, substituted) = substituted(&scene).await;
    scene.plant(&place, &substituted);
    scene.vouch_for(1, &substituted).await;
    rotate.await;
    let progress = scene.rewrap(&scene.process()).await.unwrap();
    let failed = progress.failed.iter().map(|failed| failed.version);
    assert_eq!(failed.collect::<Vec<_>>(), [Some(1)], "{progress:?}");
    // The genuine ones move.
    assert!(progress.rewrapped > 0, "{progress:?}");
    let (_, now) = scene.stored(DB, 1).await;
    assert_eq!(now.encode(), substituted.encode(), "nothing was put");
    scene.expect_refused(1).await;
    assert_eq!(scene.open(2).await.unwrap(), "two");
}

/// Returns an envelope with the main key's wrap of another data key, and where it stands.
async fn substituted(scene: &Scene<'_>) -> (Place, Envelope) {
    let (place, mut envelope) = scene.stored(DB, 1).await;
    let names = names();
    let another = DataKey::generate().unwrap();
    let bound = names.bound(envelope.binding(scene.main.id()));
    let wrapped = scene.target.encryptor.wrap(&another, bound).await;
    let mut wraps = envelope.wrapped_keys().to_vec();
    wraps[0].1 = wrapped;
    envelope.replace_wrapped_keys(wraps).unwrap();
    (place, envelope)
}

/// The backend's record from before the removal is put back, with its valid MAC.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_removed_escrow_recipient_is_not_brought_back_by_an_older_record(target: &Target) {
    let scene = Scene::new(target).await;
    let older = scene.backend_record().await;
    scene.change_escrow(Vec::new()).await;
    let view = scene
        .create(&scene.process(), "seen", "four")
        .await
        .unwrap();
    let newer = scene.backend_record().await;
    scene.put_backend_back(older);
    let payloads = scene.objects.payloads();
    // A state has seen the newer record.
    let process = scene.process();
    process.backends().remember(view.backend_seen.unwrap());
    let created = scene.create(&process, "next", "five").await;
    let refused = matches!(created, Err(OperationError::BackendRolledBack { .. }));
    assert!(refused, "{created:?}");
    // A client without a state pins the keys.
    let created = scene.create(&scene.pinned(&[]), "next", "five").await;
    expect_not_allowed(&created, &scene);
    let rewrapped = scene.rewrap(&scene.pinned(&[])).await;
    expect_not_allowed(&rewrapped, &scene);
    assert_eq!(scene.objects.payloads(), payloads);
    scene.put_backend_back(newer);
    let pinned = scene.pinned(&[]);
    scene.create(&pinned, "next", "five").await.unwrap();
}

fn expect_not_allowed<T: std::fmt::Debug>(outcome: &Result<T, OperationError>, scene: &Scene<'_>) {
    let Err(OperationError::KeyNotAllowed { key }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(key, scene.escrow.id());
}

/// A recipient of the attacker's in the record of the backend.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn an_escrow_recipient_that_a_catalog_writer_adds_gets_nothing(target: &Target) {
    let scene = Scene::new(target).await;
    let genuine = scene.backend_record().await;
    let payloads = scene.objects.payloads();
    scene.add_recipient(&scene.theirs, None).await;
    let created = scene.create(&scene.process(), "next", "four").await;
    expect_altered(&created);
    let rewrapped = scene.rewrap(&scene.process()).await;
    expect_altered(&rewrapped);
    // Whoever can forge records as well: a client that pins the keys wraps for none but them.
    scene.put_backend_back(genuine);
    let mac_key = scene.mac_key().await;
    scene.add_recipient(&scene.theirs, Some(&mac_key)).await;
    let pins = [scene.escrow.id()];
    let created = scene.create(&scene.pinned(&pins), "next", "four").await;
    let refused =
        matches!(&created, Err(OperationError::KeyNotAllowed { key }) if key == scene.theirs.id());
    assert!(refused, "{created:?}");
    let rewrapped = scene.rewrap(&scene.pinned(&pins)).await;
    let refused = matches!(rewrapped, Err(OperationError::KeyNotAllowed { .. }));
    assert!(refused, "{rewrapped:?}");
    assert_eq!(scene.objects.payloads(), payloads, "nothing was put");
}

fn expect_altered<T: std::fmt::Debug>(outcome: &Result<T, OperationError>) {
    let altered = matches!(outcome, Err(OperationError::Catalog(error)) if error.kind() == CatalogErrorKind::Altered);
    assert!(altered, "{outcome:?}");
}
