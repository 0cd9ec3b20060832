//! Numbers and times as Go reads them from XML and prints them in JSON.
//!
//! Each function returns `None` for a text that is not of its kind; the caller keeps the text.

use std::borrow::Cow;

/// What Go prints for a time that was never set.
pub(super) const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// A whole number of at most 64 bits, without sign or zeros that say nothing. No text is zero.
pub(super) fn int(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.len() {
        0 if text.is_empty() => Some(Cow::Borrowed("0")),
        1..=18 if plain => Some(Cow::Borrowed(text)),
        _ => {
            let number: i128 = text.parse().ok()?;
            let fits = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number);
            fits.then(|| Cow::Owned(number.to_string()))
        }
    }
}

/// The spellings that Go's parser takes. No text is false.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Some(true),
        "false" | "0" | "f" | "F" | "FALSE" | "False" | "" => Some(false),
        _ => None,
    }
}

/// A number with 64 bits.
pub(super) fn double(text: &str) -> Option<String> {
    let number: f64 = or_zero(text).parse().ok()?;
    let size = number.abs();
    let scientific = size != 0.0 && !(1e-6..1e21).contains(&size);
    let printed = if scientific { format!("{number:e}") } else { number.to_string() };
    number.is_finite().then(|| signed_exponent(printed))
}

/// A number with 32 bits: the shortest text that reads back as the same 32 bits.
pub(super) fn float(text: &str) -> Option<String> {
    let number: f32 = or_zero(text).parse().ok()?;
    let size = number.abs();
    let scientific = size != 0.0 && !(1e-6..1e21).contains(&size);
    let printed = if scientific { format!("{number:e}") } else { number.to_string() };
    number.is_finite().then(|| signed_exponent(printed))
}

fn or_zero(text: &str) -> &str {
    match text.trim() {
        "" => "0",
        text => text,
    }
}

/// Rust writes `1e21`, Go `1e+21`.
fn signed_exponent(printed: String) -> String {
    match printed.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => printed,
    }
}

/// RFC 3339 without zeros at the end of the fraction, and `Z` for an offset of nothing.
pub(super) fn time(text: &str) -> Option<Cow<'_, str>> {
    let (date, rest) = text.split_at_checked(19)?;
    if !is_date(date.as_bytes()) {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
            rest.split_at(end)
        }
        None => ("", rest),
    };
    // Go keeps nanoseconds.
    let kept = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let zone = match zone {
        "Z" | "+00:00" | "-00:00" => "Z",
        zone if is_offset(zone.as_bytes()) => zone,
        _ => return None,
    };
    if kept.len() == fraction.len() && text.ends_with(zone) {
        return Some(Cow::Borrowed(text));
    }
    let dot = if kept.is_empty() { "" } else { "." };
    Some(Cow::Owned(format!("{date}{dot}{kept}{zone}")))
}

fn is_date(date: &[u8]) -> bool {
    let digits = b"0000-00-00T00:00:00";
    let shaped = date.iter().zip(digits).all(|(found, wanted)| match wanted {
        b'0' => found.is_ascii_digit(),
        _ => found == wanted,
    });
    let two = |at: usize| (date[at] - b'0') * 10 + date[at + 1] - b'0';
    shaped
        && (1..=12).contains(&two(5))
        && (1..=31).contains(&two(8))
        && two(11) < 24
        && two(14) < 60
        && two(17) < 60
}

fn is_offset(zone: &[u8]) -> bool {
    let [b'+' | b'-', h1, h2, b':', m1, m2] = zone else { return false };
    [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_normalised_or_refused() {
        let cases = [
            ("7", Some("7")),
            ("-12", Some("-12")),
            (" 7 ", Some("7")),
            ("", Some("0")),
            ("007", Some("7")),
            ("+7", Some("7")),
            ("-0", Some("0")),
            ("0", Some("0")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("18446744073709551616", None),
            ("1.5", None),
            ("x", None),
            ("-", None),
            ("1 2", None),
        ];
        for (text, expected) in cases {
            assert_eq!(int(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_printed_as_go_does() {
        let cases = [
            ("1.50", Some("1.5")),
            ("3", Some("3")),
            ("1e21", Some("1e+21")),
            ("1e20", Some("100000000000000000000")),
            ("0.0000001", Some("1e-7")),
            ("NaN", None),
            ("INF", None),
            ("", Some("0")),
        ];
        for (text, expected) in cases {
            assert_eq!(double(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(float("0.1").as_deref(), Some("0.1"));
    }

    #[test]
    fn times_lose_what_says_nothing() {
        let cases = [
            ("2024-02-29T23:59:58.123456Z", Some("2024-02-29T23:59:58.123456Z")),
            ("2024-02-29T23:59:58.120Z", Some("2024-02-29T23:59:58.12Z")),
            ("2024-02-29T23:59:58.000+00:00", Some("2024-02-29T23:59:58Z")),
            ("2024-02-29T23:59:58+02:00", Some("2024-02-29T23:59:58+02:00")),
            ("2024-02-29T23:59:58", None),
            ("2024-13-29T23:59:58Z", None),
            ("now", None),
            ("", None),
            ("2024-02-29T23:59:58.Z", None),
            ("2024-02-2éT23:59:58Z", None),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text).as_deref(), expected, "{text:?}");
        }
    }
}
