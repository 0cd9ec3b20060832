//! Connections to systems: one folder for each, whatever it gives or takes.
//!
//! A folder holds its section of a configuration (`config`), which makes the component by the contract in
//! [`component`]; the component itself (`source`, `sink`), which makes one attempt and says what happened; and a
//! pure `map` from the system's record to an event. Requests and answers are `clouds`' business; when to try
//! again is `runtime`'s. What several have in common is called for what it is for: [`outbound`], what sinks hand over;
//! [`endpoint`], how a system is reached; `inbound`, what sources remember.

pub mod amqp;
pub mod cloudstack;
pub mod component;
pub mod endpoint;
pub mod file;
pub mod fluentd;
mod inbound;
pub mod kafka;
pub mod mongodb;
pub mod mqtt;
pub mod opensearch;
pub mod outbound;
pub mod rabbitmq;
pub mod s3;
pub mod stdout;
pub mod vsphere;
pub mod webhook;
