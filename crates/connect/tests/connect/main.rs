//! Sources against simulated clouds: whatever the cloud does, the log holds what it produced. Sinks in the
//! hand: whatever interrupts them, the target holds what they acknowledged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod amqp;
mod amqp_peer;
mod cloudstack;
mod cloudstack_clock;
mod cloudstack_site;
mod cloudstack_usage;
mod cloudstack_usage_alike;
mod cloudstack_usage_rows;
mod file;
mod fluentd;
mod forgetful;
mod hand;
mod http_peer;
mod kafka;
mod kafka_broker;
mod kafka_lost;
mod mongodb;
mod mongodb_server;
mod mqtt;
mod opensearch;
mod s3;
mod s3_bucket;
mod s3_lives;
mod site;
mod stdout;
mod vsphere;
mod vsphere_clock;
mod webhook;
