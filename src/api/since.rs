//! Where a stream starts, and the cursors that its entries carry.
//!
//! A cursor `pos.index` names what comes next: the entries of the message at position `pos`, from `index` on. A stream
//! of several groups has one cursor per group, joined by commas in the order of the groups.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crosscast_wire::MessageId;

/// The next entry of one group's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Release position of the next message; at least 1 and no message need stand there.
    pub pos: u64,
    /// The next entry in it; 0 when all of it is to come.
    pub index: u16,
}

impl Cursor {
    /// What follows the message at this position.
    #[must_use]
    pub const fn after(pos: u64) -> Self {
        Self { pos: pos.saturating_add(1), index: 0 }
    }

    /// What follows entry `index` of the `count` entries of the message at `pos`.
    #[must_use]
    pub const fn after_entry(pos: u64, index: u16, count: usize) -> Self {
        if (index as usize).saturating_add(1) >= count {
            Self::after(pos)
        } else {
            Self { pos, index: index.saturating_add(1) }
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pos, index) = text.split_once('.')?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (digits(pos) && digits(index)).then_some(())?;
        Some(Self { pos: pos.parse().ok()?, index: index.parse().ok()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pos, self.index)
    }
}

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    Now,
    /// With the oldest that is kept.
    Oldest,
    /// At these cursors, one per group; none (`-`) for a group that had no entry yet.
    Cursors(Vec<Option<Cursor>>),
    /// After this message.
    After(MessageId),
    /// With the first message sent at or after this time, in milliseconds since the Unix epoch.
    Time(u64),
}

/// Reads the text of `since=` and `Last-Event-ID`: `now`, `oldest`, a message id, a cursor, an RFC 3339 time, Unix
/// milliseconds, or an age such as `90s`, `15m`, `2h`, `1d`.
#[must_use]
pub fn parse_start(text: &str) -> Option<Start> {
    match text {
        "now" => return Some(Start::Now),
        "oldest" => return Some(Start::Oldest),
        _ => {}
    }
    if let Ok(id) = MessageId::parse(text) {
        return Some(Start::After(id));
    }
    let cursor = |part| if part == "-" { Some(None) } else { Cursor::parse(part).map(Some) };
    if let Some(cursors) = text.split(',').map(cursor).collect::<Option<Vec<_>>>() {
        return Some(Start::Cursors(cursors));
    }
    if let Some(age) = parse_duration_ms(text) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        return Some(Start::Time(u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(age)));
    }
    if text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Start::Time);
    }
    parse_rfc3339_ms(text).map(Start::Time)
}

/// The text of the cursors of a stream.
#[must_use]
pub fn cursors_text(cursors: impl Iterator<Item = Option<Cursor>>) -> String {
    let texts = cursors.map(|cursor| cursor.map_or_else(|| "-".to_owned(), |cursor| cursor.to_string()));
    texts.collect::<Vec<_>>().join(",")
}

/// Reads a length of time such as `500ms`, `5s`, `2m`, `1h`, `1d`, in milliseconds.
#[must_use]
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Reads `2026-01-31T12:00:00[.fff](Z|+hh:mm|-hh:mm)`; a space may stand for the `T`, and the time of day may be absent.
fn parse_rfc3339_ms(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let days_ms = days_since_epoch(year, month, day)?.checked_mul(86_400_000)?;
    if rest.is_empty() {
        return u64::try_from(days_ms).ok();
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let len = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (fraction, zone) = rest.split_at_checked(len)?;
            let three: String = fraction.chars().chain("000".chars()).take(3).collect();
            (if fraction.is_empty() { return None } else { number(&three, 3)? }, zone)
        }
    };
    let clock_ms = ((hour * 60 + minute) * 60 + second) * 1_000 + millis;
    let offset_ms = zone_minutes(zone)?.checked_mul(60_000)?;
    u64::try_from(days_ms.checked_add(clock_ms)?.checked_sub(offset_ms)?).ok()
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn number(digits: &str, len: usize) -> Option<i64> {
    (digits.len() == len && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar at or after it.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    // Years run from March, so that the leap day is the last day of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    days.checked_sub(719_468).filter(|days| *days >= 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_cursor_names_what_comes_next_and_survives_its_text() {
        assert_eq!(Cursor::after_entry(7, 0, 1), Cursor { pos: 8, index: 0 });
        assert_eq!(Cursor::after_entry(7, 0, 3), Cursor { pos: 7, index: 1 });
        assert_eq!(Cursor::after_entry(7, 2, 3).to_string(), "8.0");
        assert_eq!(
            parse_start("8.0,-,12.255"),
            Some(Start::Cursors(vec![Some(Cursor { pos: 8, index: 0 }), None, Some(Cursor { pos: 12, index: 255 })]))
        );
        assert_eq!(cursors_text([Some(Cursor::after(7)), None].into_iter()), "8.0,-");
        for wrong in ["8", "8.", ".0", "8.0,", "8.x", "+8.0", "8.65536", "8.0.1", ""] {
            assert!(!matches!(parse_start(wrong), Some(Start::Cursors(_))), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_as_the_calendar_has_them() {
        let times = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500),
            ("2026-11-20 13:20:11Z", 1_795_180_811_000),
            ("2026-11-20T14:20:11+01:00", 1_795_180_811_000),
            ("2026-11-20T08:50:11.123456-04:30", 1_795_180_811_123),
            ("2026-11-20", 1_795_132_800_000),
            ("1795180811000", 1_795_180_811_000),
        ];
        for (text, expected) in times {
            assert_eq!(parse_start(text), Some(Start::Time(expected)), "{text}");
        }
        for wrong in
            ["2026-02-29", "2026-13-01", "2026-11-20T13:20", "2026-11-20T24:00:00Z", "1969-12-31", "x", "é-é-é-"]
        {
            assert_eq!(parse_start(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(parse_duration_ms("500ms"), Some(500));
        assert_eq!(parse_duration_ms("5s"), Some(5_000));
        assert_eq!(parse_duration_ms("2m"), Some(120_000));
        for wrong in ["5", "s", "", "5 s", "-5s", "5sec", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_duration_ms(wrong), None, "{wrong}");
        }
        assert!(matches!(parse_start("10m"), Some(Start::Time(_))));
    }
}
