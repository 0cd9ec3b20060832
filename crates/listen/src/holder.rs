//! Whose a connection is: the client to which its place and what it holds are counted.
//!
//! All bounds of one client are by this. It refuses to know rights; those are the principal's.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A principal that said who it is.
    Principal(String),
    /// Where nobody must: an address. One of IPv6 counts by its network, for a host has all of a /64.
    Address(IpAddr),
}

impl Holder {
    /// Whoever comes from there.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let mut segments = address.segments();
                segments[4..].fill(0);
                Ipv6Addr::from(segments).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(name) => write!(f, "principal `{name}`"),
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}
