//! Simulated clouds that behave like the real ones, faults included.
//!
//! They exist for three readers: the tests of the repository, the demo that runs on a laptop, and a
//! user who wants to try an integration before pointing it at production. Each cloud speaks its
//! vendor's protocol over real sockets, so that public clients work against it too. What happens in it
//! is made up by a workload, or it is a recording of what happened in a real one.
//!
//! This crate has its own view of every protocol and shares no code with Pluvio's clients: a
//! misreading shared by both sides would make every test pass and every real cloud fail. It refuses
//! to be a complete emulation: it answers what event capture and its neighbors ask, and faults
//! honestly on the rest.

mod clock;
pub mod cloudstack;
mod control;
mod error;
mod http;
mod replay;
mod seed;
mod shared;
mod ticker;
pub mod vcenter;

pub use cloudstack::{CloudStack, CloudStackConfig};
pub use error::{Error, RATE_MAX, SPEED_MAX};
pub use http::Tls;
pub use replay::Progress;
pub use vcenter::{Fault, Malformation, Produced, Restart, Status, VCenter, VCenterConfig};
