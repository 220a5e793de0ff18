use std::process::Command;
use std::time::Duration;

use super::*;
use crate::faults::{Fault, Match};
use crate::process;

fn python(script: &str, arguments: &[&str], variables: &[(&str, String)]) -> String {
    let tools = Tools::locate().expect("tools");
    let mut python = Command::new(tools.python());
    python.args(["-c", script]).args(arguments);
    python.envs(variables.iter().map(|(name, value)| (*name, value)));
    let finished = process::run(&mut python, Duration::from_secs(120)).expect("runs");
    finished
        .ok()
        .expect("no error besides those expected")
        .stdout
}

/// Prints what AWS's own client sees.
const BOTO: &str = r#"
import boto3, sys
from botocore.config import Config
from botocore.exceptions import ClientError
def client(secret=None, region="eu-central-1", key=None):
    return boto3.client("s3", endpoint_url=sys.argv[1], region_name=region,
        aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}))
def code(call, **arguments):
    try:
        return call(Bucket="state", **arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        print(status, error.response["Error"]["Code"])
ours, key = client(), "a/b c+d%"
one = code(ours.put_object, Key=key, Body=b"1", IfNoneMatch="*", Metadata={"sha": "1"})
code(ours.put_object, Key=key, Body=b"no", IfNoneMatch="*")
two = code(ours.put_object, Key=key, Body=b"2", IfMatch=one["ETag"], ChecksumAlgorithm="SHA256")
code(ours.put_object, Key=key, Body=b"no", IfMatch=one["ETag"])
code(ours.put_object, Key="never", Body=b"no", IfMatch=one["ETag"])
code(ours.put_object, Key="x" * 1025, Body=b"no")
code(ours.put_object, Key="m", Body=b"no", Metadata={"a": "b" * 2048})
code(ours.head_object, Key="never")
code(ours.get_object, Key="never")
print(ours.get_object(Bucket="state", Key=key)["Body"].read())
print([each["Key"] for each in ours.list_objects_v2(Bucket="state", Prefix="a/")["Contents"]])
code(ours.delete_object, Key=key)
code(ours.delete_object, Key=key)
code(ours.put_object, Key=key, Body=b"no", IfMatch=two["ETag"])
code(client("wrong", key="AKIABUCKETS").list_objects_v2)
code(client("any", key="AKIANOBODY").list_objects_v2)
code(client(region="us-east-1").list_objects_v2)
"#;

#[test]
fn awss_own_client_sees_conditions_limits_and_errors() {
    let tools = Tools::locate().expect("tools");
    let server = BucketServer::start(&tools, BucketService::S3).expect("starts");
    let bucket = server.create("state").expect("a bucket");
    let seen = python(BOTO, &[bucket.endpoint()], &bucket.ambient_variables());
    let expected = "\
412 PreconditionFailed
412 PreconditionFailed
404 NoSuchKey
400 KeyTooLongError
400 MetadataTooLarge
404 404
404 NoSuchKey
b'2'
['a/b c+d%']
404 NoSuchKey
403 SignatureDoesNotMatch
403 InvalidAccessKeyId
400 AuthorizationHeaderMalformed
";
    assert_eq!(seen, expected);
    assert!(bucket.objects().expect("a list").is_empty());
}

/// A token that the authority issued, and requests with conditions.
const BLOBS: &str = r#"
import os, sys, requests
from azure.identity import ClientSecretCredential
endpoint, authority, tenant, client = sys.argv[1:]
credential = ClientSecretCredential(tenant, client, os.environ["AZURE_CLIENT_SECRET"],
    authority=authority, disable_instance_discovery=True)
def bearer(resource):
    return "Bearer " + credential.get_token(resource + "/.default").token
ours = bearer("https://storage.azure.com")
def send(method, path, body=b"", authorization=ours, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"x-ms-version": "2022-11-02", "x-ms-blob-type": "BlockBlob"}
    if authorization:
        headers["Authorization"] = authorization
    answer = requests.request(method, f"{endpoint}/state/{path}", data=body, headers=headers)
    print(answer.status_code, answer.headers.get("x-ms-error-code"))
    return answer
one = send("PUT", "a", b"1", If_None_Match="*", x_ms_meta_sha="1").headers["ETag"]
send("PUT", "a", b"no", If_None_Match="*")
send("PUT", "a", b"2", If_Match=one, x_ms_meta_sha="2")
send("PUT", "a", b"no", If_Match=one)
send("PUT", "never", b"no", If_Match=one)
print(send("GET", "a").content)
send("GET", "never")
send("GET", "a", authorization=None)
send("GET", "a", authorization="Bearer of nobody")
send("GET", "a", authorization=bearer("https://vault.azure.net"))
"#;

#[test]
fn an_azure_account_enforces_etags_and_tokens() {
    let tools = Tools::locate().expect("tools");
    let server = BucketServer::start(&tools, BucketService::Azure).expect("starts");
    let bucket = server.create("state").expect("a container");
    let authority = server.azure().expect("an authority").vault_url();
    let mut variables = bucket.ambient_variables();
    let file = bucket.ca_file().expect("TLS").display().to_string();
    variables.push(("REQUESTS_CA_BUNDLE", file));
    let arguments = [
        bucket.endpoint(),
        &authority,
        AzureFake::TENANT,
        AzureFake::CLIENT,
    ];
    let seen = python(BLOBS, &arguments, &variables);
    let expected = "\
201 None
409 BlobAlreadyExists
201 None
412 ConditionNotMet
412 ConditionNotMet
200 None
b'2'
404 BlobNotFound
401 NoAuthenticationInformation
401 InvalidAuthenticationInfo
401 InvalidAuthenticationInfo
";
    assert_eq!(seen, expected);
    let objects = || bucket.objects().expect("a list");
    assert_eq!(objects(), [("a".to_owned(), b"2".to_vec())]);
    bucket.overwrite("a", b"3").expect("an object");
    assert_eq!(objects(), [("a".to_owned(), b"3".to_vec())]);
    bucket.remove("a").expect("an object");
    assert!(objects().is_empty());
}

/// Sends concurrent writes of `state/a` with one condition, and prints how many won.
const RACE: &str = r#"
import sys, threading, requests
address, token, condition = sys.argv[1:]
results, barrier = [], threading.Barrier(8)
def write():
    barrier.wait()
    answer = requests.put(address + "/state/a", data=b"x",
        headers={"Authorization": "Bearer " + token, "x-goog-if-generation-match": condition})
    results.append(answer.status_code)
threads = [threading.Thread(target=write) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(results.count(200) > 1, results.count(200) == 1)
"#;

#[test]
fn a_weak_store_lets_racing_writes_win_and_a_sound_one_does_not() {
    let tools = Tools::locate().expect("tools");
    let server = BucketServer::start(&tools, BucketService::Gcs).expect("starts");
    let bucket = server.create("state").expect("a bucket");
    let token = server.gcp().expect("tokens").token().expect("a token");
    for (weakness, seen) in [
        (Weakness::None, "False True\n"),
        (Weakness::Races, "True False\n"),
        (Weakness::Ignores, "True False\n"),
    ] {
        let weak = bucket.weakened(weakness).expect("a proxy");
        let won = python(RACE, &[weak.endpoint(), &token, "0"], &[]);
        assert_eq!(won, seen, "{weakness:?}");
        bucket.remove("a").expect("an object");
    }
}

/// Sends conditional writes one after another, and prints each status.
const WRITES: &str = r#"
import sys, requests
address, token, count = sys.argv[1:]
for number in range(int(count)):
    try:
        answer = requests.put(f"{address}/state/{number}", data=b"x",
            headers={"Authorization": "Bearer " + token, "x-goog-if-generation-match": "0"})
        print(answer.status_code)
    except requests.ConnectionError:
        print("lost")
"#;

#[test]
fn every_third_answer_is_lost_after_the_write_and_another_lands_late() {
    let tools = Tools::locate().expect("tools");
    let server = BucketServer::start(&tools, BucketService::Gcs).expect("starts");
    let direct = server.create("state").expect("a bucket");
    let token = server.gcp().expect("tokens").token().expect("a token");
    let bucket = direct.behind_proxy().expect("a proxy");
    let proxy = bucket.proxy().expect("a proxy");
    let writes = Match::header("x-goog-if-generation-match", "");
    proxy.fail(Fault::lose_answer().on(writes.clone()).every(3));
    let seen = python(WRITES, &[bucket.endpoint(), &token, "7"], &[]);
    assert_eq!(seen, "200\n200\nlost\n200\n200\nlost\n200\n");
    assert_eq!(bucket.objects().expect("a list").len(), 7);
    assert_eq!(proxy.unused_faults(), [""; 0]);

    proxy.forget();
    for number in 0..2 {
        direct.remove(&number.to_string()).expect("an object");
    }
    let (late, gate) = Fault::land_late();
    proxy.fail(late.on(writes));
    let seen = python(WRITES, &[bucket.endpoint(), &token, "2"], &[]);
    assert_eq!(seen, "lost\n200\n");
    assert_eq!(bucket.objects().expect("a list").len(), 6);
    gate.open();
    gate.await_answered().expect("it lands");
    assert_eq!(bucket.objects().expect("a list").len(), 7);
}
