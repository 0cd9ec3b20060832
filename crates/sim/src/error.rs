//! Why a simulated cloud does not start.

use std::net::SocketAddr;

/// The most events per second that a workload is asked to make.
pub const RATE_MAX: f64 = 20_000.0;
/// The greatest speed: a year in half a minute. All at once is a beginning at the end.
pub const SPEED_MAX: f64 = 1e6;

/// An error of the simulator itself; faults of a simulated API are answers, not errors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The version of the API is not up to four numbers with dots.
    #[error("api version `{0}` is not of the form 8.0.3.0")]
    ApiVersion(String),
    /// The version is not one that the simulated CloudStack knows.
    #[error("cloudstack version `{0}` is not simulated; valid: 4.9, 4.17, 4.20, 4.22")]
    CloudStackVersion(String),
    /// The time zone is not in the form of POSIX, which needs no database of zones.
    #[error("time zone `{0}` is not of the form CET-1CEST,M3.5.0,M10.5.0/3")]
    TimeZone(String),
    /// A file of the certificate or its key cannot be read.
    #[error("failed to read `{}`; it must be a PEM file: {reason}", path.display())]
    Pem {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it. The reader's own words quote the file, and it may be a key.
        reason: String,
    },
    /// The certificate and the key cannot be used together.
    #[error("the certificate and its key cannot be used")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// No certificate was made.
    #[error("failed to make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The rate is negative, not a number, or beyond what the simulator can make.
    #[error("rate {0} is not between 0 and {RATE_MAX} events per second")]
    Rate(f64),
    /// The speed of a recording is not positive, not a number, or endless.
    #[error("speed {0} is not a number above 0, at most {SPEED_MAX}")]
    Speed(f64),
}

/// Refuses a rate that no workload can keep.
pub(crate) fn check_rate(rate: f64) -> Result<(), Error> {
    if (0.0..=RATE_MAX).contains(&rate) { Ok(()) } else { Err(Error::Rate(rate)) }
}
