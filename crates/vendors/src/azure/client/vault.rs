//! The addresses of a vault and of a token authority, parsed once.

use std::fmt;

use url::{Host, Url};

/// Microsoft's clouds: the domain of their vaults, and their token authority.
const CLOUDS: &[(&str, &str)] = &[
    ("vault.azure.net", PUBLIC_AUTHORITY),
    ("vault.azure.cn", "https://login.chinacloudapi.cn"),
    (
        "vault.usgovcloudapi.net",
        "https://login.microsoftonline.us",
    ),
];

const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// The reason why an address is invalid. It omits the address, which may contain a
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAddress(&'static str);

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidAddress {}

/// The address of a vault: `https://`, a host, and optionally a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultUrl(Url);

impl VaultUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// If the address has another scheme, a path, a query, a fragment or a user.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        origin(text).map(Self)
    }

    /// Returns the address as a URL whose path is `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Returns the address without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns the host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns true for a vault in one of Microsoft's domains.
    pub(super) fn is_in_a_known_cloud(&self) -> bool {
        self.cloud().is_some()
    }

    /// Returns the token authority of the vault's cloud, or the public one.
    pub(super) fn authority(&self) -> AuthorityHost {
        let host = self.cloud().map_or(PUBLIC_AUTHORITY, |(_, host)| host);
        AuthorityHost::known(host)
    }

    /// Returns true if a token for `scope`, which a challenge names, may be sent to
    /// this vault.
    ///
    /// In Microsoft's domains, the vault's host must be a subdomain of the resource.
    /// Otherwise a forged challenge could obtain a token for another service. In other
    /// domains, the resource must be Key Vault's own or the vault itself.
    pub(super) fn accepts(&self, scope: &str) -> bool {
        let Some(Host::Domain(resource)) = Url::parse(scope)
            .ok()
            .filter(|url| url.scheme() == "https")
            .and_then(|url| url.host().map(|host| host.to_owned()))
        else {
            // A numeric address can only be the vault itself.
            return Url::parse(scope).is_ok_and(|url| url.origin() == self.0.origin());
        };
        if self.is_in_a_known_cloud() {
            return self.host().ends_with(&format!(".{resource}"));
        }
        resource == self.host() || CLOUDS.iter().any(|(domain, _)| *domain == resource)
    }

    fn cloud(&self) -> Option<&'static (&'static str, &'static str)> {
        let host = self.host();
        CLOUDS
            .iter()
            .find(|(domain, _)| host.ends_with(&format!(".{domain}")))
    }
}

impl fmt::Display for VaultUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The address of a token authority, such as `https://login.microsoftonline.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityHost(Url);

impl AuthorityHost {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// As for [`VaultUrl::parse`].
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        origin(text).map(Self)
    }

    /// Returns the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the authority of Microsoft's public cloud.
    pub(super) fn public() -> Self {
        Self::known(PUBLIC_AUTHORITY)
    }

    fn known(text: &'static str) -> Self {
        Self::parse(text).expect("the addresses of the vendor's clouds are addresses")
    }
}

fn origin(text: &str) -> Result<Url, InvalidAddress> {
    let url = Url::parse(text).map_err(|_| InvalidAddress("it is not a URL"))?;
    let problem = if url.scheme() != "https" {
        "it must begin with https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it must not have a user or a password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it must not have a query or a fragment"
    } else if url.path() != "/" {
        "it must not have a path"
    } else {
        return Ok(url);
    };
    Err(InvalidAddress(problem))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn an_address_is_https_and_a_host_and_no_more() {
        for good in [
            "https://acme.vault.azure.net",
            "https://acme.vault.azure.net/",
            "https://127.0.0.1:8443",
        ] {
            let url = VaultUrl::parse(good).unwrap();
            assert_eq!(url.as_str(), good.trim_end_matches('/'));
        }
        for (bad, why) in [
            ("acme", "not a URL"),
            ("http://acme.vault.azure.net", "https://"),
            ("https://acme.vault.azure.net/secrets", "a path"),
            ("https://acme.vault.azure.net?a=b", "a query"),
            ("https://acme.vault.azure.net/#a", "a fragment"),
            ("https://hunter2@acme.vault.azure.net", "a user"),
            ("https://:hunter2@acme.vault.azure.net", "a password"),
        ] {
            let error = VaultUrl::parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
            assert!(AuthorityHost::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_come_from_the_cloud_that_the_vault_is_in() {
        let authority = |vault: &str| {
            let authority = VaultUrl::parse(vault).unwrap().authority();
            authority.as_str().to_owned()
        };
        let public = "https://login.microsoftonline.com/";
        assert_eq!(authority("https://acme.vault.azure.net"), public);
        assert_eq!(authority("https://vault.example.com"), public);
        assert_eq!(
            authority("https://acme.vault.azure.cn"),
            "https://login.chinacloudapi.cn/"
        );
        assert_eq!(
            authority("https://acme.vault.usgovcloudapi.net"),
            "https://login.microsoftonline.us/"
        );
    }

    #[test]
    fn a_challenge_for_another_resource_gets_no_token() {
        let known = VaultUrl::parse("https://acme.vault.azure.net").unwrap();
        assert!(known.accepts("https://vault.azure.net/.default"));
        let elsewhere = VaultUrl::parse("https://vault.example.com").unwrap();
        assert!(elsewhere.accepts("https://vault.azure.net/.default"));
        assert!(elsewhere.accepts("https://vault.azure.cn/.default"));
        assert!(elsewhere.accepts("https://vault.example.com/.default"));
        let numbers = VaultUrl::parse("https://127.0.0.1:8443").unwrap();
        assert!(numbers.accepts("https://vault.azure.net/.default"));
        assert!(numbers.accepts("https://127.0.0.1:8443/.default"));
        for scope in [
            "https://management.azure.com/.default",
            "https://storage.azure.com/.default",
            "https://azure.net.example.org/.default",
            "https://0.0.1/.default",
            "http://vault.azure.net/.default",
            "vault.azure.net",
            "",
        ] {
            for vault in [&known, &elsewhere, &numbers] {
                assert!(!vault.accepts(scope), "{vault}: {scope}");
            }
        }
        assert!(!known.accepts("https://vault.azure.cn/.default"));
        assert!(!known.accepts("https://acme.vault.azure.net/.default"));
    }
}
