use super::*;
use crate::process;

/// Prints the token endpoint's response to each grant.
const SCRIPT: &str = r#"
import json, sys, time
import requests
from google.auth import crypt, identity_pool, jwt
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

known, stranger, user, workload = (json.loads(text) for text in sys.argv[1:5])
mine, another, late, anothers, foreign = sys.argv[5:]
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

def ask(**form):
    answer = requests.post(known["token_uri"], data=form)
    told = answer.json()
    print(answer.status_code, told.get("error", "fine"))

def assertion(signer=known, **changes):
    now = int(time.time())
    claims = {"iss": known["client_email"], "aud": known["token_uri"], "scope": SCOPE,
        "iat": now - 1, "exp": now + 3000} | changes
    signer = crypt.RSASigner.from_service_account_info(signer)
    ask(grant_type=JWT_BEARER, assertion=jwt.encode(signer, claims).decode())

def refresh(**changes):
    names = ("client_id", "client_secret", "refresh_token")
    ask(grant_type="refresh_token", **{name: user[name] for name in names} | changes)

def exchange(token=mine, **changes):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": workload["audience"], "subject_token_type": workload["subject_token_type"],
        "subject_token": token, "scope": SCOPE} | changes
    answer = requests.post(workload["token_url"], data=form)
    told = answer.json()
    print(answer.status_code, told.get("error", "fine"))

# As Google's own client asks.
account = service_account.Credentials.from_service_account_info(known, scopes=[SCOPE])
account.refresh(Request())
somebody = Credentials(None, **{name: user[name] for name in
    ("token_uri", "client_id", "client_secret", "refresh_token")})
somebody.refresh(Request())
pooled = identity_pool.Credentials.from_info(workload, scopes=[SCOPE])
pooled.refresh(Request())
print("their own client:", account.valid, somebody.valid, pooled.valid)
assertion()
assertion(signer=stranger)
assertion(iss="other@acme.iam.gserviceaccount.com")
assertion(aud="https://example.com/token")
assertion(scope="openid")
assertion(iat=int(time.time()) - 7200, exp=int(time.time()) - 3600)
assertion(exp=int(time.time()) + 7200)
ask(grant_type=JWT_BEARER, assertion="no.token.atall")
refresh()
refresh(client_id="nobody")
refresh(client_secret="wrong")
refresh(refresh_token="1//revoked")
ask(grant_type="password", username="somebody", password="hunter2")
ask()
exchange()
for token in (another, late, anothers, foreign, "no.token.atall"):
    exchange(token)
exchange(grant_type=JWT_BEARER)
exchange(requested_token_type="urn:ietf:params:oauth:token-type:id_token")
exchange(audience=workload["audience"] + "2")
exchange(subject_token_type="urn:ietf:params:oauth:token-type:saml2")
exchange(scope="openid")
"#;

#[test]
fn tokens_are_for_those_who_are_known_and_keep_to_the_form() {
    let tools = Tools::locate().expect("tools");
    let (fake, elsewhere) = (GcpFake::start(&tools), GcpFake::start(&tools));
    let (fake, elsewhere) = (fake.expect("starts"), elsewhere.expect("starts"));
    let email = "ci@acme.iam.gserviceaccount.com";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let mine = fake.subject_token(&json!({})).expect("signs");
    fs::write(&file, &mine).expect("writes");
    let workload = fake.workload_file(&json!({"file": file}), Some(email));
    let mut python = Command::new(tools.python());
    python
        .args(["-c", SCRIPT])
        .arg(fake.key_file(email).expect("a key file"))
        .arg(elsewhere.key_file(email).expect("a key file"))
        .arg(fake.user_file("somebody").expect("a user").to_string())
        .arg(workload.expect("a workload").to_string())
        .arg(&mine);
    for wrong in [
        json!({"aud": "https://example.com"}),
        json!({"iat": 1, "exp": 2}),
        json!({"iss": "https://example.com"}),
    ] {
        python.arg(fake.subject_token(&wrong).expect("signs"));
    }
    python
        .arg(elsewhere.subject_token(&json!({})).expect("signs"))
        .env("NO_PROXY", "127.0.0.1");
    let finished = process::run(&mut python, BOUND).expect("runs");
    let printed = finished.ok().expect("ends well").stdout;
    let expected = [
        "their own client: True True True",
        "200 fine",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_scope",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "200 fine",
        "401 invalid_client",
        "401 invalid_client",
        "400 invalid_grant",
        "400 unsupported_grant_type",
        "400 unsupported_grant_type",
        "200 fine",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 invalid_grant",
        "400 unsupported_grant_type",
        "400 invalid_request",
        "400 invalid_target",
        "400 invalid_request",
        "400 invalid_scope",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(fake.token_requests().expect("answers"), 28);
}
