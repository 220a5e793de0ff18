//! Multi-Region keys: only an unreachable Region is left for the next one.

use planton_core::kek::{KekErrorKind, KeyEncryptionKey};
use serde_json::{Value, json};
use xtask::moto::{Fault, KmsKeyState, Moto, NewKmsKey};

use super::resolve::alias;
use super::support::{Place, Sealed};

/// The number of tries in a Region if there is another one.
const TRIES: u32 = 3;

/// A multi-Region key with a replica in each Region. The first ARN is the primary key's.
struct Replicated {
    place: Place,
    arns: [String; 3],
}

impl Replicated {
    async fn new() -> Self {
        let place = Place::with(&NewKmsKey {
            multi_region: true,
            ..NewKmsKey::default()
        })
        .await;
        let [_, second, third] = Moto::KMS_REGIONS;
        let replica = |region| place.moto.replicate_kms_key(&place.arn, region).unwrap();
        let arns = [place.arn.clone(), replica(second), replica(third)];
        Self { place, arns }
    }

    fn settings() -> Value {
        // Tried in ascending order, after the Region of the ARN.
        json!({"regions": ["us-east-1", "eu-west-1"]})
    }

    /// Returns the key's identifier: the ARN without a Region.
    fn id(&self) -> String {
        self.place.arn.replacen(":eu-central-1:", "::", 1)
    }

    fn kek(&self) -> planton_vendors::aws::AwsKmsKek {
        self.place.open(Self::settings(), &self.id())
    }

    fn bring_down(&self, arn: &str, status: u16, times: u32) {
        let fault = Fault {
            name: arn,
            status,
            code: "ServiceUnavailable",
            times,
            ..Fault::default()
        };
        self.place.moto.inject(&fault).unwrap();
    }

    /// Returns the number of requests in each Region.
    fn counts(&self) -> [usize; 3] {
        let count = |arn: &String| self.place.requests(arn).len();
        [
            count(&self.arns[0]),
            count(&self.arns[1]),
            count(&self.arns[2]),
        ]
    }
}

//= docs/format.md#26-kek-in-aws-kms
//= type=test
//# A writer MUST write `aws_kms` as `provider`, and as `kek_id` the key's ARN, for a
//# multi-Region key with an empty Region.
#[tokio::test]
async fn a_multi_region_key_is_the_same_key_in_every_region() {
    let key = Replicated::new().await;
    let (kek, _) = key.place.resolve(Replicated::settings()).await.unwrap();
    assert_eq!(kek.id().id, key.id());
    // Each Region is asked for its own key, the first also for the rotation.
    assert_eq!(key.counts(), [2, 1, 1]);
    let sealed = Sealed::new(&kek, "acme", "prod/db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    assert_eq!(key.counts(), [3, 1, 1], "the first Region serves");
    for region in Moto::KMS_REGIONS {
        let elsewhere = json!({"region": region});
        let there = key.place.resolve(elsewhere.clone()).await.unwrap().0;
        assert_eq!(there.id().id, key.id(), "{region}");
        let opened = key.place.open(elsewhere, &key.id());
        sealed.expect_opens(&opened, &wrapped).await;
    }
}

#[tokio::test]
async fn an_alias_is_resolved_while_the_region_of_its_arn_is_down() {
    let key = Replicated::new().await;
    let name = alias(&key.place);
    for arn in &key.arns {
        key.place.moto.alias_kms_key(&name, arn).unwrap();
    }
    // Each Region has aliases of its own, so another one does not know this ARN.
    let (head, _) = key.arns[0].split_once(":key/").unwrap();
    let by_alias = format!("{head}:{name}");
    key.bring_down(&by_alias, 503, TRIES);
    let mut settings = Replicated::settings();
    settings["key_id"] = by_alias.into();
    let (kek, _) = key.place.resolve(settings).await.unwrap();
    assert_eq!(kek.id().id, key.id());
}

#[tokio::test]
async fn an_unreachable_region_costs_its_tries_once() {
    for status in [503, 0] {
        let key = Replicated::new().await;
        let kek = key.kek();
        let sealed = Sealed::new(&kek, "acme", "db");
        let wrapped = sealed.wrap(&kek).await.unwrap();
        assert_eq!(key.counts(), [1, 0, 0]);
        key.bring_down(&key.arns[0], status, TRIES);
        let opened = kek.unwrap(&wrapped, sealed.context()).await;
        opened.unwrap();
        assert_eq!(key.counts(), [4, 1, 0], "{status}");
        // The Region that answered goes on.
        sealed.expect_opens(&kek, &wrapped).await;
        assert_eq!(key.counts(), [4, 2, 0], "{status}");
        // Once it is unreachable, the ones after it are tried, and then the first again.
        key.bring_down(&key.arns[1], status, TRIES);
        key.bring_down(&key.arns[2], status, TRIES);
        kek.unwrap(&wrapped, sealed.context()).await.unwrap();
        assert_eq!(key.counts(), [5, 5, 3], "{status}");
    }
}

#[tokio::test]
async fn with_every_region_down_the_key_is_unavailable() {
    let key = Replicated::new().await;
    let kek = key.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    for arn in &key.arns {
        key.bring_down(arn, 503, TRIES);
    }
    let error = sealed.wrap(&kek).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::Unavailable);
    assert_eq!(key.counts(), [3, 3, 3]);
    sealed.wrap(&kek).await.unwrap();
}

#[tokio::test]
async fn a_refusal_in_one_region_is_final() {
    let key = Replicated::new().await;
    let sealed = Sealed::new(&key.kek(), "acme", "db");
    let wrapped = sealed.wrap(&key.kek()).await.unwrap();
    let before = key.counts();
    assert_eq!(before, [1, 0, 0]);
    for (at, (state, kind)) in [
        (KmsKeyState::Disabled, KekErrorKind::Disabled),
        (KmsKeyState::PendingDeletion, KekErrorKind::PendingDeletion),
        (KmsKeyState::PendingImport, KekErrorKind::Disabled),
    ]
    .into_iter()
    .enumerate()
    {
        key.place
            .moto
            .set_kms_key_state(&key.arns[0], state)
            .unwrap();
        let refused = key.kek().unwrap(&wrapped, sealed.context()).await;
        assert_eq!(refused.unwrap_err().kind(), kind, "{state:?}");
        assert_eq!(key.counts(), [2 + at, 0, 0], "{state:?}");
    }
    let primary = &key.arns[0];
    key.place
        .moto
        .set_kms_key_state(primary, KmsKeyState::Enabled)
        .unwrap();

    // Another Region would permit it.
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "kms:*", "Resource": [key.arns[1], key.arns[2]]},
    ]});
    let place = &key.place;
    place.moto.attach_policy(&place.key_id, &policy).unwrap();
    let denied = key.kek().unwrap(&wrapped, sealed.context()).await;
    let denied = denied.unwrap_err();
    assert_eq!(denied.kind(), KekErrorKind::PermissionDenied);
    assert_eq!(denied.path(), primary);
    assert_eq!(key.counts(), [5, 0, 0]);

    place
        .moto
        .set_kms_key_state(primary, KmsKeyState::Deleted)
        .unwrap();
    let missing = key.kek().unwrap(&wrapped, sealed.context()).await;
    assert_eq!(missing.unwrap_err().kind(), KekErrorKind::NotFound);
    assert_eq!(key.counts(), [6, 0, 0]);
}

#[tokio::test]
async fn a_refusal_after_an_unreachable_region_is_final_too() {
    let key = Replicated::new().await;
    let sealed = Sealed::new(&key.kek(), "acme", "db");
    let wrapped = sealed.wrap(&key.kek()).await.unwrap();
    let second = &key.arns[1];
    key.place
        .moto
        .set_kms_key_state(second, KmsKeyState::Disabled)
        .unwrap();
    key.bring_down(&key.arns[0], 503, TRIES);
    let refused = key.kek().unwrap(&wrapped, sealed.context()).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.path()),
        (KekErrorKind::Disabled, second.as_str())
    );
    assert_eq!(key.counts(), [4, 1, 0]);
}

#[tokio::test]
async fn a_key_can_be_saved_while_a_region_is_down_but_not_without_its_replica() {
    let key = Replicated::new().await;
    key.bring_down(&key.arns[0], 503, TRIES);
    let (kek, _) = key.place.resolve(Replicated::settings()).await.unwrap();
    assert_eq!(kek.id().id, key.id());
    // Three tries, and the rotation; the Region is up again by then.
    assert_eq!(key.counts(), [4, 1, 1]);

    let third = &key.arns[2];
    key.place
        .moto
        .set_kms_key_state(third, KmsKeyState::Deleted)
        .unwrap();
    let error = key.place.refusal(Replicated::settings()).await;
    assert_eq!(error.kind(), KekErrorKind::NotFound);
    assert_eq!(error.path(), third);
    assert!(error.remedy().unwrap().contains("us-east-1"));

    let key = Replicated::new().await;
    for arn in &key.arns {
        key.bring_down(arn, 503, TRIES);
    }
    let error = key.place.refusal(Replicated::settings()).await;
    assert_eq!(error.kind(), KekErrorKind::Unavailable);
}

#[tokio::test]
async fn regions_of_a_single_region_key_are_refused() {
    let place = Place::new().await;
    let name = format!("alias/planton/{}", place.key_id);
    place.moto.alias_kms_key(&name, &place.arn).unwrap();
    let by_alias = json!({"key_id": name, "region": Moto::REGION, "regions": ["eu-west-1"]});
    let error = place.refusal(by_alias).await;
    assert_eq!(error.kind(), KekErrorKind::Misconfigured);
    assert_eq!(error.path(), "regions");
}
