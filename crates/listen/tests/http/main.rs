//! The HTTP listener from outside: a real socket on loopback, a memory log behind it.
//!
//! Everything here is what a client can see. Tests wait for conditions, under one deadline; the
//! listener's own limits of time are shortened where a test is about them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod access;
mod browsers;
mod client;
#[path = "../shared/counting.rs"]
mod counting;
mod damage;
mod drain;
mod filters;
mod health;
mod hostile;
mod house;
mod limits;
mod loss;
mod pages;
mod peer;
mod protocol;
mod room;
mod sharing;
mod sse;
mod tenants;
mod tls;
mod watches;
