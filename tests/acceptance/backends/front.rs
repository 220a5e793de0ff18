//! A fault-injecting proxy in front of a place, and the requests that it matches.

use tempfile::NamedTempFile;
use xtask::faults::{FaultProxy, Match};

use super::Place;
use super::fixtures::OverHttp;

/// A proxy, and what the provider needs to reach the place through it.
pub(super) struct Front {
    proxy: FaultProxy,
    /// The CA certificates of the proxy, and of the place behind it.
    authorities: Option<NamedTempFile>,
    /// A further variable of the provider's environment.
    variable: Option<(&'static str, String)>,
}

impl Front {
    /// Returns a front without TLS.
    pub(super) fn new(proxy: FaultProxy) -> Self {
        Self {
            proxy,
            authorities: None,
            variable: None,
        }
    }

    /// Adds the CA certificates to trust.
    pub(super) fn with_authorities(self, authorities: NamedTempFile) -> Self {
        let authorities = Some(authorities);
        Self {
            authorities,
            ..self
        }
    }

    /// Adds a variable to the provider's environment.
    pub(super) fn with_variable(self, name: &'static str, value: String) -> Self {
        let variable = Some((name, value));
        Self { variable, ..self }
    }

    pub(super) fn proxy(&self) -> &FaultProxy {
        &self.proxy
    }

    /// Returns the variables that the provider's process needs.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        let authorities = self.authorities.iter();
        let trusted = authorities.map(|both| ("SSL_CERT_FILE", both.path().display().to_string()));
        trusted.chain(self.variable.clone())
    }
}

impl Place {
    /// Returns the place as one that is reached over HTTP.
    pub(super) fn over_http(&self) -> &dyn OverHttp {
        let place = self.fixture.over_http();
        place.unwrap_or_else(|| panic!("{} is not reached over HTTP", self.block_name))
    }

    /// Puts a proxy in front, whose address becomes the place's. The vendor's
    /// official client bypasses it.
    pub(crate) fn behind_a_proxy(mut self) -> Self {
        self.front = Some(self.over_http().front());
        self
    }

    /// Returns the proxy in front.
    pub(crate) fn proxy(&self) -> &FaultProxy {
        self.front.as_ref().expect("a proxy is in front").proxy()
    }

    /// Matches the requests that put a version of the secret `slug` of organization
    /// scope.
    pub(crate) fn puts_of(&self, slug: &str) -> Match {
        self.puts_in("org", slug)
    }

    /// Matches the requests that put what is stored for `slug` below `kind`: `org`
    /// for secrets, `probe` and `backend` for what identifies a backend.
    pub(crate) fn puts_in(&self, kind: &str, slug: &str) -> Match {
        self.over_http().puts(&self.part(kind, slug))
    }

    /// Matches the requests that describe a version of the secret, without its
    /// value.
    pub(crate) fn looks_of(&self, slug: &str) -> Match {
        self.over_http().looks(&self.part("org", slug))
    }

    /// Matches the requests that read a version of the secret.
    pub(crate) fn reads_of(&self, slug: &str) -> Match {
        self.over_http().reads(&self.part("org", slug))
    }

    /// Matches the requests that delete what is stored for `slug` below `kind`.
    pub(crate) fn deletes_in(&self, kind: &str, slug: &str) -> Match {
        self.over_http().deletes(&self.part(kind, slug))
    }

    /// Matches the last of the requests that delete the secret.
    pub(crate) fn last_deletes_of(&self, slug: &str) -> Match {
        self.over_http().last_deletes(&self.part("org", slug))
    }

    /// Returns the part of a name that is unique to `slug` below `kind`.
    pub(crate) fn part(&self, kind: &str, slug: &str) -> String {
        ["", kind, &format!("{slug}-")].join(self.separator())
    }

    /// Returns how many unreferenced versions a put may leave if its response is lost.
    /// The result is 0 if the vendor takes an idempotency key, or the name is one.
    pub(crate) fn spares(&self) -> usize {
        self.over_http().spares()
    }

    /// Returns the separator of the parts of a name.
    pub(crate) fn separator(&self) -> &'static str {
        self.fixture.separator()
    }

    /// Takes credentials whose sessions expire and can be renewed. Returns the block
    /// that uses them.
    pub(crate) fn with_a_session(self) -> (Self, String) {
        let (block, secret) = self.over_http().session(self.block());
        match secret {
            Some(secret) => (self.with_secret(secret), block),
            None => (self, block),
        }
    }

    /// Expires the sessions in use.
    pub(crate) fn expire_credentials(&self) {
        self.over_http().expire_credentials();
    }

    /// Returns how many logins there were; on GCP, how many requests were rejected
    /// for an expired token.
    pub(crate) fn logins(&self) -> usize {
        self.over_http().logins(self.proxy())
    }
}
