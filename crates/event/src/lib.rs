//! The event: what Pluvio captures, stores and hands on.
//!
//! One shape for all clouds, [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md),
//! because every system that Pluvio writes to has a published binding for it. This crate knows the
//! envelope ([`Event`]), its encodings ([`json`] for storage, [`http`] and [`kafka`] for the wire)
//! how to choose events ([`filter`]), and how a stranger's text is shown ([`shown`]).
//!
//! `data` belongs to the cloud: it is carried as the bytes that came, never parsed and written
//! again, so that large numbers, key order and unknown fields survive.
//!
//! It refuses to know any cloud, to do I/O, or to read a clock.

mod attribute;
mod data;
mod envelope;
pub mod filter;
pub mod http;
pub mod json;
pub mod kafka;
pub mod known;
mod surrogate;
mod text;

pub use attribute::{AttributeName, AttributeNameError, AttributeValue};
pub use data::{Data, DataError, Json};
pub use envelope::{Event, EventBuilder, InvalidEvent};
pub use filter::{Filter, FilterError, Pattern, hint};
pub use surrogate::whole_characters;
pub use text::{shown, shown_lines};
