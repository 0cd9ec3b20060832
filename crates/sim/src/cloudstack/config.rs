//! What a simulated CloudStack is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;

use super::recording::Recording;
use super::version::Version;
use crate::http::Tls;

/// Settings of a simulated CloudStack; the default is a quiet cloud of 60 machines.
#[derive(Debug, Clone)]
pub struct CloudStackConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether clients speak TLS there, and to whom; `None`: they do not.
    pub tls: Option<Tls>,
    /// Where to listen without asking for signatures (`integration.api.port`); `None` for nowhere.
    pub integration_listen: Option<SocketAddr>,
    /// Decides identifiers, the inventory and the sequence of operations.
    pub seed: u64,
    /// The release that it behaves like.
    pub version: Version,
    /// How many virtual machines there are; the workload keeps it near this.
    pub machines: usize,
    /// How many events the workload makes per second; 0 for none.
    pub events_per_second: f64,
    /// How many events have already happened at the start.
    pub backlog_events: usize,
    /// Over how much of the past the backlog is spread.
    pub backlog_span: Duration,
    /// The time zone of the server in POSIX form; times are printed, and wall clocks read, in it.
    pub time_zone: String,
    /// The time at which the clock stands until it is advanced; `None` follows the machine's clock.
    /// While it stands the workload rests and jobs wait.
    pub starts_at: Option<Timestamp>,
    /// Whether answers carry a `Date`. The embedded server of 4.11 and later sends none
    /// (`setSendDateHeader(false)` in `ServerDaemon`); a proxy before it may add one.
    pub sends_date: bool,
    /// The largest page of any list (`default.page.size`).
    pub page_rows_max: usize,
    /// Whether there is a service offering whose size is asked for with each machine. Real servers
    /// have one only if somebody made it, and some public clients cannot read it.
    pub custom_offering: bool,
    /// How long an asynchronous job takes.
    pub job_duration: Duration,
    /// How many of one hundred operations of the workload fail.
    pub failures_percent: u8,
    /// The limit of calls per account (`api.throttling.*`); root admins are exempt.
    pub throttle: Option<Throttle>,
    /// Age at which events are purged (`event.purge.delay`); `None` for never.
    pub event_purge_delay: Option<Duration>,
    /// What happens instead of the workload, the backlog and the machines; with it come the people and the
    /// time zone.
    pub recording: Option<Recording>,
}

impl Default for CloudStackConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            integration_listen: None,
            seed: 1,
            version: Version::V4_20,
            machines: 60,
            events_per_second: 2.0,
            backlog_events: 0,
            backlog_span: Duration::from_secs(24 * 60 * 60),
            time_zone: "CET-1CEST,M3.5.0,M10.5.0/3".to_owned(),
            starts_at: None,
            sends_date: false,
            page_rows_max: 500,
            custom_offering: false,
            job_duration: Duration::from_secs(1),
            failures_percent: 4,
            throttle: None,
            event_purge_delay: Some(Duration::from_secs(15 * 24 * 60 * 60)),
            recording: None,
        }
    }
}

/// The limit of calls per account, counted in fixed intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Length of the interval.
    pub interval: Duration,
    /// Calls that an account may make in it.
    pub calls_max: u32,
}
