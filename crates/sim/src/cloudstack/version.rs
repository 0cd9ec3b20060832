//! The releases of CloudStack that are simulated.
//!
//! What a release knows is said where it matters: the API, its table, and recordings ask for the release, so it lies
//! below all of them. It refuses releases in between: those here are where answers to clients changed.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;

/// A release of CloudStack; later ones know more parameters and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Version {
    /// 4.9: events know no resources, dates are wall clocks, `parentid` is `"0"` if there is none.
    #[serde(rename = "4.9")]
    V4_9,
    /// 4.17: events know their resources.
    #[serde(rename = "4.17")]
    V4_17,
    /// 4.20: dates may carry an offset; archived events can be listed.
    #[serde(rename = "4.20")]
    V4_20,
    /// 4.22: events can be listed by state.
    #[serde(rename = "4.22")]
    V4_22,
}

impl Version {
    /// All releases that are simulated.
    pub const ALL: [Self; 4] = [Self::V4_9, Self::V4_17, Self::V4_20, Self::V4_22];

    /// The full number, as `listCapabilities` tells it.
    pub fn full(self) -> &'static str {
        match self {
            Self::V4_9 => "4.9.3.1",
            Self::V4_17 => "4.17.2.0",
            Self::V4_20 => "4.20.1.0",
            Self::V4_22 => "4.22.0.0",
        }
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|version| version.to_string() == text)
            .ok_or_else(|| Error::CloudStackVersion(text.to_owned()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4_9 => "4.9",
            Self::V4_17 => "4.17",
            Self::V4_20 => "4.20",
            Self::V4_22 => "4.22",
        })
    }
}
