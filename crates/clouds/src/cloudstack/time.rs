//! Times as CloudStack writes and reads them.
//!
//! It prints `yyyy-MM-dd'T'HH:mm:ssZ` in the server's time zone: the offset has no colon, so that
//! no parser of RFC 3339 takes it. Usage records have forms of their own: up to 4.19 the pattern's
//! apostrophes stand around the `T` and the offset has a colon (`2023-12-06'T'09:59:59+00:00`; seen in
//! apache/cloudstack#8514, changed by #8243), and very old ones have a literal `Z` before the offset. The
//! offset is kept beside the instant, because servers before 4.18 read dates as wall
//! clock in that zone and tell it nowhere else.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};

/// A time with the offset it was printed in. Resolution: one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// The server's offset then.
    pub offset: Offset,
}

/// How a date is written into a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DateFormat {
    /// `2026-11-20T10:00:00+0000`: unambiguous, where it is understood. Servers before 4.18 or so refuse it
    /// with [`FaultKind::DateNotUnderstood`](super::FaultKind::DateNotUnderstood), or worse, read its first
    /// ten characters as a day of their own zone, from its first second to its last (`SimpleDateFormat`
    /// ignores the rest; seen in apache/cloudstack#4837).
    #[default]
    Iso,
    /// The same in this offset. Servers that cut dates to days read the day that it is there.
    IsoAt(Offset),
    /// `2026-11-20 11:00:00`, which the server reads in its own time zone, whose offset this is.
    /// In the hour that repeats when summer ends the server takes the later of two instants: look
    /// back further then.
    WallClock(Offset),
}

impl Moment {
    /// Reads a time that CloudStack printed, with or without colon, fraction, `T`, apostrophes and literal
    /// `Z`.
    pub fn parse(text: &str) -> Option<Moment> {
        let text = text.trim();
        let unquoted = text.get(10..13).filter(|between| *between == "'T'");
        let unquoted = unquoted.map(|_| text.replacen("'T'", "T", 1));
        let text = unquoted.as_deref().unwrap_or(text);
        let (clock, rest) = text.split_at_checked(19)?;
        let shape = clock.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => matches!(byte, b'T' | b' '),
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
        let clock: civil::DateTime = clock.parse().ok().filter(|_| shape)?;
        let offset = offset(without_fraction(rest).trim())?;
        Some(Moment { at: offset.to_timestamp(clock).ok()?, offset })
    }
}

impl DateFormat {
    /// The last whole second that is not after `at`: for the beginning of a window, which the
    /// server includes.
    pub fn start(self, at: Timestamp) -> String {
        match self {
            DateFormat::Iso => DateFormat::IsoAt(Offset::UTC).start(at),
            DateFormat::IsoAt(offset) => {
                let clock = offset.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S");
                let sign = if offset.is_negative() { '-' } else { '+' };
                let minutes = offset.seconds().unsigned_abs() / 60;
                format!("{clock}{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            DateFormat::WallClock(offset) => {
                offset.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
            }
        }
    }

    /// The first whole second that is not before `at`: for the end of a window, which the server
    /// includes too.
    pub fn end(self, at: Timestamp) -> String {
        let is_whole = at.subsec_nanosecond() == 0;
        let above = at.checked_add(SignedDuration::from_secs(1)).unwrap_or(at);
        self.start(if is_whole { at } else { above })
    }
}

fn without_fraction(text: &str) -> &str {
    match text.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => text,
    }
}

/// `Z`, `+0100`, `+01:00`, `+01`, `Z+0100`.
fn offset(text: &str) -> Option<Offset> {
    let text = match text.strip_prefix('Z') {
        Some("") => return Some(Offset::UTC),
        Some(rest) => rest,
        None => text,
    };
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let is_valid = matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit());
    let hours: i32 = digits.get(..2).filter(|_| is_valid)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn every_form_of_a_printed_time_is_read() {
        for (text, at, hours) in [
            ("2013-11-05T12:19:53+0100", "2013-11-05T11:19:53Z", 1),
            ("2013-11-05T12:19:53+01:00", "2013-11-05T11:19:53Z", 1),
            ("2013-11-05T12:19:53-05", "2013-11-05T17:19:53Z", -5),
            ("2013-11-05T12:19:53.123Z", "2013-11-05T12:19:53Z", 0),
            ("2013-11-05T12:19:53Z+0000", "2013-11-05T12:19:53Z", 0),
            ("2023-12-06'T'09:59:59+00:00", "2023-12-06T09:59:59Z", 0),
            ("2021-03-17'T'09:59:59-05:00", "2021-03-17T14:59:59Z", -5),
            ("2013-11-05'T'12:19:53Z+0100", "2013-11-05T11:19:53Z", 1),
            ("2015-09-04 17:59:24 +0100", "2015-09-04T16:59:24Z", 1),
        ] {
            let moment = Moment::parse(text).unwrap();
            assert_eq!(moment.at, at.parse().unwrap(), "{text}");
            assert_eq!(moment.offset, Offset::constant(hours), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2013-11-05",
            "2013-11-05T12:19:53",
            "2013-11-05T12:19:53+1",
            "2013-11-05T12:19:53+9999",
            "2013-13-05T12:19:53+0000",
            "2013-11-05T12:19:53[UTC]",
            "2013-11-05'T12:19:53+0000",
            "2013-11-05'X'12:19:53+0000",
            "-013-11-05T12:19:53+0000",
            "2013-11-05T12:19:5é+0000",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_window_is_never_narrower_than_asked_for() {
        let at: Timestamp = "2026-11-20T09:59:59.5Z".parse().unwrap();
        assert_eq!(DateFormat::Iso.start(at), "2026-11-20T09:59:59+0000");
        assert_eq!(DateFormat::Iso.end(at), "2026-11-20T10:00:00+0000");
        let format = DateFormat::IsoAt(Offset::from_seconds(-12_600).unwrap());
        assert_eq!(format.start(at), "2026-11-20T06:29:59-0330");
        let format = DateFormat::WallClock(Offset::from_seconds(19_800).unwrap());
        assert_eq!(format.start(at), "2026-11-20 15:29:59");
        assert_eq!(format.end(at), "2026-11-20 15:30:00");
    }
}
