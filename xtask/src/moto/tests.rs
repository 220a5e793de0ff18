use super::*;
use crate::process;

mod kms;

/// Prints AWS's code for each error, and the remaining labels.
const SCRIPT: &str = r#"
import boto3, sys
from botocore.config import Config
from botocore.exceptions import ClientError
def client(service, secret="secret", region="eu-central-1", key="AKIA1"):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name=region,
        aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
def code(call, **arguments):
    try:
        call(**arguments)
        print("fine")
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        print(status, error.response["Error"]["Code"])
sm, sts = client("secretsmanager"), client("sts")
role = "arn:aws:iam::123456789012:role/r"
code(client("secretsmanager", "wrong").create_secret, Name="a")
code(client("secretsmanager", region="eu-west-1").create_secret, Name="a")
code(client("sts", region="eu-west-1").assume_role, RoleArn="r" * 20, RoleSessionName="session")
code(sm.create_secret, Name="a b")
code(sm.create_secret, Name="a", Tags=[{"Key": "k", "Value": "v"}])
code(sm.tag_resource, SecretId="a", Tags=[])
code(sm.describe_secret, SecretId="a")
arn = sm.create_secret(Name="a")["ARN"]
code(sm.describe_secret, SecretId=arn[:-6] + "AbCdEf")
code(sm.put_secret_value, SecretId="a", SecretBinary=b"x" * 65537)
for i in range(4):
    put = sm.put_secret_value(SecretId="a", SecretBinary=b"x", ClientRequestToken=f"{i:032}",
        VersionStages=[f"l{i % 3}", "AWSCURRENT"])
stages = sm.describe_secret(SecretId="a")["VersionIdsToStages"]
print(sorted((int(id), sorted(held)) for id, held in stages.items()))
code(sm.put_secret_value, SecretId="a", SecretBinary=b"x",
    VersionStages=[f"m{i}" for i in range(16)])
code(sm.get_secret_value, SecretId="a", VersionId=f"{0:032}")
code(sm.delete_secret, SecretId="a")
code(sm.put_secret_value, SecretId="a", SecretBinary=b"x")
code(sm.create_secret, Name="a")
code(sts.assume_role, RoleArn=role, RoleSessionName="session", ExternalId="wrong")
code(sts.assume_role, RoleArn=role, RoleSessionName="session", ExternalId="right")
bound = client("secretsmanager", key="AKIA2")
code(bound.create_secret, Name="in/acme/b")
code(bound.put_secret_value, SecretId="in/acme/b", SecretBinary=b"x")
code(bound.create_secret, Name="in/acme")
code(bound.create_secret, Name="in/acme-2/b")
code(bound.get_secret_value, SecretId="in/acme/c")
code(bound.describe_secret, SecretId="in/acme/b")
code(bound.get_secret_value, SecretId=arn)
code(client("sts", key="AKIA2").assume_role, RoleArn=role, RoleSessionName="session",
    ExternalId="right")
code(sm.create_secret, Name="k1", KmsKeyId="no key at all")
code(sm.create_secret, Name="k2", KmsKeyId="alias/none")
code(sm.put_secret_value, SecretId="k2", SecretBinary=b"x")
code(sm.create_secret, Name="k3", KmsKeyId="alias/ours")
code(sm.put_secret_value, SecretId="k3", SecretBinary=b"x")
"#;

#[test]
fn the_front_refuses_what_aws_refuses_and_moto_does_not() {
    let tools = Tools::locate().expect("tools");
    let moto = Moto::start(&tools).expect("starts");
    moto.allow_key("AKIA1", "secret", None).expect("allowed");
    let role = "arn:aws:iam::123456789012:role/r";
    moto.allow_role(role, Some("right")).expect("allowed");
    moto.allow_key("AKIA2", "secret", None).expect("allowed");
    let granted = ["CreateSecret", "PutSecretValue", "GetSecretValue"];
    let policy = json!({"Statement": [{
        "Effect": "Allow",
        "Action": granted.map(|action| format!("secretsmanager:{action}")),
        "Resource": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:in/acme/*",
    }]});
    moto.attach_policy("AKIA2", &policy).expect("attached");
    moto.add_kms_key("alias/ours").expect("made");
    let mut python = Command::new(tools.python());
    python.args(["-c", SCRIPT, moto.address()]);
    let finished = process::run(&mut python, BOUND).expect("runs");
    let printed = finished.ok().expect("ends well").stdout;
    let expected = [
        "403 InvalidSignatureException",
        "403 InvalidSignatureException",
        "403 SignatureDoesNotMatch",
        "400 ValidationException",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "400 ResourceNotFoundException",
        "400 ResourceNotFoundException",
        "400 ValidationException",
        "[(1, ['l1']), (2, ['AWSPREVIOUS', 'l2']), (3, ['AWSCURRENT', 'l0'])]",
        "400 LimitExceededException",
        "400 ResourceNotFoundException",
        "fine",
        "400 InvalidRequestException",
        "400 InvalidRequestException",
        "403 AccessDenied",
        "fine",
        // Policies: two granted requests, a name that is too short and one that is too
        // long, a missing secret, an action, another user's secret, a role.
        "fine",
        "fine",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "400 ResourceNotFoundException",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "403 AccessDenied",
        // KMS keys.
        "400 InvalidParameterException",
        "fine",
        "400 EncryptionFailure",
        "fine",
        "fine",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    let seen = moto.requests(role).expect("answers");
    let third = "AssumeRole AKIA2 403";
    assert_eq!(
        seen,
        ["AssumeRole AKIA1 403", "AssumeRole AKIA1 200", third]
    );
}
