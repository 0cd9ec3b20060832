//! Why a simulated vCenter does not start.

use std::net::SocketAddr;

/// An error of the simulator itself; faults of the simulated API are answers, not errors.
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
    /// The rate is negative, not a number, or beyond what the simulator can make.
    #[error("rate {0} is not between 0 and {max} events per second", max = super::RATE_MAX)]
    Rate(f64),
}
