use super::*;

/// Prints AWS's code for each error.
const SCRIPT: &str = r#"
import boto3, sys
from botocore.config import Config
from botocore.exceptions import ClientError
address, arn, other, rsa, state = sys.argv[1:]
def client(region="eu-central-1", key="AKIA1"):
    return boto3.client("kms", endpoint_url=address, region_name=region,
        aws_access_key_id=key, aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}))
def code(call, **arguments):
    try:
        call(**arguments)
        print("fine")
    except ClientError as error:
        print(error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
kms, context = client(), {"a": "1", "b": "2"}
if state == "usable":
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x" * 32, EncryptionContext=context)["CiphertextBlob"]
    print(len(blob))
    code(kms.decrypt, KeyId=arn, CiphertextBlob=blob, EncryptionContext=context)
    code(kms.decrypt, KeyId=arn, CiphertextBlob=blob, EncryptionContext={"a": "1"})
    code(kms.decrypt, KeyId=arn, CiphertextBlob=blob, EncryptionContext={"a": "12", "b": ""})
    code(kms.decrypt, KeyId=arn, CiphertextBlob=blob)
    code(kms.decrypt, KeyId=arn, CiphertextBlob=blob[:-1], EncryptionContext=context)
    code(kms.decrypt, KeyId=other, CiphertextBlob=blob, EncryptionContext=context)
    code(kms.encrypt, KeyId=rsa, Plaintext=b"x")
    code(kms.describe_key, KeyId="alias/none")
    code(client("us-east-1").describe_key, KeyId=arn)
    code(client("ap-south-1").describe_key, KeyId=arn)
    bound = client(key="AKIA2")
    code(bound.encrypt, KeyId=arn, Plaintext=b"x", EncryptionContext=context)
    code(bound.encrypt, KeyId=arn, Plaintext=b"x", EncryptionContext={"a": "2"})
    code(bound.encrypt, KeyId=other, Plaintext=b"x", EncryptionContext=context)
    code(bound.describe_key, KeyId=arn)
    both = dict(SourceEncryptionContext=context, DestinationEncryptionContext=context)
    code(bound.re_encrypt, CiphertextBlob=blob, SourceKeyId=arn, DestinationKeyId=arn, **both)
    code(kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=arn, DestinationKeyId=arn, **both)
else:
    code(kms.encrypt, KeyId=arn, Plaintext=b"x")
    code(kms.decrypt, KeyId=arn, CiphertextBlob=b"x")
    code(kms.re_encrypt, CiphertextBlob=b"x", SourceKeyId=arn, DestinationKeyId=other)
    code(kms.re_encrypt, CiphertextBlob=b"x", SourceKeyId=other, DestinationKeyId=arn)
    code(kms.describe_key, KeyId=arn)
"#;

#[test]
fn the_front_refuses_what_kms_refuses_and_moto_does_not() {
    let tools = Tools::locate().expect("tools");
    let moto = Moto::start(&tools).expect("starts");
    for key in ["AKIA1", "AKIA2"] {
        moto.allow_key(key, "secret", None).expect("allowed");
    }
    let create = |key| moto.create_kms_key(&key).expect("created");
    let (arn, other) = (create(NewKmsKey::default()), create(NewKmsKey::default()));
    let rsa = create(NewKmsKey {
        spec: "RSA_2048",
        ..NewKmsKey::default()
    });
    let policy = json!({"Statement": [{
        "Effect": "Allow",
        "Action": "kms:Encrypt",
        "Resource": arn,
        "Condition": {"StringEquals": {"kms:EncryptionContext:a": "1"}},
    }]});
    moto.attach_policy("AKIA2", &policy).expect("attached");
    let run = |state: &str| {
        let mut python = Command::new(tools.python());
        python
            .args(["-c", SCRIPT, moto.address()])
            .args([&arn, &other, &rsa, state]);
        let finished = process::run(&mut python, BOUND).expect("runs");
        let printed = finished.ok().expect("ends well").stdout;
        printed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        // As long as AWS's.
        "184",
        "fine",
        "400 InvalidCiphertextException",
        "400 InvalidCiphertextException",
        "400 InvalidCiphertextException",
        "400 InvalidCiphertextException",
        "400 IncorrectKeyException",
        "400 InvalidKeyUsageException",
        "400 NotFoundException",
        "400 NotFoundException",
        "403 InvalidSignatureException",
        // A policy with a condition.
        "fine",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "400 AccessDeniedException",
        "fine",
    ];
    assert_eq!(run("usable"), expected);
    for (state, code) in [
        (KmsKeyState::Disabled, "400 DisabledException"),
        (KmsKeyState::PendingDeletion, "400 KMSInvalidStateException"),
        (KmsKeyState::PendingImport, "400 KMSInvalidStateException"),
    ] {
        moto.set_kms_key_state(&arn, state).expect("set");
        // As a source's ciphertext is of no key, the last one fails for that first.
        let refused = [code, code, code, "400 InvalidCiphertextException", "fine"];
        assert_eq!(run("unusable"), refused, "{state:?}");
    }
}
