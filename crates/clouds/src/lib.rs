//! Clients of the clouds' own APIs: requests and replies, nothing else.
//!
//! Each module speaks one cloud's protocol: it sends one request, reads one answer, and gives a
//! typed result. It holds no loop, no retry and no state beyond the session's cookie, because
//! `runtime` owns the first two and the log the third; that also makes each call testable alone.
//!
//! - [`cloudstack`]: Apache CloudStack's signed HTTP API and the decoder of its events.
//! - [`vsphere`]: vCenter's SOAP API and the decoder of its events.

pub mod cloudstack;
mod telling;
pub mod vsphere;

pub use telling::looks_secret;
