//! Numbers with their nouns.

use std::fmt::Display;

/// Returns a number with its noun, as in "1 version" and "2 versions".
pub(super) fn count<N>(number: N, one: &str, many: &str) -> String
where
    N: Copy + Display + PartialEq + From<u8>,
{
    format!("{number} {}", agree(number, one, many))
}

/// Returns the word that agrees with a number.
pub(super) fn agree<'a, N>(number: N, one: &'a str, many: &'a str) -> &'a str
where
    N: PartialEq + From<u8>,
{
    if number == N::from(1) { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_any_other_number_is_plural() {
        let versions = |number: usize| count(number, "version", "versions");
        assert_eq!(versions(0), "0 versions");
        assert_eq!(versions(1), "1 version");
        assert_eq!(versions(21), "21 versions");
        assert_eq!(agree(1_u64, "is", "are"), "is");
    }
}
