//! The harness of the end-to-end tests and the benchmarks: real servers, watched from outside.
//!
//! ```text
//!  Stage (folder, seed)
//!    ├─ Tools      what is installed once, into a cache outside the checkout
//!    ├─ Vcsim ◀────── Govc, Soap, PowerStorm        who make events
//!    ├─ Simulator ◀── its control URL               who makes events and trouble
//!    ├─ Pluvio ─────▶ Watch, Collector, http        who look at what came out
//!    └─ RabbitMq, Artemis, … ──▶ arrived::Message   where it is delivered, and what came there
//! ```
//!
//! Whatever starts is a guard: it listens on a free loopback port, works in its scenario's folder,
//! leaves its output there, and is stopped by process id when it is dropped.
//!
//! It refuses to use Pluvio's own code. The HTTP and SOAP spoken here are written anew, for a test
//! that shares its subject's mistakes cannot see them. It also refuses to wait for time to pass:
//! [`wait`] asks for a condition until a deadline.

pub mod arrived;
mod clients;
pub mod feed;
pub mod folder;
pub mod http;
pub mod kafka;
pub mod process;
pub mod relay;
pub mod servers;
pub mod soap;
pub mod stage;
pub mod tls;
pub mod tools;
pub mod wait;

pub use clients::Follower;
