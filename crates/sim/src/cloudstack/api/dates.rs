//! Dates as the server reads and prints them: whole seconds, in its own time zone.
//!
//! Wall clocks are read leniently as Java does: in the hour that occurs twice, the later one. Dates
//! with an offset are understood by newer releases only; older ones read the day that they begin with, in
//! the server's zone, and ignore the rest.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::call::{ApiError, Call};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::version::Version;

/// What a date without a time of day means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayEdge {
    /// 00:00:00
    Start,
    /// 23:59:59
    End,
}

/// Reads a parameter that is a date; seconds since 1970.
pub(crate) fn parameter(
    cloud: &Cloud,
    call: &Call<'_>,
    name: &str,
    edge: DayEdge,
) -> Result<Option<i64>, ApiError> {
    let Some(text) = call.text(name) else { return Ok(None) };
    let by_offset = (cloud.version >= Version::V4_20).then(|| parse_with_offset(text)).flatten();
    let time = by_offset.or_else(|| parse_wall_clock(text, &cloud.zone, edge));
    let day = || text.trim().get(..10).filter(|_| cloud.version < Version::V4_20);
    let time = time.or_else(|| parse_wall_clock(day()?, &cloud.zone, edge));
    let time = time.ok_or_else(|| {
        ApiError::parameter(format!(
            "Unable to parse date {text} for command {}, please pass dates in the format \
             mentioned in the api documentation",
            call.command.name
        ))
    })?;
    Ok(Some(time.as_second()))
}

/// `2026-11-20T12:00:00+0100`, also with `Z`, a colon in the offset, or a fraction.
pub(crate) fn parse_with_offset(text: &str) -> Option<Timestamp> {
    // A plus that was not encoded arrives as a space.
    let text = text.trim().replace(' ', "+");
    let text = text.strip_suffix('Z').map_or(text.clone(), |head| format!("{head}+0000"));
    [
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%dT%H:%M:%S%:z",
        "%Y-%m-%dT%H:%M:%S%.f%z",
        "%Y-%m-%dT%H:%M:%S%.f%:z",
    ]
    .into_iter()
    .find_map(|format| strtime::parse(format, &text).ok()?.to_timestamp().ok())
}

/// `2026-11-20 12:00:00` or `2026-11-20`, in the server's time zone.
fn parse_wall_clock(text: &str, zone: &TimeZone, edge: DayEdge) -> Option<Timestamp> {
    let text = text.trim();
    let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok().or_else(|| {
        let date = Date::strptime("%Y-%m-%d", text).ok()?;
        Some(match edge {
            DayEdge::Start => date.at(0, 0, 0, 0),
            DayEdge::End => date.at(23, 59, 59, 0),
        })
    })?;
    zone.to_ambiguous_timestamp(time).later().ok()
}

/// Writes a time as the API prints it: `2026-11-20T12:00:00+0100`.
pub(crate) fn write(time: Timestamp, zone: &TimeZone, out: &mut String) {
    let offset = zone.to_offset(time);
    let time = offset.to_datetime(time);
    let year = time.year().unsigned_abs();
    two(year / 100, out);
    two(year % 100, out);
    for (mark, value) in [
        ('-', time.month()),
        ('-', time.day()),
        ('T', time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ] {
        out.push(mark);
        two(value.unsigned_abs().into(), out);
    }
    out.push(if offset.is_negative() { '-' } else { '+' });
    let minutes = offset.seconds().unsigned_abs() / 60;
    for value in [minutes / 60, minutes % 60] {
        two(u16::try_from(value).unwrap_or_default(), out);
    }
}

/// Writes two digits. A page has thousands of them: formatting machinery would cost more than all
/// the rest.
fn two(value: u16, out: &mut String) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

/// A time as the API prints it.
pub(crate) fn printed(cloud: &Cloud, time: Timestamp) -> String {
    let mut out = String::with_capacity(24);
    write(time, &cloud.zone, &mut out);
    out
}

/// A time as usage records have it: before 4.20 the pattern's apostrophes are printed, and the offset has
/// a colon (`2023-12-06'T'09:59:59+00:00`; apache/cloudstack#8243 changed it).
pub(crate) fn of_usage(cloud: &Cloud, time: Timestamp) -> String {
    let text = printed(cloud, time);
    match (text.split_once('T'), text.len()) {
        (Some((day, rest)), bytes) if cloud.version < Version::V4_20 && rest.len() > 2 => {
            let (clock, minutes) = rest.split_at(bytes - day.len() - 3);
            format!("{day}'T'{clock}:{minutes}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::{DayEdge, parse_wall_clock, parse_with_offset, write};

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn printed(time: &str) -> String {
        let mut out = String::new();
        write(time.parse::<Timestamp>().unwrap(), &berlin(), &mut out);
        out
    }

    #[test]
    fn times_are_printed_with_the_offset_of_the_season() {
        assert_eq!(printed("2026-07-01T10:00:07Z"), "2026-07-01T12:00:07+0200");
        assert_eq!(printed("2026-12-01T10:00:00Z"), "2026-12-01T11:00:00+0100");
    }

    #[test]
    fn a_wall_clock_that_occurs_twice_means_the_later_time() {
        let read = |text| parse_wall_clock(text, &berlin(), DayEdge::End).unwrap().to_string();
        assert_eq!(read("2026-10-25 02:30:00"), "2026-10-25T01:30:00Z");
        assert_eq!(read("2026-10-25"), "2026-10-25T22:59:59Z");
        assert_eq!(read("2026-10-25 01:30:00"), "2026-10-24T23:30:00Z");
    }

    #[test]
    fn every_spelling_of_an_offset_is_understood() {
        for text in [
            "2026-11-20T12:00:00+0100",
            "2026-11-20T12:00:00 0100",
            "2026-11-20T12:00:00+01:00",
            "2026-11-20T11:00:00Z",
            "2026-11-20T12:00:00.000+0100",
        ] {
            let time = parse_with_offset(text).unwrap();
            assert_eq!(time.to_string(), "2026-11-20T11:00:00Z", "{text}");
        }
        assert_eq!(parse_with_offset("2026-11-20 12:00:00"), None);
    }
}
