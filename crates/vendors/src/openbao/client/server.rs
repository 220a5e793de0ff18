//! Which server answers: by what it proves that an answer is not stale, and
//! whose commands its operators use.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerVendor {
    /// OpenBAO.
    OpenBao,
    /// HashiCorp Vault.
    Vault,
}

impl ServerVendor {
    /// Returns the name of the command-line client.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::OpenBao => "bao",
            Self::Vault => "vault",
        }
    }
}

/// What a node says of itself in `sys/health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) vendor: ServerVendor,
    /// `None` where it can't be told.
    pub(super) version: Option<Version>,
    /// True for a node that does not lead.
    pub(super) is_standby: bool,
}

/// Major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

/// How a server without an index gives an answer that is not stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Every answer is the active node's.
    Always,
    /// A standby forwards what is to be wrapped.
    Wrapping,
    /// Only the active node's own answers: a standby has no way to be asked.
    Leading,
}

/// The first with standbys that serve reads.
const STANDBY_READS: Version = Version(2, 5, 0);

/// The first that forwards every request whose answer is to be wrapped:
/// <https://github.com/openbao/openbao/pull/3790>. Earlier ones forward it only
/// where there is something to wrap, and so answer 404 from the past.
const FORWARDS_WRAPPING: Version = Version(2, 6, 2);

impl Server {
    /// A server that does not say what it is.
    pub(super) const UNKNOWN: Self = Self {
        vendor: ServerVendor::OpenBao,
        version: None,
        is_standby: false,
    };

    /// Reads the body of an answer of `sys/health`.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Health {
            version: String,
            #[serde(default)]
            standby: bool,
            /// Vault's alone.
            enterprise: Option<IgnoredAny>,
        }
        let health: Health = serde_json::from_slice(body).ok()?;
        let version = Version::parse(&health.version);
        // OpenBAO's first release was 2.0.0.
        let is_old = version.is_some_and(|version| version < Version(2, 0, 0));
        let is_vault = health.enterprise.is_some() || health.version.contains("+ent") || is_old;
        Some(Self {
            vendor: if is_vault {
                ServerVendor::Vault
            } else {
                ServerVendor::OpenBao
            },
            version,
            is_standby: health.standby,
        })
    }

    /// Returns how this server proves anything without an index.
    pub(super) fn proof(self) -> Proof {
        match (self.vendor, self.version) {
            // Standbys of the Community edition forward everything, and those of
            // Enterprise 1.7 and later return an index with every write.
            (ServerVendor::Vault, _) => Proof::Always,
            (ServerVendor::OpenBao, Some(version)) if version < STANDBY_READS => Proof::Always,
            (ServerVendor::OpenBao, Some(version)) if version < FORWARDS_WRAPPING => Proof::Leading,
            (ServerVendor::OpenBao, _) => Proof::Wrapping,
        }
    }
}

impl Version {
    /// Reads `2.6.2`, `1.19.0+ent` or `2.6.0-beta20260622`.
    fn parse(text: &str) -> Option<Self> {
        let number = text.split(['-', '+']).next()?;
        let mut parts = number.trim_start_matches('v').split('.');
        let mut next = || parts.next()?.parse().ok();
        Some(Self(next()?, next()?, next()?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn of(health: &str) -> (ServerVendor, Proof) {
        let server = Server::parse(health.as_bytes()).unwrap();
        (server.vendor, server.proof())
    }

    #[test]
    fn a_server_is_told_by_what_it_says_of_itself() {
        use ServerVendor::{OpenBao, Vault};
        for (health, known) in [
            (
                r#"{"version":"2.4.4","standby":true,"performance_standby":false}"#,
                (OpenBao, Proof::Always),
            ),
            (
                r#"{"version":"2.5.0","performance_standby":false}"#,
                (OpenBao, Proof::Leading),
            ),
            (r#"{"version":"2.6.1"}"#, (OpenBao, Proof::Leading)),
            (r#"{"version":"2.6.2"}"#, (OpenBao, Proof::Wrapping)),
            (r#"{"version":"2.7.2"}"#, (OpenBao, Proof::Wrapping)),
            (
                r#"{"version":"2.6.0-beta20260622"}"#,
                (OpenBao, Proof::Leading),
            ),
            (r#"{"version":"unheard of"}"#, (OpenBao, Proof::Wrapping)),
            (
                r#"{"version":"1.13.3","performance_standby":false}"#,
                (Vault, Proof::Always),
            ),
            (
                r#"{"version":"1.19.0+ent","enterprise":true}"#,
                (Vault, Proof::Always),
            ),
            (
                r#"{"version":"2.0.0","enterprise":false}"#,
                (Vault, Proof::Always),
            ),
        ] {
            assert_eq!(of(health), known, "{health}");
        }
        for page in ["", "<html>", "{}", "[]"] {
            assert_eq!(Server::parse(page.as_bytes()), None, "{page}");
        }
    }

    #[test]
    fn a_standby_is_told_from_the_node_that_leads() {
        let standby = Server::parse(br#"{"version":"2.6.1","standby":true}"#).unwrap();
        assert!(standby.is_standby);
        let leading = Server::parse(br#"{"version":"2.6.1","standby":false}"#).unwrap();
        assert!(!leading.is_standby);
    }
}
