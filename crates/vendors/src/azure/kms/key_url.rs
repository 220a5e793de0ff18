//! The addresses of a key and of its versions.

use std::fmt;

use url::Url;

use crate::azure::client::VaultUrl;

/// The address of a key: `https://<vault>/keys/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyUrl {
    pub(super) vault: VaultUrl,
    pub(super) name: String,
}

/// The address of one version of a key: `https://<vault>/keys/<name>/<version>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyVersionUrl {
    pub(super) key: KeyUrl,
    pub(super) version: String,
}

impl KeyUrl {
    /// Parses an address without a version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match split(text)? {
            (key, None) => Some(key),
            (_, Some(_)) => None,
        }
    }

    /// Returns the path of the key.
    pub(super) fn path(&self) -> String {
        format!("/keys/{}", self.name)
    }

    /// Returns whether both are the same key. Key Vault's names are case-insensitive:
    /// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates>.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.vault == other.vault && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl KeyVersionUrl {
    /// Parses an address with a version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (key, version) = split(text)?;
        let version = version?;
        Some(Self { key, version })
    }

    /// Returns the path of the version.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.key.path(), self.version)
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.vault, self.path())
    }
}

impl fmt::Display for KeyVersionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.key.vault, self.path())
    }
}

fn split(text: &str) -> Option<(KeyUrl, Option<String>)> {
    let mut url = Url::parse(text).ok()?;
    let path = url.path().trim_end_matches('/').to_owned();
    let mut segments = path.strip_prefix("/keys/")?.split('/');
    let name = segments.next().filter(|name| is_name(name))?.to_owned();
    let version = match segments.next() {
        Some(version) if is_version(version) => Some(version.to_owned()),
        Some(_) => return None,
        None => None,
    };
    if segments.next().is_some() {
        return None;
    }
    url.set_path("");
    let vault = VaultUrl::parse(url.as_str()).ok()?;
    Some((KeyUrl { vault, name }, version))
}

fn is_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=127).contains(&text.len()) && text.bytes().all(known)
}

/// Returns true for a version as Key Vault issues it: 32 hexadecimal digits.
fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "https://acme.vault.azure.net/keys/planton";
    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn key_is_named_with_and_without_a_version() {
        for text in [
            KEY,
            "https://acme.vault.azure.net:443/keys/planton/",
            "https://ACME.vault.azure.net/keys/planton",
        ] {
            let key = KeyUrl::parse(text).expect("a key");
            assert_eq!(key.to_string(), KEY);
        }
        let version = KeyVersionUrl::parse(&format!("{KEY}/{VERSION}")).expect("a version");
        assert_eq!(version.to_string(), format!("{KEY}/{VERSION}"));
        assert_eq!(KeyUrl::parse(&format!("{KEY}/{VERSION}")), None);
        assert_eq!(KeyVersionUrl::parse(KEY), None);
        let shouted = KeyUrl::parse(&KEY.replace("planton", "PLANTON")).expect("a key");
        assert!(shouted.is_same(&version.key));
    }

    #[test]
    fn other_addresses_name_no_key() {
        for bad in [
            "",
            "planton",
            "https://acme.vault.azure.net",
            "https://acme.vault.azure.net/keys/",
            "https://acme.vault.azure.net/secrets/planton",
            "http://acme.vault.azure.net/keys/planton",
            "https://user@acme.vault.azure.net/keys/planton",
            "https://acme.vault.azure.net/keys/a_b",
            "https://acme.vault.azure.net/keys/a/b/c",
            "https://acme.vault.azure.net/keys/planton/latest",
            "https://acme.vault.azure.net/keys/planton?api-version=7.4",
            "https://acme.vault.azure.net/keys/planton#1",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
