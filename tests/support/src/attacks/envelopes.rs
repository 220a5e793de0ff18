//! Attacks by envelopes and wraps in the backend.

use planton_core::kek::WrapContext;
use planton_envelope::Envelope;

use super::Target;
use super::scene::{API, DB, Scene};

/// Wraps that name the attacker's key, or that it made under the name of the genuine one.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_redirect_of_the_kek_opens_nothing(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, genuine) = scene.stored(DB, 1).await;
    let theirs = target.theirs.as_ref();
    for named in [theirs.id(), scene.main.id()] {
        let wrap =
            async |dek: &_, context: WrapContext<'_>| theirs.wrap(dek, context).await.unwrap();
        let redirected = scene.forged(&genuine, named, wrap).await;
        if named == theirs.id() {
            let opened = scene.break_glass(theirs, &redirected).await;
            assert_eq!(opened.as_deref(), Some("forged"), "the attack is real");
        }
        scene.plant(&place, &redirected);
        scene.expect_refused_and_found(1).await;
        let opened = scene.break_glass(scene.main.as_ref(), &redirected).await;
        assert_eq!(opened, None);
        // Nor by whoever can forge the version's record.
        scene.vouch_for(1, &redirected).await;
        scene.expect_refused(1).await;
    }
}

/// Each version gets the wraps of the other.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn wraps_swapped_between_versions_open_nothing(target: &Target) {
    let scene = Scene::new(target).await;
    let (first, one) = scene.stored(DB, 1).await;
    let (second, two) = scene.stored(DB, 2).await;
    let (mut swapped, mut other) = (one.clone(), two.clone());
    swapped
        .replace_wrapped_keys(two.wrapped_keys().to_vec())
        .unwrap();
    other
        .replace_wrapped_keys(one.wrapped_keys().to_vec())
        .unwrap();
    scene.plant(&first, &swapped);
    scene.plant(&second, &other);
    for version in [1, 2] {
        scene.expect_refused_and_found(version).await;
    }
    for envelope in [&swapped, &other] {
        expect_sealed(&scene, envelope).await;
    }
    let progress = scene.rewrap(&scene.process()).await.unwrap();
    assert_eq!(progress.failed.len(), 2, "{progress:?}");
    // Nor by whoever can forge the versions' record.
    scene.vouch_for(1, &swapped).await;
    scene.vouch_for(2, &other).await;
    for version in [1, 2] {
        scene.expect_refused(version).await;
    }
    scene.plant(&first, &one);
    scene.plant(&second, &two);
    scene.vouch_for(1, &one).await;
    scene.vouch_for(2, &two).await;
    scene.expect_intact().await;
}

/// Whoever may encrypt wraps a data key with less context, or none.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_downgraded_context_opens_nothing(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, genuine) = scene.stored(DB, 1).await;
    let main = scene.main.as_ref();
    let wrap = async |dek: &_, context: WrapContext<'_>| target.encryptor.wrap(dek, context).await;
    let forged = scene.forged(&genuine, main.id(), wrap).await;
    let opened = scene.break_glass(main, &forged).await;
    assert_eq!(
        opened.as_deref(),
        Some("forged"),
        "it opens with the context"
    );
    let mut tried = 0;
    loop {
        let mut made = 0;
        let wrap = async |dek: &_, context: WrapContext<'_>| {
            let mut all = target.encryptor.downgraded(dek, context).await;
            made = all.len();
            all.swap_remove(tried)
        };
        let downgraded = scene.forged(&genuine, main.id(), wrap).await;
        scene.plant(&place, &downgraded);
        scene.expect_refused_and_found(1).await;
        assert_eq!(scene.break_glass(main, &downgraded).await, None, "{tried}");
        scene.vouch_for(1, &downgraded).await;
        scene.expect_refused(1).await;
        tried += 1;
        if tried == made {
            break;
        }
    }
}

/// The envelope of another secret, and its wraps alone.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn an_envelope_or_wrap_of_another_record_opens_nothing(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, genuine) = scene.stored(DB, 1).await;
    let (_, other) = scene.stored(API, 1).await;
    let mut moved = genuine.clone();
    moved
        .replace_wrapped_keys(other.wrapped_keys().to_vec())
        .unwrap();
    expect_sealed(&scene, &moved).await;
    for planted in [&other, &moved] {
        scene.plant(&place, planted);
        scene.expect_refused_and_found(1).await;
        // Nor by whoever can forge the version's record.
        scene.vouch_for(1, planted).await;
        scene.expect_refused(1).await;
    }
}

/// An envelope that is right in every respect, but for its author. With an RSA key or a
/// recipient of age, that is anybody.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn an_envelope_forged_with_the_right_to_encrypt_alone_is_not_opened(target: &Target) {
    let scene = Scene::new(target).await;
    let (place, genuine) = scene.stored(DB, 1).await;
    let main = scene.main.as_ref();
    let wrap = async |dek: &_, context: WrapContext<'_>| target.encryptor.wrap(dek, context).await;
    let forged = scene.forged(&genuine, main.id(), wrap).await;
    // An envelope alone proves no more than that, which `open` says.
    for key in [main, &scene.escrow as _] {
        let opened = scene.break_glass(key, &forged).await;
        assert_eq!(opened.as_deref(), Some("forged"), "{key:?}");
    }
    scene.plant(&place, &forged);
    scene.expect_refused_and_found(1).await;
    let progress = scene.rewrap(&scene.process()).await.unwrap();
    assert_eq!(progress.failed.len(), 1, "{progress:?}");
    assert_eq!(scene.stored(DB, 1).await.1.encode(), forged.encode());
    scene.plant(&place, &genuine);
    scene.expect_intact().await;
}

/// Expects that no key opens an envelope alone.
async fn expect_sealed(scene: &Scene<'_>, envelope: &Envelope) {
    for key in [scene.main.as_ref(), &scene.escrow as _] {
        let opened = scene.break_glass(key, envelope).await;
        assert_eq!(opened, None, "{key:?}");
    }
}
