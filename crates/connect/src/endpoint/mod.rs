//! How a system is reached: its address, who we are there, and a connection that is kept alive.
//!
//! It refuses protocols beyond that; each folder of a system speaks its own.

pub mod broker;
pub(crate) mod http;
pub(crate) mod keepalive;
