//! What sinks hand over, whatever their targets are: an event as a message, the names of topics and files that are made
//! from it, and what a target says to each.
//!
//! It refuses connections; those are [`endpoint`](crate::endpoint)'s.

pub(crate) mod cloudstack_bus;
pub mod message;
pub mod name_template;
pub(crate) mod object_name;
pub mod per_event;
