//! Numbers, without loss of precision.

use std::fmt;

/// Number. Terraform calculates with 512 bits of precision, so a number that does not fit a
/// machine type is stored as its decimal text.
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    /// Finite, and not a whole number that `Int` or `Uint` could hold.
    Float(f64),
    Decimal(String),
}

/// Representation of a [`Number`], for an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberForm<'a> {
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// A finite fraction, or a whole number beyond 64 bits that is exact.
    Float(f64),
    /// Decimal text, as JSON would write it.
    Decimal(&'a str),
}

impl Number {
    /// Converts a float; `None` for an infinity or a NaN. A whole number that fits 64 bits
    /// equals the integer.
    pub(crate) fn from_f64(value: f64) -> Option<Self> {
        const TWO_63: f64 = 9_223_372_036_854_775_808.0;
        if !value.is_finite() {
            return None;
        }
        if value.fract() == 0.0 && (-TWO_63..TWO_63).contains(&value) {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within range")]
            return Some(Self(Repr::Int(value as i64)));
        }
        Some(Self(Repr::Float(value)))
    }

    /// Parses decimal text in the form of a JSON number, with an optional plus sign. Returns
    /// `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const MAX_BYTES: usize = 1024;
        let text = text.strip_prefix('+').unwrap_or(text);
        if text.len() > MAX_BYTES || !is_decimal(text) {
            return None;
        }
        if let Ok(value) = text.parse::<i64>() {
            return Some(Self(Repr::Int(value)));
        }
        if let Ok(value) = text.parse::<u64>() {
            return Some(Self(Repr::Uint(value)));
        }
        // The float must be exact. Terraform compares with 512 bits of precision, where 0.1
        // differs from the nearest float.
        let float = text.parse::<f64>().ok().filter(|value| value.is_finite());
        if let Some(value) = float
            && is_exactly(value, text)
        {
            return Self::from_f64(value);
        }
        Some(Self(Repr::Decimal(text.to_owned())))
    }

    /// Returns a whole number that fits; `None` otherwise.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Returns a whole number that fits and is not negative; `None` otherwise.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Repr::Int(value) => u64::try_from(value).ok(),
            Repr::Uint(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the nearest float.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            #[expect(clippy::cast_precision_loss, reason = "callers want the nearest float")]
            Repr::Int(value) => *value as f64,
            #[expect(clippy::cast_precision_loss, reason = "callers want the nearest float")]
            Repr::Uint(value) => *value as f64,
            Repr::Float(value) => *value,
            Repr::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// Returns the representation of the number.
    #[must_use]
    pub fn form(&self) -> NumberForm<'_> {
        match &self.0 {
            Repr::Int(value) => NumberForm::Int(*value),
            Repr::Uint(value) => NumberForm::Uint(*value),
            Repr::Float(value) => NumberForm::Float(*value),
            Repr::Decimal(text) => NumberForm::Decimal(text),
        }
    }
}

/// Returns whether the decimal `text` is exactly `value`.
fn is_exactly(value: f64, text: &str) -> bool {
    // Maximum number of fraction digits of a float.
    const MOST_DIGITS: usize = 1074;
    let Some((_, fraction)) = text.split_once('.') else {
        return format!("{value:.0}") == text;
    };
    let all = format!("{value:.MOST_DIGITS$}");
    fraction.len() <= MOST_DIGITS && all.trim_end_matches('0') == text.trim_end_matches('0')
}

/// `-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent_fits = exponent
        .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    mantissa_fits && exponent_fits
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Int(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(i64::try_from(value).map_or(Repr::Uint(value), Repr::Int))
    }
}

impl PartialEq for Number {
    /// Compares exactly. Decimal texts are equal if they are the same text.
    fn eq(&self, other: &Self) -> bool {
        self.form() == other.form()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A number may be a secret, such as a PIN.
        f.write_str("Number(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_fit_become_machine_numbers_and_others_stay_exact() {
        let form = |text: &str| Number::parse(text).map(|n| format!("{:?}", n.form()));
        for (text, expected) in [
            ("0", "Int(0)"),
            ("-9223372036854775808", "Int(-9223372036854775808)"),
            ("18446744073709551615", "Uint(18446744073709551615)"),
            ("1.5", "Float(1.5)"),
            ("0.1", "Decimal(\"0.1\")"),
            ("-0.125", "Float(-0.125)"),
            (
                "0.10000000000000000001",
                "Decimal(\"0.10000000000000000001\")",
            ),
            ("18446744073709551616", "Float(1.8446744073709552e19)"),
            ("18446744073709551617", "Decimal(\"18446744073709551617\")"),
            ("1e3", "Decimal(\"1e3\")"),
        ] {
            assert_eq!(form(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["", "-", "1.", ".5", "NaN", "inf", "0x10", "1e", "1 ", "--1"] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_whole_float_is_the_integer() {
        assert_eq!(Number::from_f64(3.0), Some(Number::from(3i64)));
        assert_eq!(Number::from_f64(f64::NAN), None);
        assert_eq!(Number::from(7u64).as_i64(), Some(7));
        assert_eq!(Number::from(u64::MAX).as_i64(), None);
    }
}
