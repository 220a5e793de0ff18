//! What stands before a place, and goes wrong.

use std::io::Write as _;

use serde_json::json;
use xtask::faults::{FaultProxy, Match, ProxyOptions};
use xtask::gcp::GcpFault;
use xtask::openbao::AppRole;

use super::Place;
use super::place::{ACCESS_KEY, Kind, READER_KEY};

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/planton";

/// All that a backend needs on a KV mount.
pub(super) const STORES: &str = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \
                                 \"delete\", \"list\"] }";

/// A proxy, and who vouches for it.
pub(super) struct Front {
    proxy: FaultProxy,
    /// Who vouches for the proxy, and for the place behind it.
    authorities: Option<tempfile::NamedTempFile>,
}

impl Front {
    fn before(kind: &Kind, options: &ProxyOptions) -> Self {
        let Kind::Azure(fake) = kind else {
            return Self {
                proxy: FaultProxy::start(options).unwrap(),
                authorities: None,
            };
        };
        let options = options.clone().trusting(&fake.ca_file()).with_tls();
        let proxy = FaultProxy::start(&options).unwrap();
        let mut authorities = tempfile::NamedTempFile::new().unwrap();
        let both = format!("{}{}", fake.ca_pem().unwrap(), proxy.ca_pem().unwrap());
        authorities.write_all(both.as_bytes()).unwrap();
        Self {
            proxy,
            authorities: Some(authorities),
        }
    }

    pub(super) fn proxy(&self) -> &FaultProxy {
        &self.proxy
    }

    /// Returns what the provider's process needs in its environment to trust the
    /// proxy, and to find who gives out sessions.
    pub(super) fn environment(&self, kind: &Kind) -> Option<(&'static str, String)> {
        if let Some(both) = &self.authorities {
            return Some(("SSL_CERT_FILE", both.path().display().to_string()));
        }
        match kind {
            Kind::Aws(moto) => Some(("AWS_ENDPOINT_URL_STS", moto.address().to_owned())),
            _ => None,
        }
    }
}

impl Place {
    /// Puts a proxy in front, at whose address the place is from now on. The
    /// vendor's client does not go through it.
    pub(crate) fn behind_a_proxy(mut self) -> Self {
        let options = ProxyOptions::to(&self.address());
        self.front = Some(Front::before(&self.kind, &options));
        self
    }

    /// Returns the proxy in front.
    pub(crate) fn proxy(&self) -> &FaultProxy {
        self.front.as_ref().expect("a proxy is in front").proxy()
    }

    /// Returns the requests that put a version of the secret `slug` of
    /// organization scope.
    pub(crate) fn puts_of(&self, slug: &str) -> Match {
        self.puts_in("org", slug)
    }

    /// Returns the requests that put what is kept for `slug` below `kind`: `org`
    /// for secrets, `probe` and `backend` for what a backend is known by.
    pub(crate) fn puts_in(&self, kind: &str, slug: &str) -> Match {
        let name = self.part(kind, slug);
        match &self.kind {
            Kind::OpenBao { .. } => sent("POST", &["/data/", &name]),
            Kind::Aws(_) => action("PutSecretValue", &name),
            Kind::Gcp(_) => sent("POST", &[":addVersion", &name]),
            Kind::Azure(_) => sent("PUT", &[&name]),
        }
    }

    /// Returns the requests that look at a version of the secret without its
    /// value.
    pub(crate) fn looks_of(&self, slug: &str) -> Match {
        let name = self.part("org", slug);
        match &self.kind {
            Kind::OpenBao { .. } => sent("GET", &["/metadata/", &name]),
            Kind::Aws(_) => action("DescribeSecret", &name),
            // Accessed, as a read does.
            Kind::Gcp(_) => sent("GET", &[&name]),
            Kind::Azure(_) => sent("GET", &[&name, "/versions"]),
        }
    }

    /// Returns the requests that read a version of the secret.
    pub(crate) fn reads_of(&self, slug: &str) -> Match {
        let name = self.part("org", slug);
        match &self.kind {
            Kind::OpenBao { .. } => sent("GET", &["/data/", &name]),
            Kind::Aws(_) => action("GetSecretValue", &name),
            Kind::Gcp(_) => sent("GET", &[&name, ":access"]),
            Kind::Azure(_) => sent("GET", &[&name]).but_not(Match::path("/versions")),
        }
    }

    /// Returns the requests that delete what is kept for `slug` below `kind`.
    pub(crate) fn deletes_in(&self, kind: &str, slug: &str) -> Match {
        let name = self.part(kind, slug);
        match &self.kind {
            Kind::OpenBao { .. } => sent("DELETE", &["/metadata/", &name]),
            Kind::Aws(_) => action("DeleteSecret", &name),
            Kind::Gcp(_) => sent("DELETE", &[&name]),
            Kind::Azure(_) => sent("DELETE", &["/secrets/", &name]),
        }
    }

    /// Returns the last of the requests by which the secret is deleted.
    pub(crate) fn last_deletes_of(&self, slug: &str) -> Match {
        match &self.kind {
            Kind::Azure(_) => sent("DELETE", &["/deletedsecrets/", &self.part("org", slug)]),
            _ => self.deletes_in("org", slug),
        }
    }

    /// Returns the part of a name that tells `slug` below `kind` from all others.
    pub(crate) fn part(&self, kind: &str, slug: &str) -> String {
        ["", kind, &format!("{slug}-")].join(self.separator())
    }

    /// Returns how many versions that nobody knows a put may leave whose answer
    /// was lost: none where the vendor takes an idempotency key, or the name is
    /// one.
    pub(crate) fn spares(&self) -> usize {
        match &self.kind {
            Kind::OpenBao { .. } | Kind::Aws(_) => 0,
            Kind::Gcp(_) | Kind::Azure(_) => 1,
        }
    }

    /// Returns what joins the parts of a name here.
    pub(crate) fn separator(&self) -> &'static str {
        match &self.kind {
            Kind::OpenBao { .. } | Kind::Aws(_) => "/",
            Kind::Gcp(_) => "_",
            Kind::Azure(_) => "--",
        }
    }

    /// Takes credentials that run out, and can be had anew; returns the block that
    /// uses them.
    pub(crate) fn with_a_session(mut self) -> (Self, String) {
        let block = self.block();
        let block = match &self.kind {
            Kind::OpenBao { .. } => {
                let api = self.api();
                api.write_policy("stores", STORES).unwrap();
                let role = api.approle("approle", "ci", &["stores"], json!({}));
                let AppRole { role_id, secret_id } = role.unwrap();
                self.secret = secret_id;
                let login = format!(
                    "approle = {{ role_id = {role_id:?}, secret_id_wo = var.backend_secret }}"
                );
                block.replace("token_wo = var.backend_secret", &login)
            }
            Kind::Aws(moto) => {
                moto.allow_role(ROLE, None).unwrap();
                let role = format!("    assume_role_arn = {ROLE:?}\n    access_key_id");
                block.replace("    access_key_id", &role)
            }
            Kind::Gcp(_) | Kind::Azure(_) => block,
        };
        (self, block)
    }

    /// Makes the credentials in use run out.
    pub(crate) fn expire_credentials(&self) {
        match &self.kind {
            Kind::OpenBao { .. } => {
                let api = self.api();
                let listed = api.ok("GET", "auth/token/accessors?list=true", None);
                let listed = listed.unwrap();
                for accessor in listed["data"]["keys"].as_array().unwrap() {
                    let accessor = json!({ "accessor": accessor });
                    let post = |path: &str| api.ok("POST", path, Some(&accessor)).unwrap();
                    let token = post("auth/token/lookup-accessor");
                    if token["data"]["path"] == "auth/approle/login" {
                        post("auth/token/revoke-accessor");
                    }
                }
            }
            Kind::Aws(moto) => {
                let requests = moto.requests("planton/acme/").unwrap();
                let mut keys = requests.iter().map(|line| line.split(' ').nth(1).unwrap());
                let session = keys.rfind(|key| ![ACCESS_KEY, READER_KEY].contains(key));
                moto.expire(session.unwrap()).unwrap();
            }
            Kind::Gcp(fake) => {
                let expired = GcpFault::ExpireToken;
                fake.fault("AddSecretVersion", 1, expired).unwrap();
            }
            Kind::Azure(fake) => fake.expire_tokens().unwrap(),
        }
    }

    /// Returns how often credentials were had; on GCP, how often some were refused
    /// for their age, since nobody is asked for a token that a key file signs.
    pub(crate) fn logins(&self) -> usize {
        match &self.kind {
            Kind::OpenBao { .. } => self.proxy().count(&Match::path("/auth/approle/login")),
            Kind::Aws(moto) => moto.requests(ROLE).unwrap().len(),
            Kind::Gcp(fake) => {
                let requests = fake.requests().unwrap().into_iter();
                requests.filter(|(_, by)| by == "nobody").count()
            }
            Kind::Azure(fake) => usize::try_from(fake.tokens_issued().unwrap()).unwrap(),
        }
    }
}

fn sent(method: &str, parts: &[&str]) -> Match {
    let paths = parts.iter().map(|part| Match::path(part));
    paths.fold(Match::method(method), Match::and)
}

fn action(name: &str, body: &str) -> Match {
    Match::header("x-amz-target", &format!(".{name}")).and(Match::body(body))
}
