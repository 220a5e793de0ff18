//! Runs moto, an emulator of AWS, behind a strict front.
//!
//! moto 5.2.5 differs from AWS in many points. It accepts payloads and names that AWS
//! rejects. It writes to secrets that are scheduled for deletion, and returns 404 for
//! "not found". It loses staging labels, and keeps versions without labels. It finds
//! secrets by another secret's ARN. It permits every action, KMS key and signature, of
//! any region. `moto_front.py` enforces AWS's rules.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Running;
use crate::tools::Tools;

const FILES: [(&str, &str); 2] = [
    ("moto_front.py", include_str!("../moto_front.py")),
    ("moto_access.py", include_str!("../moto_access.py")),
];
const BOUND: Duration = Duration::from_secs(90);

/// A running emulator of Secrets Manager and STS. It starts empty and without access
/// keys.
#[derive(Debug)]
pub struct Moto {
    _process: Running,
    _folder: TempDir,
    address: String,
    agent: ureq::Agent,
}

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault<'a> {
    /// The action: `PutSecretValue`, or `*` for any.
    pub action: &'a str,
    /// A part of the names of the affected secrets or roles.
    pub name: &'a str,
    /// The HTTP status of the response.
    pub status: u16,
    /// AWS's code of the error.
    pub code: &'a str,
    /// AWS's message.
    pub message: &'a str,
    /// The number of affected requests.
    pub times: u32,
    /// Whether each request is still carried out.
    pub carry_out: bool,
}

impl Default for Fault<'_> {
    fn default() -> Self {
        Self {
            action: "*",
            name: "",
            status: 400,
            code: "",
            message: "",
            times: 1,
            carry_out: false,
        }
    }
}

impl Moto {
    /// The only region that it serves.
    pub const REGION: &str = "eu-central-1";

    /// Starts the emulator on a free loopback port.
    ///
    /// # Errors
    ///
    /// If it does not become ready; with its output.
    pub fn start(tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("moto").tempdir();
        let folder = folder.context("creating the emulator's folder")?;
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).context("writing the emulator's front")?;
        }
        let mut command = Command::new(tools.python());
        command
            .arg(folder.path().join("moto_front.py"))
            .arg(folder.path())
            .arg(Self::REGION)
            .env_clear()
            .env("HOME", folder.path())
            // Leaves no files beside the installed packages.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let process = Running::spawn(&mut command)?;
        process.await_output("listening", BOUND)?;
        let port = fs::read_to_string(folder.path().join("port")).context("reading the port")?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(BOUND))
            .http_status_as_error(false)
            .build();
        Ok(Self {
            _process: process,
            _folder: folder,
            address: format!("http://127.0.0.1:{port}"),
            agent: agent.into(),
        })
    }

    /// Returns the endpoint of each service, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Adds an access key.
    ///
    /// # Errors
    ///
    /// If the emulator does not answer.
    pub fn allow_key(&self, id: &str, secret: &str, token: Option<&str>) -> Result<()> {
        self.tell("keys", &json!({"id": id, "secret": secret, "token": token}))
    }

    /// Adds a role that any caller may assume with its external id, if it has one.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn allow_role(&self, arn: &str, external_id: Option<&str>) -> Result<()> {
        self.tell("roles", &json!({"arn": arn, "external_id": external_id}))
    }

    /// Restricts an access key, or a role by its ARN, to `policy`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn attach_policy(&self, principal: &str, policy: &Value) -> Result<()> {
        let attached = json!({"principal": principal, "policy": policy});
        self.tell("policies", &attached)
    }

    /// Denies every request of an access key, or a role by its ARN, for this time.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn grant_after(&self, principal: &str, delay: Duration) -> Result<()> {
        let told = json!({"principal": principal, "seconds": delay.as_secs_f64()});
        self.tell("grant-after", &told)
    }

    /// Delays new secrets for all actions except `CreateSecret`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn lag(&self, by: Duration) -> Result<()> {
        self.tell("lag", &json!({"seconds": by.as_secs_f64()}))
    }

    /// Limits the requests of an action in fixed windows of this length.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn limit(&self, action: &str, requests: u32, window: Duration) -> Result<()> {
        let told = json!({"seconds": window.as_secs_f64(), action: requests});
        self.tell("quotas", &told)
    }

    /// Adds a KMS key with this id.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn add_kms_key(&self, id: &str) -> Result<()> {
        self.tell("kms-keys", &json!({ "id": id }))
    }

    /// Accepts a web identity token.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn allow_web_identity(&self, token: &str) -> Result<()> {
        self.tell("identities", &json!({ "token": token }))
    }

    /// Expires an access key.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn expire(&self, access_key_id: &str) -> Result<()> {
        self.tell("expired", &json!({ "id": access_key_id }))
    }

    /// Deletes an access key.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn delete_key(&self, access_key_id: &str) -> Result<()> {
        self.tell("no-key", &json!({ "id": access_key_id }))
    }

    /// Adds a fault.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn inject(&self, fault: &Fault<'_>) -> Result<()> {
        let rule = json!({
            "action": fault.action,
            "name": fault.name,
            "status": fault.status,
            "code": fault.code,
            "message": fault.message,
            "times": fault.times,
            "carry_out": fault.carry_out,
        });
        self.tell("rules", &rule)
    }

    /// Removes all faults.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn clear_faults(&self) -> Result<()> {
        self.tell("no-rules", &json!({}))
    }

    /// Returns all requests for secrets or roles with `name` in their name or ARN, each as
    /// `ACTION ACCESS_KEY_ID STATUS`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn requests(&self, name: &str) -> Result<Vec<String>> {
        let requests = self.ask("requests", name)?;
        serde_json::from_value(requests).context("reading the emulator's requests")
    }

    /// Returns the number of connections of all requests for secrets or roles with `name`
    /// in their name or ARN.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn connections(&self, name: &str) -> Result<u64> {
        let connections = self.ask("connections", name)?;
        connections.as_u64().context("reading their number")
    }

    fn ask(&self, what: &str, name: &str) -> Result<Value> {
        let url = format!("{}/_front/{what}", self.address);
        let answer = self.agent.get(url).query("name", name).call();
        let text = answer?.body_mut().read_to_string()?;
        serde_json::from_str(&text).context("the emulator's answer is JSON")
    }

    /// Returns the secret access keys and session tokens that were issued for roles.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn sessions(&self) -> Result<Vec<(String, String)>> {
        let url = format!("{}/_front/sessions", self.address);
        let text = self.agent.get(url).call()?.body_mut().read_to_string()?;
        serde_json::from_str(&text).context("reading the emulator's sessions")
    }

    fn tell(&self, what: &str, content: &Value) -> Result<()> {
        let url = format!("{}/_front/{what}", self.address);
        let answer = self.agent.post(url).send(content.to_string());
        let status = answer.with_context(|| format!("telling the emulator: {what}"))?;
        ensure!(status.status() == 200, "the emulator took no {what}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

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
}
