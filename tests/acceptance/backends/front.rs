//! What stands before a place, and goes wrong.

use std::io::Write as _;

use xtask::faults::{FaultProxy, Match, ProxyOptions};
use xtask::gcp::GcpFault;

use super::Place;
use super::place::{ACCESS_KEY, Kind, READER_KEY};

const ROLE: &str = "arn:aws:iam::123456789012:role/planton";

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
        let name = ["", "org", &format!("{slug}-")].join(self.separator());
        match &self.kind {
            Kind::OpenBao { .. } => Match::method("POST")
                .and(Match::path("/data/"))
                .and(Match::path(&name)),
            Kind::Aws(_) => {
                Match::header("x-amz-target", ".PutSecretValue").and(Match::body(&name))
            }
            Kind::Gcp(_) => Match::method("POST")
                .and(Match::path(":addVersion"))
                .and(Match::path(&name)),
            Kind::Azure(_) => Match::method("PUT").and(Match::path(&name)),
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

    /// Returns true where each version is an object of its own, so that one which
    /// nothing refers to does not go with the others.
    pub(crate) fn keeps_versions_apart(&self) -> bool {
        matches!(self.kind, Kind::OpenBao { .. })
    }

    /// Makes the credentials in use run out that can be had anew; returns false
    /// where there are none.
    pub(crate) fn expire_credentials(&self) -> bool {
        match &self.kind {
            // A token of its own is all that a static one can be.
            Kind::OpenBao { .. } => return false,
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
        true
    }

    /// Returns how often credentials were had, where the place knows.
    pub(crate) fn logins(&self) -> Option<usize> {
        match &self.kind {
            Kind::Aws(moto) => Some(moto.requests(ROLE).unwrap().len()),
            Kind::Azure(fake) => Some(usize::try_from(fake.tokens_issued().unwrap()).unwrap()),
            // Nobody is asked for a token that a key file signs.
            Kind::OpenBao { .. } | Kind::Gcp(_) => None,
        }
    }

    /// Returns the block that uses credentials which run out, where the vendor
    /// has them.
    pub(crate) fn block_with_a_session(&self) -> String {
        let block = self.block();
        match &self.kind {
            Kind::Aws(moto) => {
                moto.allow_role(ROLE, None).unwrap();
                let role = format!("    assume_role_arn = {ROLE:?}\n    access_key_id");
                block.replace("    access_key_id", &role)
            }
            _ => block,
        }
    }
}
