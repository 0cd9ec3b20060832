//! The vSphere client and its event decoder, from the outside.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::panic, reason = "a wrong variant is a failed test")]

mod client;
mod decode;
mod fixtures;
mod hostile;
mod live;
