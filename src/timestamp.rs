//! Times as a state contains them.

use jiff::Timestamp;

/// Returns a time in the format of RFC 3339, without its fraction of a second. Records keep the
/// fraction.
pub(crate) fn to_the_second(at: Timestamp) -> String {
    format!("{at:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_cut_to_its_second() {
        for at in ["2026-11-28T02:25:02Z", "2026-11-28T02:25:02.999999999Z"] {
            let at: Timestamp = at.parse().expect("a time");
            assert_eq!(to_the_second(at), "2026-11-28T02:25:02Z");
        }
    }
}
