//! Connections to systems: one folder for each, whatever it gives or takes.
//!
//! A folder holds its section of a configuration (`config`), which makes the component by the contract in
//! [`component`]; the component itself (`source`, `sink`), which makes one attempt and says what happened; and a
//! pure `map` from the system's record to an event. Requests and answers are `clouds`' business; when to try
//! again is `runtime`'s. [`message`] and [`template`] are what sinks of unlike systems have in common.

pub mod amqp;
pub mod cloudstack;
pub mod component;
pub mod fate;
pub mod file;
pub mod fluentd;
pub mod kafka;
mod kept;
mod mark;
pub mod message;
pub mod mongodb;
pub mod mqtt;
mod name;
pub mod opensearch;
pub mod peer;
pub mod rabbitmq;
mod remembered;
pub mod s3;
pub mod stdout;
pub mod template;
pub mod vsphere;
mod web;
pub mod webhook;
