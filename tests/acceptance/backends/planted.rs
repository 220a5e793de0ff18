//! Places whose credentials are canaries, with each vendor's ways to refuse.

use serde_json::{Value, json};
use xtask::azure::AzureFakeOptions;
use xtask::canary::Canary;
use xtask::gcp::GcpFake;
use xtask::openbao::{JwtIssuer, ServerOptions};
use xtask::tools::Tools;

use super::Place;
use super::fixtures::{ROLE, STORES};
use crate::canary::Searched;

/// A place, what its credential is made of, and its vendor's ways to refuse.
pub(super) struct Planted {
    pub(super) place: Place,
    /// The block, if it is not the place's own.
    pub(super) block: String,
    /// Variables beside the place's secret.
    pub(super) more: Vec<(&'static str, String)>,
    /// Where else than at the place the provider finds its vendor.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) credentials: Vec<Canary>,
    /// Credentials that are refused: nothing may repeat them either.
    pub(super) wrong: Vec<Canary>,
    /// Tells what the vendor has given out for the credential by now.
    issued: Option<fn(&Place) -> Vec<String>>,
    /// Another credential, which the environment has: the block that takes it,
    /// and its variables.
    pub(super) ambient: Option<(String, Vec<(&'static str, String)>)>,
}

impl Planted {
    pub(super) fn openbao() -> Self {
        let place = Place::openbao();
        let api = place.api();
        api.write_policy("stores", STORES).unwrap();
        let [token, ambient] = [(); 2].map(|()| api.create_token(&["stores"], "1h").unwrap());
        Self {
            block: place.block(),
            more: Vec::new(),
            environment: Vec::new(),
            credentials: vec![
                Canary::of("the backend's token", &token),
                Canary::of("the token in the environment", &ambient),
                Canary::of("the root token", place.server().root_token()),
            ],
            wrong: vec![Canary::alphanumeric("a token that is refused")],
            issued: None,
            ambient: Some((place.ambient_block(), vec![("BAO_TOKEN", ambient)])),
            place: place.with_secret(token),
        }
    }

    pub(super) fn approle() -> Self {
        let place = Place::openbao_with(&raw_audit());
        let api = place.api();
        api.write_policy("stores", STORES).unwrap();
        let role = api
            .approle("approle", "ci", &["stores"], json!({}))
            .unwrap();
        let by_role = format!(
            "approle = {{ role_id = {:?}, secret_id_wo = var.backend_secret }}",
            role.role_id
        );
        Self {
            block: place
                .block()
                .replace("token_wo = var.backend_secret", &by_role),
            more: Vec::new(),
            environment: Vec::new(),
            credentials: vec![Canary::of("the secret_id", &role.secret_id)],
            wrong: vec![Canary::alphanumeric("a secret_id that is refused")],
            issued: Some(client_tokens),
            ambient: None,
            place: place.with_secret(role.secret_id),
        }
    }

    pub(super) fn jwt() -> Self {
        let place = Place::vault_with(&raw_audit());
        let api = place.api();
        api.write_policy("stores", STORES).unwrap();
        let tools = Tools::locate().unwrap();
        let [known, unknown] = [(); 2].map(|()| JwtIssuer::new(&tools).unwrap());
        let public = known.public_key();
        api.jwt_role("jwt", "ci", &["stores"], public, json!({}))
            .unwrap();
        let sign = |issuer: &JwtIssuer| issuer.sign(&json!({"sub": "ci"})).unwrap();
        let (jwt, wrong) = (sign(&known), sign(&unknown));
        // What is public of a token is no secret without it.
        let signature = jwt.rsplit('.').next().unwrap();
        let by_role = "jwt = { role = \"ci\", jwt_wo = var.backend_secret }";
        Self {
            block: place
                .block()
                .replace("token_wo = var.backend_secret", by_role),
            more: Vec::new(),
            environment: Vec::new(),
            credentials: vec![
                Canary::of("the JWT", &jwt),
                Canary::of("the JWT's signature", signature),
                Canary::of("the root token", place.server().root_token()),
            ],
            wrong: vec![Canary::of("a JWT that is refused", &wrong)],
            issued: Some(client_tokens),
            ambient: None,
            place: place.with_secret(jwt),
        }
    }

    pub(super) fn aws() -> Self {
        let secret = Canary::alphanumeric("the secret access key");
        let session = Canary::alphanumeric("the session token");
        let place = Place::aws_with(secret.value(), Some(session.value()));
        let with_session = "secret_access_key_wo = var.backend_secret\n    session_token_wo = \
                            var.session";
        Self {
            block: place
                .block()
                .replace("secret_access_key_wo = var.backend_secret", with_session),
            more: vec![("session", session.value().to_owned())],
            environment: Vec::new(),
            credentials: vec![secret, session],
            // The front answers as AWS does: with the session token in its message.
            wrong: vec![Canary::alphanumeric("a secret access key that is refused")],
            issued: None,
            ambient: None,
            place,
        }
    }

    /// As [`aws`](Self::aws), with a role whose sessions do what is to be done.
    pub(super) fn aws_with_a_role() -> Self {
        let planted = Self::aws();
        planted.place.moto().allow_role(ROLE, None).unwrap();
        let role = format!("    assume_role_arn = {ROLE:?}\n    access_key_id");
        Self {
            block: planted.block.replace("    access_key_id", &role),
            environment: vec![("AWS_ENDPOINT_URL_STS", planted.place.address())],
            issued: Some(|place| {
                let sessions = place.moto().sessions().unwrap().into_iter();
                sessions.flat_map(|(key, token)| [key, token]).collect()
            }),
            ..planted
        }
    }

    pub(super) fn gcp() -> Self {
        let place = Place::gcp();
        let elsewhere = GcpFake::start(&Tools::locate().unwrap()).unwrap();
        let unknown = elsewhere.key_file("ci@acme-prod.iam.gserviceaccount.com");
        let unknown = unknown.unwrap();
        let mut credentials = lines_of_key("the private key", &place.secret);
        credentials.extend(lines_of_key("the unknown private key", &unknown));
        let broken = Canary::new("a key file that is none");
        Self {
            block: place.block(),
            more: Vec::new(),
            environment: Vec::new(),
            credentials,
            wrong: vec![Canary::of("an unknown key file", &unknown), broken],
            issued: Some(|place| place.gcp_fake().tokens().unwrap()),
            ambient: None,
            place,
        }
    }

    pub(super) fn azure() -> Self {
        let secret = Canary::alphanumeric("the client secret");
        let place = Place::azure_with(AzureFakeOptions {
            client_secret: secret.value().to_owned(),
            ..AzureFakeOptions::default()
        });
        Self {
            block: place.block(),
            more: Vec::new(),
            environment: Vec::new(),
            credentials: vec![secret],
            wrong: vec![Canary::new("a client secret that is refused")],
            issued: Some(|place| place.azure_fake().tokens().unwrap()),
            ambient: None,
            place,
        }
    }

    /// Plants some of what the vendor has given out by now: every process gets its
    /// own, and the first, the last and one between say as much as all.
    pub(super) fn plant_issued(&self, searched: &mut Searched) {
        let Some(issued) = self.issued else {
            return;
        };
        let issued = issued(&self.place);
        assert!(!issued.is_empty(), "nothing was given out");
        let some = [0, issued.len() / 2, issued.len() - 1].map(|index| &issued[index]);
        for text in some {
            if searched.planted.iter().all(|known| known.value() != text) {
                searched
                    .planted
                    .push(Canary::of("what was given out", text));
            }
        }
    }

    /// Lets the vendor deny, fail, and call the credential expired, each once or
    /// for as long as it is asked.
    pub(super) fn refuse(&self, how: Refusal) {
        self.place.fixture.refuse(how);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Denied,
    Expired,
    Down,
    None,
}

/// Whatever of a key file's private key stands on a line of its own.
fn lines_of_key(label: &str, file: &str) -> Vec<Canary> {
    let file: Value = serde_json::from_str(file).unwrap();
    let pem = file["private_key"].as_str().unwrap();
    let lines: Vec<&str> = pem.lines().filter(|line| line.len() == 64).collect();
    assert!(lines.len() > 20, "a key of 2,048 bits");
    // Not the first, which is that of every such key.
    [lines[5], lines[lines.len() - 1]]
        .map(|line| Canary::of(label, line))
        .into()
}

/// A server whose audit log shows the tokens that it gives out.
fn raw_audit() -> ServerOptions {
    ServerOptions {
        raw_audit: true,
        ..ServerOptions::default()
    }
}

/// Returns the tokens that logins were answered with.
fn client_tokens(place: &Place) -> Vec<String> {
    let audit = place.server().audit_log().unwrap();
    let entries = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let answers = entries.filter(|entry: &Value| {
        let path = entry["request"]["path"].as_str().unwrap_or_default();
        entry["type"] == "response" && path.ends_with("/login")
    });
    let tokens = answers.filter_map(|entry| {
        let token = entry["response"]["auth"]["client_token"].as_str()?;
        Some(token.to_owned())
    });
    tokens.collect()
}
