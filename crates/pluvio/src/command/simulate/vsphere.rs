//! What a vCenter's events in a log are to a simulated one: class, category and data.

use jiff::Timestamp;
use pluvio_clouds::vsphere::redact_recorded;
use pluvio_event::Event;
use pluvio_sim::vcenter::{Captured, Recording};

use super::recorded::{Recorder, extension};

/// What stands behind the class or id in an event's `type`.
const SUFFIX: &str = ".v0";

impl Recorder for Recording {
    const PREFIX: &'static str = "com.vmware.vsphere.";
    const CLOUD: &'static str = "vCenter";
    const FOREIGN: &'static [(&'static str, &'static str)] =
        &[("com.vmware.vsphere.malformed.v0", "is what could not be read of an answer, no event")];

    fn take(&mut self, event: &Event, data: &str, time: Timestamp) -> Result<usize, String> {
        let redacted = redact_recorded(data);
        let (data, count) = match &redacted {
            Some((data, count)) => (data.as_str(), *count),
            None => (data, 0),
        };
        let kind = event.event_type().strip_prefix(Self::PREFIX).unwrap_or_default();
        let class = match extension(event, "eventclass") {
            Some("eventex") => "EventEx",
            Some("extendedevent") => "ExtendedEvent",
            _ => kind.strip_suffix(SUFFIX).unwrap_or(kind),
        };
        let category = match extension(event, "severitytext") {
            Some("ERROR" | "FATAL") => Some("error"),
            Some("WARN") => Some("warning"),
            Some(_) => Some("info"),
            None => None,
        };
        let captured = Captured { class, category, time, data };
        self.add(captured).map(|()| count).map_err(|why| why.to_string())
    }
}
