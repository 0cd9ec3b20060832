//! What a CloudStack's events in a log are to a simulated one: rows, and ids that were found for them.

use jiff::Timestamp;
use pluvio_connect::cloudstack::redact_recorded;
use pluvio_event::Event;
use pluvio_sim::cloudstack::{Captured, Recording};

use super::recorded::{Recorder, extension};

impl Recorder for Recording {
    const PREFIX: &'static str = "org.apache.cloudstack.";
    const CLOUD: &'static str = "CloudStack";
    const FOREIGN: &'static [(&'static str, &'static str)] = &[
        ("org.apache.cloudstack.malformed", "is what could not be read of an answer, no event"),
        ("org.apache.cloudstack.usage", "is a usage tick, which is not replayed"),
        ("org.apache.cloudstack.usagerecord", "is a usage record, which is not replayed"),
    ];

    fn take(&mut self, event: &Event, data: &str, time: Timestamp) -> Result<usize, String> {
        let redacted = redact_recorded(data);
        let (row, count) = match &redacted {
            Some((row, count)) => (row.as_str(), *count),
            None => (data, 0),
        };
        let (account_id, user_id) = (extension(event, "accountid"), extension(event, "userid"));
        let captured = Captured { row, time, account_id, user_id };
        self.add(captured).map(|()| count).map_err(|why| why.to_string())
    }
}
