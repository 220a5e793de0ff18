//! Durations as Terraform's `timeouts` write them.

use std::time::Duration;

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as \"30s\", \"5m\" or \"1h30m\"")]
pub struct InvalidDuration;

/// Parses `30s`, `5m`, `1h30m`: whole numbers of hours, minutes and seconds, in
/// that order.
///
/// # Errors
///
/// [`InvalidDuration`] for anything else, and for nothing at all.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let mut seconds = 0u64;
    let mut rest = text;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(InvalidDuration)?;
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
        let unit = match tail.chars().next() {
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(InvalidDuration),
        };
        if unit >= last_unit {
            return Err(InvalidDuration);
        }
        last_unit = unit;
        let more = number.checked_mul(unit).ok_or(InvalidDuration)?;
        seconds = seconds.checked_add(more).ok_or(InvalidDuration)?;
        rest = &tail[1..];
    }
    if seconds == 0 {
        Err(InvalidDuration)
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(parse_duration(bad), Err(InvalidDuration), "{bad}");
        }
    }
}
