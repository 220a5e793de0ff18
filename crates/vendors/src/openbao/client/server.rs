//! The server's identity: which vendor's server answers, how it proves that an answer is
//! current, and which command-line client its operators use.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;

/// Vendor of a server.
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

/// The server's identity as far as it is known.
#[derive(Debug)]
pub(super) struct Identity {
    declared: Option<ServerVendor>,
    reported: OnceCell<Server>,
    /// Set once a standby is known to forward every request.
    forwards: OnceCell<()>,
}

impl Identity {
    /// Starts with the vendor that the configuration declares, if any.
    pub(super) fn declared(vendor: Option<ServerVendor>) -> Self {
        Self {
            declared: vendor,
            reported: OnceCell::new(),
            forwards: OnceCell::new(),
        }
    }

    pub(super) fn vendor(&self) -> Option<ServerVendor> {
        self.declared
    }

    /// Returns how the server proves that an answer is current, if it was asked already.
    pub(super) fn proof(&self) -> Option<Proof> {
        self.reported.get().map(|server| server.proof())
    }

    /// Returns what the server reported, and asks it with `ask` the first time.
    pub(super) async fn server_or<E, F: Future<Output = Result<Server, E>>>(
        &self,
        ask: impl FnOnce() -> F,
    ) -> Result<Server, E> {
        self.reported.get_or_try_init(ask).await.copied()
    }

    /// Succeeds if the node is known to forward every request, and else runs `ask`.
    pub(super) async fn forwarding_or<E, F: Future<Output = Result<(), E>>>(
        &self,
        ask: impl FnOnce() -> F,
    ) -> Result<(), E> {
        self.forwards.get_or_try_init(ask).await.copied()
    }
}

/// What a node reports in [`sys/health`](https://openbao.org/api-docs/system/health).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) vendor: ServerVendor,
    /// `None` if it cannot be parsed.
    pub(super) version: Option<Version>,
    /// True for a node that is not the active one.
    pub(super) is_standby: bool,
}

/// The clusters whose storage a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clusters {
    /// The server's own.
    pub(super) own: String,
    /// The primary of the replication to which it belongs.
    pub(super) primary: Option<String>,
}

impl Clusters {
    /// Returns the cluster that identifies a key for all members of a replication.
    pub(crate) fn permanent(&self) -> &str {
        self.primary.as_deref().unwrap_or(&self.own)
    }

    /// Returns all identifiers. A key that was saved before the replication began is known
    /// by the server's own.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.primary
            .iter()
            .chain(std::iter::once(&self.own))
            .map(String::as_str)
    }
}

/// Major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

/// How a server without an index returns an answer that is not stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The active node answers every request.
    Always,
    /// A standby forwards requests whose response is to be wrapped.
    Wrapping,
    /// Only the active node answers from the current state; a standby cannot be made to
    /// forward.
    Leading,
}

/// The first release whose standbys serve reads:
/// <https://openbao.org/docs/rfcs/standby-nodes-handle-read-requests>.
const STANDBY_READS: Version = Version(2, 5, 0);

/// The first release that forwards every request whose response is to be wrapped:
/// <https://github.com/openbao/openbao/pull/3790>. Earlier releases forward it only if
/// there is something to wrap, and so return a stale 404.
const FORWARDS_WRAPPING: Version = Version(2, 6, 2);

impl Server {
    /// A server that reports nothing about itself.
    pub(super) const UNKNOWN: Self = Self {
        vendor: ServerVendor::OpenBao,
        version: None,
        is_standby: false,
    };

    /// Parses the body of a `sys/health` response.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Health {
            version: String,
            #[serde(default)]
            standby: bool,
            /// Only Vault has this field.
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

    /// Returns how this server proves that an answer is current without an index.
    pub(super) fn proof(self) -> Proof {
        match (self.vendor, self.version) {
            // Standbys of the Community edition forward everything. Those of Enterprise
            // 1.7 and later return an index with every write:
            // https://developer.hashicorp.com/vault/docs/enterprise/consistency
            (ServerVendor::Vault, _) => Proof::Always,
            (ServerVendor::OpenBao, Some(version)) if version < STANDBY_READS => Proof::Always,
            (ServerVendor::OpenBao, Some(version)) if version < FORWARDS_WRAPPING => Proof::Leading,
            (ServerVendor::OpenBao, _) => Proof::Wrapping,
        }
    }
}

impl Version {
    /// Parses `2.6.2`, `1.19.0+ent` or `2.6.0-beta20260622`.
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
