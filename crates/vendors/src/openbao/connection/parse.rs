//! How the value of an argument is parsed, by its form.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use super::argument::ConnectionBlock;
use super::problem::{ConnectionProblem, ConnectionProblemKind as Kind};
use crate::http::Roots;
use crate::openbao::client::{MountPath, OpenBaoAddress, check_path};

/// The shortest period that Transit accepts:
/// <https://openbao.org/api-docs/secret/transit/#auto_rotate_period>.
const SHORTEST_PERIOD: Duration = Duration::from_secs(60 * 60);

/// A century, so that no sum of a time and a period overflows.
const LONGEST_PERIOD: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Parses the value of the argument `setting`.
pub(super) struct Parser<'a> {
    pub(super) block: ConnectionBlock,
    pub(super) setting: &'a str,
}

impl Parser<'_> {
    fn problem(&self, kind: Kind, message: impl Into<String>) -> ConnectionProblem {
        ConnectionProblem::new(self.setting, kind, message)
    }

    pub(super) fn address(&self, text: &str) -> Result<OpenBaoAddress, ConnectionProblem> {
        OpenBaoAddress::parse(text)
            .map_err(|error| self.problem(Kind::Address, format!("{} {error}.", self.setting)))
    }

    /// Returns `None` for `/` and for `root`, which servers call their root namespace:
    /// <https://openbao.org/docs/concepts/namespaces/>.
    pub(super) fn namespace(&self, text: &str) -> Result<Option<String>, ConnectionProblem> {
        let text = text.trim_matches('/');
        if matches!(text, "" | "root") {
            return Ok(None);
        }
        match MountPath::parse(text) {
            Ok(path) => Ok(Some(path.as_str().to_owned())),
            Err(_) => Err(self.problem(
                Kind::Namespace,
                format!(
                    "{} must be a path such as team or team/a, with letters, digits, _ . - and /.",
                    self.setting
                ),
            )),
        }
    }

    pub(super) fn mount(&self, text: &str) -> Result<MountPath, ConnectionProblem> {
        MountPath::parse(text)
            .map_err(|error| self.problem(Kind::Mount, format!("{} {error}.", self.setting)))
    }

    pub(super) fn key(&self, text: &str) -> Result<String, ConnectionProblem> {
        match MountPath::parse(text) {
            Ok(path) if path.as_str() == text && !text.contains('/') => Ok(text.to_owned()),
            _ => Err(self.problem(
                Kind::KeyName,
                format!(
                    "{} must be the name of a key, with letters, digits, _ . and -.",
                    self.setting
                ),
            )),
        }
    }

    /// Returns `None` for `0`, which disables rotation.
    pub(super) fn period(&self, text: &str) -> Result<Option<Duration>, ConnectionProblem> {
        if text.trim() == "0" {
            return Ok(None);
        }
        let days = SpanRelativeTo::days_are_24_hours();
        let parsed = text.trim().parse::<Span>().ok();
        let parsed = parsed.and_then(|span| span.to_duration(days).ok());
        let parsed = parsed.and_then(|duration| Duration::try_from(duration).ok());
        // Whole seconds, since the server knows no fractions.
        let accepted = parsed.filter(|period| {
            (SHORTEST_PERIOD..=LONGEST_PERIOD).contains(period) && period.subsec_nanos() == 0
        });
        accepted.map(Some).ok_or_else(|| {
            self.problem(
                Kind::Period,
                format!(
                    "{} must be a duration from 1h to 36500d, such as 90d or 2160h, or 0 to \
                     disable rotation.",
                    self.setting
                ),
            )
        })
    }

    pub(super) fn certificates(&self, pem: &str) -> Result<String, ConnectionProblem> {
        if self.block.is_stored() && pem.contains("PRIVATE KEY-----") {
            return Err(self.problem(
                Kind::Certificates,
                format!(
                    "{} contains a private key, which would be stored in the state. Set it to the \
                     certificates alone.",
                    self.setting
                ),
            ));
        }
        match Roots::Pem(pem.to_owned()).check() {
            Ok(()) => Ok(pem.to_owned()),
            Err(error) => Err(ConnectionProblem {
                source: Some(Box::new(error)),
                ..self.problem(
                    Kind::Certificates,
                    format!(
                        "{} must contain certificates in PEM form, which begin with -----BEGIN \
                         CERTIFICATE-----.",
                        self.setting
                    ),
                )
            }),
        }
    }

    /// Returns `text` if it is a path. A stored setting must not be the content of a file,
    /// such as PEM or a JSON Web Token.
    pub(super) fn path(&self, text: &str) -> Result<String, ConnectionProblem> {
        let is_token = text.trim().starts_with("eyJ") && text.matches('.').count() == 2;
        let is_content = is_token || text.contains("-----BEGIN") || text.contains(char::is_control);
        if self.block.is_stored() && is_content {
            return Err(self.problem(
                Kind::Path,
                format!(
                    "{} takes the path of a file. The content of the file would be stored in the \
                     state.",
                    self.setting
                ),
            ));
        }
        match check_path(text) {
            Ok(()) => Ok(text.to_owned()),
            Err(error) => Err(self.problem(Kind::Path, format!("{} {error}.", self.setting))),
        }
    }

    pub(super) fn text(&self, text: &str) -> Result<String, ConnectionProblem> {
        if text.trim().is_empty() {
            return Err(self.problem(Kind::Empty, format!("{} is empty.", self.setting)));
        }
        Ok(text.to_owned())
    }
}
