//! Generates values: unbiased, from the operating system's randomness.

use zeroize::Zeroizing;

use crate::catalog::GenerateSpec;
use planton_secret::SecretString;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMERIC: &str = "0123456789";
const SPECIAL: &str = "!@#$%&*()-_=+[]{}<>:?";

/// The longest value that can be generated, in characters.
pub const MAX_GENERATED_LENGTH: u32 = 4096;

/// Reason why a specification cannot generate a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGenerate {
    /// The length is zero, or exceeds the limit.
    #[error("length must be a whole number from 1 to {MAX_GENERATED_LENGTH}")]
    Length,
    /// No class of characters is enabled.
    #[error("at least one of lower, upper, numeric and special must be true")]
    NoCharacters,
    /// The minima add up to more than the length.
    #[error("min_lower, min_upper, min_numeric and min_special add up to more than length")]
    MinimaExceedLength,
    /// A minimum is set for a class of characters that is disabled.
    #[error("a minimum is set for a disabled class of characters")]
    MinimumOfNothing,
    /// `override_special` is empty, or repeats a character.
    #[error("override_special must contain at least one character, and no duplicates")]
    Special,
}

impl GenerateSpec {
    /// Checks that a value can be generated.
    ///
    /// # Errors
    ///
    /// [`InvalidGenerate`].
    pub fn validate(&self) -> Result<(), InvalidGenerate> {
        if !(1..=MAX_GENERATED_LENGTH).contains(&self.length) {
            return Err(InvalidGenerate::Length);
        }
        if let Some(special) = &self.override_special {
            let mut seen: Vec<char> = special.chars().collect();
            seen.sort_unstable();
            if seen.is_empty() || seen.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(InvalidGenerate::Special);
            }
        }
        let classes = self.classes();
        if classes.iter().all(|class| !class.allowed) {
            return Err(InvalidGenerate::NoCharacters);
        }
        if classes
            .iter()
            .any(|class| !class.allowed && class.minimum > 0)
        {
            return Err(InvalidGenerate::MinimumOfNothing);
        }
        let minima: u64 = classes.iter().map(|class| u64::from(class.minimum)).sum();
        if minima > u64::from(self.length) {
            return Err(InvalidGenerate::MinimaExceedLength);
        }
        Ok(())
    }

    /// Generates a value from a validated specification.
    pub(crate) fn generate(&self) -> Result<SecretString, getrandom::Error> {
        let classes = self.classes();
        let all: Vec<char> = classes
            .iter()
            .filter(|class| class.allowed)
            .flat_map(|class| class.characters.chars())
            .collect();
        let length = self.length as usize;
        let mut chosen = Zeroizing::new(Vec::with_capacity(length));
        for class in &classes {
            let characters: Vec<char> = class.characters.chars().collect();
            for _ in 0..class.minimum {
                chosen.push(characters[below(characters.len())?]);
            }
        }
        while chosen.len() < length {
            chosen.push(all[below(all.len())?]);
        }
        // Fisher-Yates shuffle: the required characters may end up at any position.
        for last in (1..chosen.len()).rev() {
            let other = below(last + 1)?;
            chosen.swap(last, other);
        }
        // Full capacity at once: a string that grows leaves copies of its content in memory.
        let bytes = chosen.iter().map(|character| character.len_utf8()).sum();
        let mut text = String::with_capacity(bytes);
        text.extend(chosen.iter());
        Ok(SecretString::new(text))
    }

    fn classes(&self) -> [Class<'_>; 4] {
        let special = self.override_special.as_deref().unwrap_or(SPECIAL);
        [
            Class {
                allowed: self.lower,
                minimum: self.min_lower,
                characters: LOWER,
            },
            Class {
                allowed: self.upper,
                minimum: self.min_upper,
                characters: UPPER,
            },
            Class {
                allowed: self.numeric,
                minimum: self.min_numeric,
                characters: NUMERIC,
            },
            Class {
                allowed: self.special,
                minimum: self.min_special,
                characters: special,
            },
        ]
    }
}

struct Class<'a> {
    allowed: bool,
    minimum: u32,
    characters: &'a str,
}

/// Returns a uniform random number below `bound`, which is at least 1. Draws beyond the
/// largest multiple of `bound` are discarded.
fn below(bound: usize) -> Result<usize, getrandom::Error> {
    let bound =
        u32::try_from(bound).expect("an alphabet or a value has fewer than 2^32 characters");
    let zone = u32::MAX - u32::MAX % bound;
    loop {
        let draw = getrandom::u32()?;
        if draw < zone {
            return Ok((draw % bound) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> GenerateSpec {
        GenerateSpec {
            length: 32,
            lower: true,
            upper: true,
            numeric: true,
            special: true,
            override_special: None,
            min_lower: 0,
            min_upper: 0,
            min_numeric: 0,
            min_special: 0,
        }
    }

    fn count(text: &str, of: &str) -> usize {
        text.chars()
            .filter(|character| of.contains(*character))
            .count()
    }

    #[test]
    fn generate_keeps_length_and_minima() {
        let spec = GenerateSpec {
            length: 20,
            min_lower: 3,
            min_upper: 4,
            min_numeric: 5,
            min_special: 6,
            override_special: Some("~é".to_owned()),
            ..spec()
        };
        for _ in 0..200 {
            let value = spec.generate().expect("randomness");
            let text = value.expose();
            assert_eq!(text.chars().count(), 20);
            assert!(count(text, LOWER) >= 3);
            assert!(count(text, UPPER) >= 4);
            assert!(count(text, NUMERIC) >= 5);
            assert!(count(text, "~é") >= 6);
        }
    }

    #[test]
    fn generate_uses_allowed_characters_only() {
        let spec = GenerateSpec {
            length: 500,
            upper: false,
            special: false,
            ..spec()
        };
        let value = spec.generate().expect("randomness");
        let text = value.expose();
        assert_eq!(count(text, LOWER) + count(text, NUMERIC), 500);
    }

    #[test]
    fn generate_never_repeats_itself() {
        let one = spec().generate().expect("randomness");
        let two = spec().generate().expect("randomness");
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn impossible_specifications_are_refused() {
        let bad = |change: fn(&mut GenerateSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.validate()
        };
        assert_eq!(spec().validate(), Ok(()));
        assert_eq!(bad(|s| s.length = 0), Err(InvalidGenerate::Length));
        assert_eq!(bad(|s| s.length = 4097), Err(InvalidGenerate::Length));
        assert_eq!(
            bad(|s| s.min_lower = 33),
            Err(InvalidGenerate::MinimaExceedLength)
        );
        assert_eq!(
            bad(|s| s.override_special = Some(String::new())),
            Err(InvalidGenerate::Special)
        );
        assert_eq!(
            bad(|s| s.override_special = Some("!!".into())),
            Err(InvalidGenerate::Special)
        );
        let nothing =
            bad(|s| (s.lower, s.upper, s.numeric, s.special) = (false, false, false, false));
        assert_eq!(nothing, Err(InvalidGenerate::NoCharacters));
        let minimum = bad(|s| (s.lower, s.min_lower) = (false, 1));
        assert_eq!(minimum, Err(InvalidGenerate::MinimumOfNothing));
    }
}
