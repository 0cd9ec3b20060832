//! Durations and sizes as people write them in a configuration: `"1m 30s"`, `"10 GiB"`.
//!
//! A number without a unit is refused: it is how outages are configured.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A length of time, for example `"500ms"`, `"1m"`, `"30d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes, for example `"512 KiB"`, `"10GiB"`, `"1 MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write for example \"500ms\", \"30s\", \"10m\", \"1h\" or \"30d\"")]
pub struct InvalidPeriod(String);

/// A text that is no number of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size; write for example \"64 KiB\", \"1MiB\", \"10 GiB\" or \"1000 B\"")]
pub struct InvalidByteSize(String);

const PERIODS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1000)];
const SIZES: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for Period {
    type Err = InvalidPeriod;

    /// Parts add up: `1m30s` is 90 s. `min` is as good as `m`.
    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let error = || InvalidPeriod(text.chars().take(40).collect());
        let compact = text.replace(char::is_whitespace, "").replace("min", "m");
        let mut rest = compact.as_str();
        let mut sum: Option<u64> = None;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let (number, tail) = rest.split_at(digits);
            let is_unit = |(unit, _): &&(&str, u64)| {
                tail.strip_prefix(unit)
                    .is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphabetic()))
            };
            let (unit, millis) = PERIODS.iter().find(is_unit).ok_or_else(error)?;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*millis));
            sum = Some(part.and_then(|p| p.checked_add(sum.unwrap_or(0))).ok_or_else(error)?);
            rest = &tail[unit.len()..];
        }
        sum.map(|millis| Self(Duration::from_millis(millis))).ok_or_else(error)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in [PERIODS[0], PERIODS[1], PERIODS[3], PERIODS[4], PERIODS[2]] {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let error = || InvalidByteSize(text.chars().take(40).collect());
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text.split_at(digits);
        let (_, factor) = SIZES.iter().find(|(u, _)| *u == unit.trim()).ok_or_else(error)?;
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(*factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        match SIZES[..4].iter().rev().find(divides) {
            Some((unit, factor)) => write!(f, "{} {unit}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

macro_rules! written_as_text {
    ($name:ident, $title:literal, $format:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

written_as_text!(Period, "Period", "duration");
written_as_text!(ByteSize, "ByteSize", "bytes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_with_units() {
        let seconds = |text: &str| text.parse::<Period>().map(|p| p.0.as_secs_f64());
        assert_eq!(seconds("1m 30s"), Ok(90.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("10min"), Ok(600.0));
        assert_eq!(seconds("30d"), Ok(2_592_000.0));
        for bad in ["", "10", "10x", "s", "-1s", "1 minute", "99999999999999999999s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        for text in ["1m30s", "500ms", "30d", "0s", "1h"] {
            assert_eq!(text.parse::<Period>().map(|p| p.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn sizes_are_read_and_written_with_units() {
        let bytes = |text: &str| text.parse::<ByteSize>().map(|s| s.0);
        assert_eq!(bytes("10 GiB"), Ok(10 << 30));
        assert_eq!(bytes("1MB"), Ok(1_000_000));
        assert_eq!(bytes("0 B"), Ok(0));
        for bad in ["", "10", "10 g", "GiB", "-1 B", "99999999999 TiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(ByteSize(512 << 10).to_string(), "512 KiB");
        assert_eq!(ByteSize(1000).to_string(), "1000 B");
    }
}
