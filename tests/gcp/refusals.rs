use planton_core::store::{
    Deletion, NativeVersionId, RemoteName, SecretStore, StoreError, StoreErrorKind,
};
use planton_vendors::gcp::GcpSecretManagerStore;
use serde_json::json;
use xtask::gcp::GcpFault;

use super::support::{PAYLOAD, Place, about, all_of, name, version};

/// Maps each operation's refusal to an error.
async fn refused(
    store: &GcpSecretManagerStore,
    operation: &str,
    id: &NativeVersionId,
) -> StoreError {
    let versions = vec![id.clone()];
    match operation {
        "CreateSecret" => {
            let new = RemoteName::new("new".to_owned());
            store.put(&new, PAYLOAD, version(1, &[])).await.unwrap_err()
        }
        "AddSecretVersion" => {
            let put = store.put(name(), PAYLOAD, version(2, &[id])).await;
            put.unwrap_err()
        }
        "AccessSecretVersion" => store.get(name(), id).await.unwrap_err(),
        "GetSecretVersion" => store.describe(name(), about(id)).await.unwrap_err(),
        "GetSecret" => {
            let unknown = NativeVersionId::new("?".to_owned());
            store.describe(name(), about(&unknown)).await.unwrap_err()
        }
        "DestroySecretVersion" => {
            let deleted = store.delete(name(), Deletion::Versions(versions)).await;
            deleted.unwrap_err()
        }
        "DeleteSecret" => {
            let deleted = store.delete(name(), Deletion::Object { versions }).await;
            deleted.unwrap_err()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_and_is_never_taken_for_gone() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    for (operation, permission) in [
        ("CreateSecret", "secretmanager.secrets.create"),
        ("AddSecretVersion", "secretmanager.versions.add"),
        ("AccessSecretVersion", "secretmanager.versions.access"),
        ("GetSecretVersion", "secretmanager.versions.get"),
        ("GetSecret", "secretmanager.secrets.get"),
        ("DestroySecretVersion", "secretmanager.versions.destroy"),
        ("DeleteSecret", "secretmanager.secrets.delete"),
    ] {
        // Without the access permission, the store reads metadata.
        let looks = operation == "GetSecretVersion";
        let access = looks.then_some("secretmanager.versions.access");
        let denied: Vec<_> = access.into_iter().chain([permission]).collect();
        place.fake.deny(&denied).unwrap();
        let error = refused(&store, operation, &id).await;
        assert_eq!(
            error.kind(),
            StoreErrorKind::PermissionDenied,
            "{operation}"
        );
        assert_eq!(error.operation(), operation);
        let remedy = error.remedy().unwrap();
        assert!(
            remedy.contains(&format!(
                "Grant {permission} on projects/acme to the account"
            )),
            "{remedy}"
        );
        // The named role grants only the denied permission.
        assert!(!remedy.contains("roles/"), "{remedy}");
        assert!(all_of(&error).contains("status 403 PERMISSION_DENIED IAM_PERMISSION_DENIED"));
    }
    place.fake.deny(&[]).unwrap();
    assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
}

/// Denies access to the version, so the store reads metadata.
fn look_at_metadata(place: &Place, operation: &str) {
    let looks = operation == "GetSecretVersion";
    let access: &[&str] = &["secretmanager.versions.access"];
    let denied = if looks { access } else { &[] };
    place.fake.deny(denied).unwrap();
}

#[tokio::test]
async fn refusals_have_meanings_and_remedies() {
    use StoreErrorKind as K;
    let place = Place::settled();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let disabled = Some("SERVICE_DISABLED");
    for (operation, status, reason, kind, remedy) in [
        (
            "AddSecretVersion",
            "PERMISSION_DENIED",
            disabled,
            K::Misconfigured,
            "gcloud services enable secretmanager.googleapis.com --project=acme",
        ),
        (
            "GetSecretVersion",
            "PERMISSION_DENIED",
            Some("BILLING_DISABLED"),
            K::Misconfigured,
            "billing",
        ),
        (
            "CreateSecret",
            "PERMISSION_DENIED",
            Some("CONSUMER_INVALID"),
            K::Misconfigured,
            "project_id",
        ),
        (
            "CreateSecret",
            "NOT_FOUND",
            None,
            K::Misconfigured,
            "project_id",
        ),
        (
            "CreateSecret",
            "FAILED_PRECONDITION",
            None,
            K::Misconfigured,
            "constraints/gcp.resourceLocations",
        ),
        (
            "CreateSecret",
            "INVALID_ARGUMENT",
            None,
            K::Misconfigured,
            "replica_locations",
        ),
        (
            "AccessSecretVersion",
            "PERMISSION_DENIED",
            Some("SECURITY_POLICY_VIOLATED"),
            K::PermissionDenied,
            "VPC Service Controls",
        ),
        (
            "AccessSecretVersion",
            "PERMISSION_DENIED",
            Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            K::PermissionDenied,
            "cloud-platform",
        ),
        (
            "AddSecretVersion",
            "RESOURCE_EXHAUSTED",
            Some("RATE_LIMIT_EXCEEDED"),
            K::RateLimited,
            "600 reads, 600 writes and 90,000 accesses a minute, and AddSecretVersion counts among \
             the writes",
        ),
        (
            "DeleteSecret",
            "UNAUTHENTICATED",
            Some("ACCOUNT_STATE_INVALID"),
            K::Unauthenticated,
            "enabled",
        ),
    ] {
        let fault = GcpFault::Refuse(status, reason);
        look_at_metadata(&place, operation);
        place.fake.fault(operation, 8, fault).unwrap();
        let error = refused(&store, operation, &id).await;
        place.fake.clear_faults().unwrap();
        assert_eq!(error.kind(), kind, "{operation} {status}");
        let said = error.remedy().unwrap();
        assert!(said.contains(remedy), "{operation} {status}: {said}");
    }
    for (operation, status, kind) in [
        ("AccessSecretVersion", "FAILED_PRECONDITION", K::NotFound),
        ("AddSecretVersion", "ABORTED", K::Conflict),
        ("AddSecretVersion", "INVALID_ARGUMENT", K::Misconfigured),
        ("GetSecretVersion", "INTERNAL", K::Unavailable),
        ("GetSecretVersion", "FAILED_PRECONDITION", K::Conflict),
    ] {
        let fault = GcpFault::Refuse(status, None);
        look_at_metadata(&place, operation);
        place.fake.fault(operation, 8, fault).unwrap();
        let error = refused(&store, operation, &id).await;
        place.fake.clear_faults().unwrap();
        assert_eq!(error.kind(), kind, "{operation} {status}");
    }
    place.fake.deny(&[]).unwrap();
    assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_unavailable() {
    let place = Place::new();
    let store = place.store_with(json!({"endpoint": "http://127.0.0.1:1"}));
    let put = store.put(name(), PAYLOAD, version(1, &[])).await;
    let error = put.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.remedy().unwrap().contains("endpoint"));
}
