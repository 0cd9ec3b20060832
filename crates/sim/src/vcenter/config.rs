//! What a simulated vCenter is started with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use uuid::Uuid;

use super::recording::Recording;
use crate::error::Error;
use crate::http::Tls;

/// Settings of a simulated vCenter; the default is a quiet cloud of 200 machines.
#[derive(Debug, Clone)]
pub struct VCenterConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether clients speak TLS there, and to whom; `None`: they do not.
    pub tls: Option<Tls>,
    /// Decides the inventory and the sequence of operations.
    pub seed: u64,
    /// How many virtual machines there are; the workload keeps it near this.
    pub machines: usize,
    /// How many events the workload makes per second; 0 for none.
    pub events_per_second: f64,
    /// How many events the history remembers; `None` for all.
    pub history_events_max: Option<usize>,
    /// How many events have already happened at the start.
    pub backlog_events: usize,
    /// Over how much of the past the backlog is spread.
    pub backlog_span: Duration,
    /// The key of the first event.
    pub first_key: i32,
    /// The only accepted user; `None` accepts any that is not empty.
    pub username: Option<String>,
    /// The only accepted password; `None` accepts any that is not empty.
    pub password: Option<String>,
    /// The version of the API that the cloud claims to speak.
    pub api_version: String,
    /// The identity of the cloud; `None` derives it from the seed.
    pub instance_uuid: Option<Uuid>,
    /// What happens instead of the workload, the backlog and the inventory that the seed makes.
    pub recording: Option<Recording>,
}

impl Default for VCenterConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            seed: 1,
            machines: 200,
            events_per_second: 2.0,
            history_events_max: None,
            backlog_events: 0,
            backlog_span: Duration::from_secs(24 * 60 * 60),
            first_key: 1,
            username: None,
            password: None,
            api_version: "8.0.3.0".to_owned(),
            instance_uuid: None,
            recording: None,
        }
    }
}

/// A version of the API: four numbers, missing ones are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(pub(crate) [u16; 4]);

/// The first version whose events may carry an `auditId`.
pub(crate) const AUDIT_SINCE: ApiVersion = ApiVersion([9, 1, 0, 0]);

impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::ApiVersion(text.to_owned());
        let mut numbers = [0; 4];
        let mut parts = text.split('.');
        for (number, part) in numbers.iter_mut().zip(parts.by_ref()) {
            *number = part.parse().map_err(|_| refuse())?;
        }
        if parts.next().is_some() || numbers[0] == 0 {
            return Err(refuse());
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::ApiVersion;

    #[test]
    fn versions_compare_by_their_numbers() {
        let version = |text: &str| text.parse::<ApiVersion>().unwrap();
        assert!(version("8.0.10.0") > version("8.0.3.0"));
        assert_eq!(version("7.0"), version("7.0.0.0"));
        assert!("seven".parse::<ApiVersion>().is_err());
        assert!("1.2.3.4.5".parse::<ApiVersion>().is_err());
    }
}
