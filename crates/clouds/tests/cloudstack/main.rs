//! The CloudStack client and its decoders, from the outside.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::panic, reason = "a wrong variant is a failed test")]

mod answers;
mod calls;
mod events;
mod hostile;
mod lists;
mod recordings;
mod server;
mod sign;
