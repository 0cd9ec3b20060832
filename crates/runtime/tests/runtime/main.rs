//! The supervisor keeps its promises, whatever a component does. Time is paused.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod drain;
mod history;
mod letters;
mod noted;
mod resume;
mod scripted;
mod seek;
mod settlement;
mod sinks;
mod sources;
mod storing;
mod target;
