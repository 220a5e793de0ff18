//! Time limits of a resource, and its attribute `timeouts`.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{Attribute, AttributePath, Diagnostic, Diagnostics, Value};

/// Default time limits of a resource, and the attribute that overrides them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name of the attribute, an object that [`attribute`](Self::attribute) builds.
    pub attribute: &'static str,
    /// Limit of a creation.
    pub create: Duration,
    /// Limit of a refresh, a plan, or an import.
    pub read: Duration,
    /// Limit of a change in place.
    pub update: Duration,
    /// Limit of a deletion.
    pub delete: Duration,
}

/// Operations with a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    /// A refresh, a plan, or an import.
    Read,
    Update,
    Delete,
}

/// Parses a duration, for the fuzz target.
#[cfg(feature = "testing")]
#[must_use]
pub fn fuzzed_duration(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}

/// Error for a text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as \"30s\", \"5m\" or \"1h30m\"")]
struct InvalidDuration;

impl Operation {
    const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl Timeouts {
    /// Returns the attribute to add to the schema.
    #[must_use]
    pub fn attribute(&self) -> Attribute {
        let limits = Operation::ALL.map(|operation| {
            let what = match operation {
                Operation::Create => "a create",
                Operation::Read => "a refresh, a plan or an import",
                Operation::Update => "an update",
                Operation::Delete => "a delete",
            };
            Attribute::string(operation.name())
                .optional()
                .describe(format!(
                    "Time limit of {what}, retries included: a duration such as `30s`, `5m` or \
                     `1h30m`. Default: `{}m`.",
                    self.default_limit(operation).as_secs() / 60
                ))
        });
        Attribute::object(self.attribute, limits)
            .optional()
            .describe("Time limits of the operations on this resource.")
    }

    /// Returns the limit for `operation`. Pass a planned state as `configured` if there is one,
    /// since the configuration does not reflect `ignore_changes`.
    pub(crate) fn limit(&self, operation: Operation, configured: &Value) -> Duration {
        let text = configured
            .attribute(self.attribute)
            .attribute(operation.name());
        let limit = text.as_str().and_then(|text| parse_duration(text).ok());
        limit.unwrap_or(self.default_limit(operation))
    }

    /// Checks the attribute in a configuration.
    pub(crate) fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        for operation in Operation::ALL {
            let name = operation.name();
            let text = config.attribute(self.attribute).attribute(name);
            if let Some(Err(error)) = text.as_str().map(parse_duration) {
                let detail = format!(
                    "{}.{name} {error}.\n\nCorrect it, or omit it to use the default.",
                    self.attribute
                );
                diagnostics.push(
                    Diagnostic::error("Invalid Timeout", detail)
                        .at(AttributePath::attribute(self.attribute).then(name)),
                );
            }
        }
    }

    fn default_limit(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Create => self.create,
            Operation::Read => self.read,
            Operation::Update => self.update,
            Operation::Delete => self.delete,
        }
    }
}

/// Parses `30s`, `5m` or `1h30m`: whole numbers of hours, minutes and seconds, in that order.
/// jiff accepts more forms (`2 days`, `1.5h`), which other providers reject.
fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'h' | b'm' | b's');
    // jiff reads "ms" as milliseconds.
    if !text.bytes().all(allowed) || text.contains("ms") {
        return Err(InvalidDuration);
    }
    let parsed: SignedDuration = text.parse().map_err(|_| InvalidDuration)?;
    match parsed.try_into() {
        Ok(duration) if duration > Duration::ZERO => Ok(duration),
        _ => Err(InvalidDuration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        attribute: "timeouts",
        create: Duration::from_mins(10),
        read: Duration::from_mins(5),
        update: Duration::from_mins(10),
        delete: Duration::from_mins(10),
    };

    #[test]
    fn limits_have_defaults_and_are_checked() {
        let limits = [("create", "1h30m"), ("read", "soon"), ("delete", "2m")];
        let limits = Value::object(limits.map(|(name, text)| (name, Value::from(text))));
        let configured = Value::object([("timeouts", limits)]);
        let minutes = |operation| TIMEOUTS.limit(operation, &configured).as_secs() / 60;
        assert_eq!(Operation::ALL.map(minutes), [90, 5, 10, 2]);
        let mut diagnostics = Diagnostics::new();
        TIMEOUTS.validate(&configured, &mut diagnostics);
        let paths: Vec<_> = diagnostics.iter().map(|told| told.path.clone()).collect();
        assert_eq!(paths, [AttributePath::attribute("timeouts").then("read")]);
    }

    #[test]
    fn durations_of_terraform_are_read() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h1m1s", 3661)] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for bad in [
            "",
            "0s",
            "5",
            "m",
            "1s1m",
            "1m1m",
            "-1s",
            "1.5h",
            "99999999999999999999s",
            "1h30",
            "1000ms",
            "1m 30s",
            "1hour",
            "PT1H",
        ] {
            assert_eq!(parse_duration(bad), Err(InvalidDuration), "{bad}");
        }
    }
}
