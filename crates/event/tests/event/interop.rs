//! Against `cloudevents-sdk`, an independent implementation of the envelope.

use cloudevents::{AttributesReader, EventBuilder, EventBuilderV10};
use pluvio_event::json;

use crate::vm_powered_on;

#[test]
fn what_we_write_the_sdk_reads() {
    let ours = vm_powered_on();
    let theirs: cloudevents::Event = serde_json::from_slice(&json::to_vec(&ours)).unwrap();
    assert_eq!(theirs.id(), ours.id());
    assert_eq!(theirs.source().as_str(), ours.source());
    assert_eq!(theirs.ty(), ours.event_type());
    assert_eq!(theirs.subject(), ours.subject());
    assert_eq!(theirs.extension("eventclass").unwrap().to_string(), "event");
    let nanos = theirs.time().unwrap().timestamp_nanos_opt().unwrap();
    assert_eq!(i128::from(nanos), ours.time().unwrap().as_nanosecond());
}

#[test]
fn what_the_sdk_writes_we_read() {
    let theirs = EventBuilderV10::new()
        .id("a-1")
        .source("https://cloud.example.org/client/api")
        .ty("org.apache.cloudstack.VM.CREATE")
        .subject("VirtualMachine/5")
        .extension("account", "admin")
        .data("application/json", serde_json::json!({"a": [1, 2, {"b": null}]}))
        .build()
        .unwrap();
    let ours = json::decode(&serde_json::to_vec(&theirs).unwrap()).unwrap();
    assert_eq!(ours.id(), "a-1");
    assert_eq!(ours.subject(), Some("VirtualMachine/5"));
    assert_eq!(ours.extension("account").unwrap().to_string(), "admin");
    let data: serde_json::Value = serde_json::from_slice(ours.data().unwrap().as_bytes()).unwrap();
    assert_eq!(data, serde_json::json!({"a": [1, 2, {"b": null}]}));
}

#[test]
fn binary_data_crosses_in_both_directions() {
    let theirs = EventBuilderV10::new()
        .id("b")
        .source("urn:x")
        .ty("t")
        .data("application/octet-stream", vec![0_u8, 159, 146, 150])
        .build()
        .unwrap();
    let ours = json::decode(&serde_json::to_vec(&theirs).unwrap()).unwrap();
    assert_eq!(ours.data().unwrap().as_bytes(), [0, 159, 146, 150]);
    let back: cloudevents::Event = serde_json::from_slice(&json::to_vec(&ours)).unwrap();
    assert_eq!(back.data(), theirs.data());
}
