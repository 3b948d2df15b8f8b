//! Dates as HTTP writes them.
#![expect(clippy::arithmetic_side_effects, reason = "the seconds are capped first: everything below fits 64 bits")]

/// A moment as `Date` and its like tell it: the preferred format, IMF-fixdate (RFC 9110 §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate {
    text: [u8; 29],
}

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The last second that four digits of year can tell: 9999-12-31 23:59:59.
const SECONDS_MAX: u64 = 253_402_300_799;
/// From 0000-03-01 to the Unix epoch. Years that begin in March end with their leap day.
const EPOCH_DAYS: u64 = 719_468;
/// Days of 400, 100, 4 years and of one, leap days where the Gregorian calendar has them.
const ERA_DAYS: u64 = 146_097;
const CENTURY_DAYS: u64 = 36_524;
const OLYMPIAD_DAYS: u64 = 1_461;
const YEAR_DAYS: u64 = 365;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec", b"Jan", b"Feb"];

impl HttpDate {
    /// The date `seconds` after the Unix epoch, leap seconds not counted; what lies after the year 9999 is its end.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Self {
        let seconds = seconds.min(SECONDS_MAX);
        let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let (year, month, day) = civil(days);
        let [w0, w1, w2] = name(&WEEKDAYS, days % 7);
        let [m0, m1, m2] = name(&MONTHS, month);
        let [d0, d1] = digits(day);
        let ([y0, y1], [y2, y3]) = (digits(year / 100), digits(year % 100));
        let [[h0, h1], [n0, n1], [s0, s1]] = [second / 3600, second / 60 % 60, second % 60].map(digits);
        #[rustfmt::skip]
        let text = [
            w0, w1, w2, b',', b' ', d0, d1, b' ', m0, m1, m2, b' ', y0, y1, y2, y3, b' ',
            h0, h1, b':', n0, n1, b':', s0, s1, b' ', b'G', b'M', b'T',
        ];
        Self { text }
    }

    /// The date as a field value.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.text
    }
}

/// Year, month counted from March, and day of the month of a day since the Unix epoch.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAYS;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    // The last day of an era is the leap day that its last century has and the three others have not.
    let century = least(day / CENTURY_DAYS, 3);
    let day = day - century * CENTURY_DAYS;
    let (olympiad, day) = (day / OLYMPIAD_DAYS, day % OLYMPIAD_DAYS);
    let year = least(day / YEAR_DAYS, 3);
    let day = day - year * YEAR_DAYS;
    // From March on, months repeat 31, 30, 31, 30, 31 days: 153 in five of them.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let begun_in_march = era * 400 + century * 100 + olympiad * 4 + year;
    (begun_in_march + month / 10, month, day)
}

const fn least(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

fn name(names: &[&[u8; 3]], index: u64) -> [u8; 3] {
    usize::try_from(index).ok().and_then(|index| names.get(index)).map_or(*b"???", |name| **name)
}

/// Two decimal digits of a number below 100.
fn digits(number: u64) -> [u8; 2] {
    let digit = |number: u64| u8::try_from(number % 10).map_or(b'?', |digit| b'0' + digit);
    [digit(number / 10), digit(number)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // Checked against GNU date: `date -u -d @SECONDS '+%a, %d %b %Y %H:%M:%S GMT'`.
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
            (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (13_574_563_200, "Tue, 29 Feb 2400 00:00:00 GMT"),
            (SECONDS_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = HttpDate::from_unix_seconds(seconds);
            assert_eq!(core::str::from_utf8(date.bytes()), Ok(expected), "{seconds}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 10, 1);
        for days in 0..=SECONDS_MAX / DAY_SECONDS {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let length = match month {
                1 | 3 | 6 | 8 => 30,
                11 => 28 + u64::from(is_leap(year)),
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = ((month + 1) % 12, 1);
                year += u64::from(month == 10);
            }
        }
    }
}
