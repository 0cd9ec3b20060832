//! CEL's times and durations: reading them, their arithmetic and their parts.
//!
//! It refuses a clock: there is no `now()`, because a filter that depends on when it is evaluated
//! gives a replay another answer.

use jiff::{SignedDuration, Timestamp, tz::Offset, tz::TimeZone};

use super::tree::Part;

/// Longest text that is read as a number, a time or a duration, in bytes.
pub(super) const SCALAR_BYTES_MAX: usize = 64;

/// Reads a time as in RFC 3339.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    if text.len() <= SCALAR_BYTES_MAX { text.parse().ok() } else { None }
}

/// What a text says that a time is compared with: a time, or the beginning of its text in UTC.
pub(super) enum Compared<'t> {
    Time(Timestamp),
    Beginning(&'t str),
}

/// What a beginning is completed with to be a time.
const EARLIEST: &str = "0000-01-01T00:00:00Z";
/// Where a beginning may end, in bytes: behind a year, a month, and so on, or behind the sign after it.
const ENDS: [usize; 11] = [4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19];

/// Reads a text that a time is compared with: RFC 3339, whole or its beginning as far as a second
/// (`2026-11-20T09`). `None`: anything else, which would be compared letter by letter.
pub(super) fn compared(text: &str) -> Option<Compared<'_>> {
    if let Some(time) = timestamp(text) {
        return Some(Compared::Time(time));
    }
    let rest = EARLIEST.get(text.len()..).filter(|_| ENDS.contains(&text.len()))?;
    let has_form = text.bytes().zip(EARLIEST.bytes()).all(|(byte, form)| {
        if form.is_ascii_digit() { byte.is_ascii_digit() } else { byte == form }
    });
    let is_one = has_form && timestamp(&format!("{text}{rest}")).is_some();
    is_one.then_some(Compared::Beginning(text))
}

/// Reads a duration as CEL writes it: `1h30m`, `-1.5s`, `500ms`, `10us`, `7ns`; `0` needs no unit.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if text.len() > SCALAR_BYTES_MAX || rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let nanos: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1000,
            "ns" => 1,
            _ => return None,
        };
        total = total.checked_add(scaled(number, nanos)?)?;
        rest = behind;
    }
    from_nanos(if is_negative { -total } else { total })
}

/// `number`, which may have a fraction, times `nanos`.
fn scaled(number: &str, nanos: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(nanos)?;
    let mut scale = nanos;
    for digit in fraction.bytes() {
        scale /= 10;
        total = total.checked_add(scale * i128::from(digit.checked_sub(b'0')?))?;
    }
    Some(total)
}

/// A duration of so many nanoseconds, if it fits.
pub(super) fn from_nanos(nanos: i128) -> Option<SignedDuration> {
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = i32::try_from(nanos % 1_000_000_000).ok()?;
    Some(SignedDuration::new(seconds, rest))
}

/// The time zone called `name`: an offset, or a name of the IANA database.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "utc" | "Z" | "") {
        return Some(TimeZone::UTC);
    }
    let (sign, rest) = match name.as_bytes().first()? {
        b'-' => (-1, name.get(1..)?),
        b'+' => (1, name.get(1..)?),
        b'0'..=b'9' => (1, name),
        _ => return TimeZone::get(name).ok(),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=23).contains(&hours) || !(0..=59).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().map(TimeZone::fixed)
}

/// A part of `time` in `zone`; months, days of the month (`getDayOfMonth`) and days of the year count
/// from 0, `getDate` from 1, days of the week from Sunday as 0, as CEL has them.
pub(super) fn part(time: Timestamp, part: Part, zone: &TimeZone) -> i64 {
    let local = time.to_zoned(zone.clone());
    match part {
        Part::FullYear => i64::from(local.year()),
        Part::Month => i64::from(local.month()) - 1,
        Part::Date => i64::from(local.day()),
        Part::DayOfMonth => i64::from(local.day()) - 1,
        Part::DayOfWeek => i64::from(local.weekday().to_sunday_zero_offset()),
        Part::DayOfYear => i64::from(local.day_of_year()) - 1,
        Part::Hours => i64::from(local.hour()),
        Part::Minutes => i64::from(local.minute()),
        Part::Seconds => i64::from(local.second()),
        Part::Milliseconds => i64::from(local.millisecond()),
    }
}

/// The whole of `duration` in hours, minutes or seconds, or its milliseconds behind the seconds;
/// `None` for a part that no duration has.
pub(super) fn duration_part(duration: SignedDuration, part: Part) -> Option<i64> {
    match part {
        Part::Hours => Some(duration.as_hours()),
        Part::Minutes => Some(duration.as_mins()),
        Part::Seconds => Some(duration.as_secs()),
        Part::Milliseconds => Some(i64::from(duration.subsec_millis())),
        _ => None,
    }
}
