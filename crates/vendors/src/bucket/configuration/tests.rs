//! Checks which rules of a bucket concern the objects of an organization.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::bucket::client::scripted::Scripted;
use crate::bucket::location::BucketLocation;
use planton_core::catalog::CatalogErrorKind;
use planton_core::names::Slug;

fn places() -> Places {
    let location = BucketLocation::parse("s3://acme-state/tf").unwrap();
    Places::new(&location, &Slug::parse("acme").unwrap())
}

/// Returns the rules of S3 that concern the organization.
fn s3(rules: &str, spares_small: bool) -> Vec<String> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LifecycleConfiguration \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>"
    );
    let found = of_s3(xml.as_bytes(), spares_small, &places());
    told(&found.expect("a configuration"))
}

fn told(configuration: &Configuration) -> Vec<String> {
    let rules = configuration.rules.iter();
    rules
        .map(|rule| format!("{rule}: {:?}", rule.effect))
        .collect()
}

/// Returns an enabled rule that deletes objects.
fn expiring(filter: &str) -> String {
    format!(
        "<Rule><ID>r</ID>{filter}<Status>Enabled</Status>\
         <Expiration><Days>30</Days></Expiration></Rule>"
    )
}

const DELETES: &[&str] = &["\"r\" (after 30 days): Deletes"];

#[test]
fn a_rule_of_s3_counts_if_its_filter_covers_objects_of_the_organization() {
    for filter in [
        "",
        "<Prefix/>",
        "<Prefix>tf/</Prefix>",
        "<Filter/>",
        "<Filter><Prefix></Prefix></Filter>",
        "<Filter><Prefix>tf/acme</Prefix></Filter>",
        "<Filter><Prefix>tf/acme/records/secrets/</Prefix></Filter>",
        "<Filter><ObjectSizeLessThan>500</ObjectSizeLessThan></Filter>",
        "<Filter><And><Prefix>tf/acme/</Prefix><ObjectSizeGreaterThan>1\
         </ObjectSizeGreaterThan></And></Filter>",
    ] {
        assert_eq!(s3(&expiring(filter), false), DELETES, "{filter}");
    }
    for filter in [
        "<Prefix>logs/</Prefix>",
        "<Filter><Prefix>tf/acme2/</Prefix></Filter>",
        "<Filter><Prefix>tf/acme/probe/</Prefix></Filter>",
        "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>",
        "<Filter><And><Prefix>tf/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag>\
         <Tag><Key>c</Key><Value>d</Value></Tag></And></Filter>",
        "<Filter><And><Prefix>logs/</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></And>\
         </Filter>",
        "<Filter><ObjectSizeGreaterThan>131072</ObjectSizeGreaterThan></Filter>",
    ] {
        assert_eq!(s3(&expiring(filter), false), [""; 0], "{filter}");
    }
    let disabled = expiring("").replace("Enabled", "Disabled");
    assert_eq!(s3(&disabled, false), [""; 0]);
}

#[test]
fn each_effect_of_a_rule_of_s3_is_told() {
    let rule = |actions: &str| format!("<Rule><ID>r</ID><Status>Enabled</Status>{actions}</Rule>");
    for (actions, expected) in [
        (
            "<Expiration><Date>2027-01-01T00:00:00.000Z</Date></Expiration>",
            &["\"r\": Deletes"][..],
        ),
        (
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            &[],
        ),
        (
            "<Transition><Days>1</Days><StorageClass>STANDARD_IA</StorageClass></Transition>\
             <Transition><Days>90</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>",
            &["\"r\" (after 90 days): Archives"],
        ),
        (
            "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
             </NoncurrentVersionExpiration>",
            &["\"r\" (after 1 day): DeletesOldVersions"],
        ),
        (
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload>",
            &[],
        ),
    ] {
        assert_eq!(s3(&rule(actions), false), expected, "{actions}");
    }
}

/// Most configurations that were made since September 2024 move no object below 128 KB.
#[test]
fn a_transition_that_spares_small_objects_archives_nothing() {
    let rule = |filter: &str| {
        format!(
            "<Rule><ID>r</ID><Status>Enabled</Status>{filter}<Transition><Days>9</Days>\
             <StorageClass>GLACIER</StorageClass></Transition></Rule>"
        )
    };
    let archives = ["\"r\" (after 9 days): Archives"];
    assert_eq!(s3(&rule(""), false), archives);
    assert_eq!(s3(&rule(""), true), [""; 0]);
    // A filter by size takes the place of the default.
    let small = "<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>";
    assert_eq!(s3(&rule(small), true), archives);
}

/// Returns the configuration of a bucket of Google, and its rules for the organization.
fn gcs(bucket: &serde_json::Value) -> (Configuration, Vec<String>) {
    let found = of_gcs(bucket.to_string().as_bytes(), &places());
    let found = found.expect("a configuration");
    let told = told(&found);
    (found, told)
}

fn gcs_rule(condition: &serde_json::Value) -> Vec<String> {
    let rule = serde_json::json!({"action": {"type": "Delete"}, "condition": condition});
    let archiving = serde_json::json!({
        "action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"},
        "condition": {"age": 1},
    });
    gcs(&serde_json::json!({"lifecycle": {"rule": [archiving, rule]}})).1
}

#[test]
fn a_rule_of_google_counts_if_objects_of_the_organization_can_meet_its_condition() {
    use serde_json::json;
    for (condition, expected) in [
        (json!({"age": 30}), "number 2 (after 30 days): Deletes"),
        (json!({"age": 0}), "number 2 (after 0 days): Deletes"),
        (
            json!({"isLive": true, "createdBefore": "2027-01-01"}),
            "number 2: Deletes",
        ),
        (json!({"numNewerVersions": 0}), "number 2: Deletes"),
        (
            json!({"matchesPrefix": ["logs/", "tf/"]}),
            "number 2: Deletes",
        ),
        (json!({"matchesSuffix": [".json"]}), "number 2: Deletes"),
        (json!({"matchesSuffix": ["0badcafe"]}), "number 2: Deletes"),
        (
            json!({"matchesStorageClass": ["STANDARD"]}),
            "number 2: Deletes",
        ),
        (
            json!({"numNewerVersions": 3}),
            "number 2: DeletesOldVersions",
        ),
        (
            json!({"isLive": false, "age": 9}),
            "number 2: DeletesOldVersions",
        ),
        (
            json!({"daysSinceNoncurrentTime": 7}),
            "number 2 (after 7 days): DeletesOldVersions",
        ),
    ] {
        assert_eq!(gcs_rule(&condition), [expected], "{condition}");
    }
    for condition in [
        json!({"matchesPrefix": ["logs/"]}),
        json!({"matchesPrefix": ["tf/acme/probe/"]}),
        json!({"matchesSuffix": [".tfstate", ".log"]}),
        json!({"daysSinceCustomTime": 1}),
        json!({"customTimeBefore": "2027-01-01"}),
    ] {
        assert_eq!(gcs_rule(&condition), [""; 0], "{condition}");
    }
}

#[test]
fn versions_and_soft_delete_of_google_are_read() {
    let (found, _) = gcs(&serde_json::json!({
        "versioning": {"enabled": true},
        "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": "2026-01-01"},
    }));
    assert!(found.keeps_versions);
    assert_eq!(found.soft_delete_days, Some(7));
    let (found, _) = gcs(&serde_json::json!({
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
    }));
    assert_eq!(found, Configuration::default());
}

#[test]
fn a_name_is_quoted_and_shortened() {
    assert_eq!(RuleName::quoted("a\n\"b").to_string(), "\"a?\\\"b\"");
    let long = RuleName::quoted(&"é".repeat(255)).to_string();
    assert_eq!(long.chars().count(), MAX_NAME + 3, "{long}");
    assert_eq!(RuleName::quoted("").to_string(), "without a name");
}

/// Runs a first use's probe. Returns what it tells, and the requests for the configuration.
async fn probed(store: &Scripted) -> (Vec<(&'static str, String)>, Vec<String>) {
    let bucket = store.bucket();
    bucket.probe(&Slug::parse("acme").unwrap()).await.unwrap();
    let told = bucket.advice().into_iter();
    let told = told.map(|one| (one.summary, one.detail)).collect();
    let asked = store.log().into_iter();
    (
        told,
        asked
            .filter(|line| line.starts_with("GET 4") || line.starts_with("GET 5"))
            .collect(),
    )
}

#[tokio::test]
async fn the_probe_asks_once_for_rules_and_tells_those_of_the_organization() {
    let store = Scripted::default();
    assert_eq!(probed(&store).await, (vec![], vec!["GET 404".to_owned()]));
    let xml = "<LifecycleConfiguration><Rule><ID>expire &amp; forget</ID><Filter><Prefix>tf/\
               </Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>\
               </Rule></LifecycleConfiguration>";
    let store = Scripted::default();
    store.answer_lifecycle(200, xml);
    let (told, _) = probed(&store).await;
    let [(summary, detail)] = &told[..] else {
        panic!("one advice: {told:?}")
    };
    assert_eq!(*summary, "Lifecycle Rule Deletes Objects");
    let rule = "rule \"expire & forget\" (after 30 days) deletes objects below s3://acme-state/tf";
    assert!(detail.contains(rule), "{detail}");
}

/// A role need not be allowed to read the configuration.
#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_read_is_no_reason_to_reject_a_bucket() {
    for (status, body) in [
        (403, "<Error><Code>AccessDenied</Code></Error>"),
        (501, "<Error><Code>NotImplemented</Code></Error>"),
        (200, "<html><body>Welcome</body></html>"),
        (200, "hunter2"),
        (503, ""),
    ] {
        let store = Scripted::default();
        store.answer_lifecycle(status, body);
        let (told, asked) = probed(&store).await;
        assert_eq!(told, [], "{status}");
        assert!(asked.len() <= 2, "{asked:?}");
    }
}

#[tokio::test]
async fn a_probe_that_fails_is_reported_beside_any_configuration() {
    let store = Scripted::new(vec![
        crate::bucket::client::scripted::Step::Status(
            403,
            "AccessDenied"
        );
        32
    ]);
    store.answer_lifecycle(403, "");
    let probe = store.bucket().probe(&Slug::parse("acme").unwrap()).await;
    assert_eq!(
        probe.unwrap_err().kind(),
        CatalogErrorKind::PermissionDenied
    );
}
