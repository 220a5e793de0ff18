//! The address of an API.

use std::fmt;

use url::{Host, Url};

/// The base address of an API: `https` and a host, or `http` on this machine.
///
/// # Security
///
/// Every request contains a token. It leaves this machine over TLS only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcpEndpoint(Url);

/// The text is not a base address that a token may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a URL as https://secretmanager.googleapis.com: https and a host, or http and a loopback address, without a user, a path, a query or a fragment"
)]
pub struct InvalidEndpoint;

impl GcpEndpoint {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] if it does not have the format above.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidEndpoint)?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let endpoint = Self(url);
        let safe = match endpoint.0.scheme() {
            "https" => endpoint.0.host().is_some(),
            "http" => endpoint.is_loopback(),
            _ => false,
        };
        if plain && safe {
            Ok(endpoint)
        } else {
            Err(InvalidEndpoint)
        }
    }

    /// Returns the public endpoint of one of Google's APIs, such as `secretmanager`.
    #[must_use]
    pub fn public(service: &'static str) -> Self {
        let text = format!("https://{service}.googleapis.com/");
        Self(Url::parse(&text).expect("a service's name is a host's first label"))
    }

    /// Returns true if requests use TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns true for a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Returns the URL of `path`, which has no leading slash.
    pub(super) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for GcpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_https_and_to_loopback_only() {
        for good in [
            "https://secretmanager.googleapis.com",
            "https://secretmanager-acme.p.googleapis.com/",
            "https://127.0.0.1:8443",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080/",
            " http://localhost:8080 ",
        ] {
            assert!(GcpEndpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "secretmanager.googleapis.com",
            "http://secretmanager.googleapis.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0:8080",
            "ftp://127.0.0.1",
            "https://user@secretmanager.googleapis.com",
            "https://:word@secretmanager.googleapis.com",
            "https://secretmanager.googleapis.com/v1",
            "https://secretmanager.googleapis.com?a=b",
            "https://secretmanager.googleapis.com#a",
        ] {
            assert_eq!(GcpEndpoint::parse(bad), Err(InvalidEndpoint), "{bad}");
        }
    }

    #[test]
    fn addresses_are_made_of_base_path_and_query() {
        let endpoint = GcpEndpoint::public("secretmanager");
        let url = endpoint.url("v1/projects/p/secrets/s/versions/1:destroy", &[]);
        let expected =
            "https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/1:destroy";
        assert_eq!(url.as_str(), expected);
        let url = endpoint.url("v1/x", &[("etag", "\"1 2\"")]);
        assert_eq!(
            url.as_str(),
            "https://secretmanager.googleapis.com/v1/x?etag=%221+2%22"
        );
    }
}
