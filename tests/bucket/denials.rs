//! Requests that the service denies, each with the grant that it lacks and the policy to paste.

use planton_core::operations::{Interrupt, OperationError, SecretView, Verify};
use planton_vendors::bucket::{Bucket, BucketSettings};
use serde_json::{Value, json};
use xtask::bucket::BucketService;
use xtask::faults::{Fault, Match};

use super::process::Process;
use super::support::{PREFIX, Place};

/// A task of a process that needs one permission which the others do not.
#[derive(Clone, Copy, Debug)]
enum Task {
    Write,
    Read,
    List,
    Delete,
}

impl Task {
    const ALL: [Self; 4] = [Self::Write, Self::Read, Self::List, Self::Delete];

    /// Runs the task in a process that has opened nothing before.
    async fn run(self, bucket: &Bucket, secret: &SecretView) -> Result<(), OperationError> {
        let process = Process::on(bucket);
        match self {
            Self::Write => process.rotate(secret, "next").await.map(drop),
            Self::Read => process.edit(secret, "read first").await.map(drop),
            Self::List => {
                let interrupt = Interrupt::default();
                let keys = process.organization().keys();
                let verified = keys.verify(Verify::default(), &|_| {}, &interrupt).await;
                verified.map(drop)
            }
            Self::Delete => process.destroy(secret).await,
        }
    }
}

/// Returns the path and the remedy of a request that was denied.
fn denied(error: &OperationError) -> (&str, &str) {
    let (denied, path, remedy) = match error {
        OperationError::Catalog(error) => (error.to_string(), error.path(), error.remedy()),
        OperationError::Store(error) => (error.to_string(), error.path(), error.remedy()),
        other => panic!("{other:?}"),
    };
    assert!(denied.ends_with("was denied"), "{denied}");
    (path, remedy.unwrap())
}

/// Returns the policy that a remedy says to paste.
fn pasted(remedy: &str) -> &str {
    let (_, policy) = remedy.split_once("The policy of the role:\n").unwrap();
    policy
}

const SECRET_KEY: &str = "a/denied";

/// Opens a bucket of S3 with a key of its own that has this policy.
fn restricted(place: &Place, policy: &Value) -> Bucket {
    let moto = place.way.server().moto().unwrap();
    // A key has no dashes.
    let key = format!("AKIA{}", place.way.name().replace('-', ""));
    moto.allow_key(&key, SECRET_KEY, None).unwrap();
    moto.attach_policy(&key, policy).unwrap();
    let mut configuration = place.way.configuration(PREFIX);
    configuration.insert("access_key_id".to_owned(), json!(key));
    let configuration = configuration.into_iter().collect();
    let credential = [("secret_access_key".to_owned(), SECRET_KEY.into())].into();
    let settings = BucketSettings::read(&configuration, &credential).unwrap();
    Bucket::open(&settings, place.http()).unwrap()
}

/// Returns a policy that allows everything in the bucket but one action.
fn without(place: &Place, action: &str) -> Value {
    let name = place.way.name();
    let all = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
    ];
    let others: Vec<_> = all.into_iter().filter(|each| *each != action).collect();
    assert_eq!(others.len(), 3, "{action}");
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": others,
        "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
    }]})
}

#[tokio::test]
async fn each_action_that_s3_denies_is_named_and_the_printed_policy_allows_it() {
    for task in Task::ALL {
        let place = Place::new(BucketService::S3);
        let secret = Process::start(&place).create("db", "first").await.unwrap();
        let arn = format!("arn:aws:s3:::{}", place.way.name());
        let objects = format!("{arn}/{PREFIX}/acme/*");
        let (action, resource) = match task {
            Task::Write => ("s3:PutObject", &objects),
            Task::Read => ("s3:GetObject", &objects),
            Task::List => ("s3:ListBucket", &arn),
            Task::Delete => ("s3:DeleteObject", &objects),
        };
        let bucket = restricted(&place, &without(&place, action));
        let error = task.run(&bucket, &secret).await.unwrap_err();
        let (path, remedy) = denied(&error);
        assert!(path.starts_with(&place.way.url(PREFIX)), "{path}");
        let grant = format!("Grant {action} on {resource}");
        assert!(remedy.starts_with(&grant), "{task:?}: {remedy}");

        // The task of a plan is to read, and an edit writes after it.
        let policy: Value = serde_json::from_str(pasted(remedy)).unwrap();
        let bucket = restricted(&place, &policy);
        if let Task::Read = task {
            let found = Process::on(&bucket).value("db").await;
            assert_eq!(found, Some(("first".to_owned(), 1)));
            let error = task.run(&bucket, &secret).await.unwrap_err();
            let remedy = denied(&error).1;
            assert!(remedy.starts_with("Grant s3:PutObject on "), "{remedy}");
        } else {
            task.run(&bucket, &secret).await.unwrap();
        }
    }
}

/// The configuration of the bucket, which a first use may tell of, is read if that is allowed.
#[tokio::test]
async fn the_printed_policy_of_s3_is_all_that_a_lifecycle_needs() {
    let place = Place::new(BucketService::S3);
    let none = restricted(&place, &without(&place, "s3:PutObject"));
    let error = Process::on(&none).create("db", "1").await.unwrap_err();
    let policy: Value = serde_json::from_str(pasted(denied(&error).1)).unwrap();

    let proxied = place.behind_proxy();
    let bucket = restricted(&proxied, &policy);
    let process = Process::on(&bucket);
    let created = process.create("db", "1").await.unwrap();
    let rotated = process.rotate(&created, "2").await.unwrap();
    let edited = process.edit(&rotated, "new").await.unwrap();
    process.refresh(&edited).await.unwrap();
    Task::List.run(&bucket, &edited).await.unwrap();
    assert_eq!(process.value("db").await, Some(("2".to_owned(), 2)));
    process.destroy(&edited).await.unwrap();
    process.create("db", "3").await.unwrap();
    process.settle().await;
    let requests = proxied.proxy().requests();
    let denied = requests.iter().filter(|seen| seen.status() == Some(403));
    let configuration = denied.filter(|seen| seen.query() != Some("lifecycle"));
    assert_eq!(configuration.count(), 0, "{requests:?}");
}

/// Returns the answer of a service without a front that evaluates policies.
fn denial(service: BucketService) -> Fault {
    let (code, message) = match service {
        // https://cloud.google.com/storage/docs/xml-api/reference-status
        BucketService::Gcs => ("AccessDenied", "Access denied."),
        // https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
        BucketService::Azure => (
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        ),
        BucketService::S3 => unreachable!("moto evaluates policies"),
    };
    Fault::status(403)
        .with_header("x-ms-error-code", code)
        .with_header("content-type", "application/xml")
        .with_body(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>\
             {message}</Message></Error>"
        ))
}

/// Returns the requests of a task, the permission that it lacks, and the role that has it.
fn of_task(service: BucketService, task: Task) -> (Match, &'static str, &'static str) {
    let method = match task {
        Task::Write => Match::method("PUT"),
        Task::Read => Match::method("GET").and(Match::path("/records/secrets/")),
        Task::List => Match::method("GET").and(Match::path("prefix=")),
        Task::Delete => Match::method("DELETE"),
    };
    let (permission, role) = match (service, task) {
        (BucketService::Gcs, Task::Write) => (
            "storage.objects.create and storage.objects.delete",
            "roles/storage.objectUser",
        ),
        (BucketService::Gcs, Task::Read) => ("storage.objects.get", "roles/storage.objectViewer"),
        (BucketService::Gcs, Task::List) => ("storage.objects.list", "roles/storage.objectViewer"),
        (BucketService::Gcs, Task::Delete) => {
            ("storage.objects.delete", "roles/storage.objectUser")
        }
        (_, Task::Write) => ("blobs/write", "Storage Blob Data Contributor"),
        (_, Task::Read | Task::List) => ("blobs/read", "Storage Blob Data Reader"),
        (_, Task::Delete) => ("blobs/delete", "Storage Blob Data Contributor"),
    };
    (method, permission, role)
}

#[tokio::test]
async fn each_denial_of_google_and_azure_names_the_permission_and_the_command_that_grants_it() {
    for service in [BucketService::Gcs, BucketService::Azure] {
        let place = Place::new(service);
        let secret = Process::start(&place).create("db", "first").await.unwrap();
        for task in Task::ALL {
            let proxied = place.behind_proxy();
            let (requests, permission, role) = of_task(service, task);
            // A denial is final: what follows would be served.
            proxied.proxy().fail(denial(service).on(requests));
            let error = task.run(&proxied.open(), &secret).await.unwrap_err();
            let (path, remedy) = denied(&error);
            assert!(path.starts_with(&place.way.url(PREFIX)), "{path}");
            assert_eq!(proxied.proxy().unused_faults(), [""; 0]);
            let name = place.way.name();
            let (grant, command) = match service {
                BucketService::Gcs => (
                    format!("Grant {permission} ({role}) on the bucket {name} "),
                    format!(
                        "gcloud storage buckets add-iam-policy-binding gs://{name} \\\n  \
                         --role={role} --member=MEMBER\n"
                    ),
                ),
                _ => (
                    format!("{permission} ({role}) on the container {name} "),
                    format!("az role assignment create --role \"{role}\" --assignee PRINCIPAL"),
                ),
            };
            assert!(remedy.contains(&grant), "{task:?}: {remedy}");
            assert!(pasted(remedy).starts_with(&command), "{task:?}: {remedy}");
        }
    }
}
