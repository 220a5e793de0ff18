//! Dates in the two forms of the APIs.

use std::time::{Duration, SystemTime};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A time in UTC.
struct Utc {
    days: u64,
    year: u64,
    month: u64,
    day: u64,
    seconds: u64,
    millis: u32,
}

impl Utc {
    fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        // A clock before 1970 is the epoch.
        let since = since.unwrap_or(Duration::ZERO);
        let days = since.as_secs() / 86_400;
        // From 1 March of year 0, in eras of 400 years:
        // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self {
            days,
            year: year + era * 400 + u64::from(month <= 2),
            month,
            day,
            seconds: since.as_secs() % 86_400,
            millis: since.subsec_millis(),
        }
    }

    fn clock(&self) -> String {
        let (hours, rest) = (self.seconds / 3600, self.seconds % 3600);
        format!("{hours:02}:{:02}:{:02}", rest / 60, rest % 60)
    }
}

/// Returns a time as in `2026-05-01T10:20:30.123Z`.
pub(super) fn timestamp(time: SystemTime) -> String {
    let utc = Utc::of(time);
    let Utc {
        year,
        month,
        day,
        millis,
        ..
    } = utc;
    format!("{year}-{month:02}-{day:02}T{}.{millis:03}Z", utc.clock())
}

/// Returns a time as in `Fri, 01 May 2026 10:20:30 GMT`.
pub(super) fn http_date(time: SystemTime) -> String {
    let utc = Utc::of(time);
    // Both are below the lengths of the lists.
    let weekday = DAYS[usize::try_from(utc.days % 7).unwrap_or(0)];
    let month = MONTHS[usize::try_from(utc.month - 1).unwrap_or(0)];
    let Utc { day, year, .. } = utc;
    format!("{weekday}, {day:02} {month} {year} {} GMT", utc.clock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_day_in_both_forms() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
        assert_eq!(timestamp(time), "2024-02-29T12:34:56.789Z");
        assert_eq!(http_date(time), "Thu, 29 Feb 2024 12:34:56 GMT");
    }
}
