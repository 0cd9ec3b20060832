//! Encoding and decoding give the same event, whatever its attributes hold; hostile input is an
//! error and never a panic.

use pluvio_event::{AttributeName, AttributeValue, Data, Event, http, json, kafka};
use proptest::prelude::*;

use crate::{name, vm_powered_on};

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Boolean),
        any::<i32>().prop_map(AttributeValue::Integer),
        ".*".prop_map(AttributeValue::String),
    ]
}

fn data() -> impl Strategy<Value = Option<Data>> {
    let numbers = "[0-9]{1,40}".prop_map(|digits| format!("[1{digits},{{\"b\":1.50,\"a\":null}}]"));
    prop_oneof![
        Just(None),
        numbers.prop_map(|text| Some(Data::json(text).unwrap())),
        ".*".prop_map(|text| Some(Data::json(serde_json::to_string(&text).unwrap()).unwrap())),
        proptest::collection::vec(any::<u8>(), 1..64)
            .prop_map(|bytes| Some(Data::Binary(bytes.into()))),
    ]
}

prop_compose! {
    fn event()(
        (id, source, event_type) in (".+", ".+", ".+"),
        subject in proptest::option::of(".+"),
        second in proptest::option::of(-377_705_116_800_i64..253_402_207_200),
        extensions in proptest::collection::btree_map("x[a-z0-9]{1,19}", value(), 0..4),
        data in data(),
    ) -> Event {
        let mut event = Event::builder(id, source, event_type);
        if let Some(subject) = subject { event = event.subject(subject); }
        if let Some(second) = second {
            event = event.time(jiff::Timestamp::from_second(second).unwrap());
        }
        for (key, value) in extensions {
            event = event.extension(AttributeName::new(&key).unwrap(), value);
        }
        if let Some(data) = data { event = event.data(data); }
        event.build().unwrap()
    }
}

proptest! {
    #[test]
    fn structured_json_gives_the_same_event(event in event()) {
        prop_assert_eq!(json::decode(&json::to_vec(&event)).unwrap(), event);
    }

    #[test]
    fn structured_kafka_messages_give_the_same_event(event in event()) {
        prop_assert_eq!(kafka::from_message(&kafka::to_structured(&event)).unwrap(), event);
    }

    #[test]
    fn a_spliced_event_is_the_same_event_with_two_more_attributes(event in event(), offset: u64) {
        let mut line = Vec::new();
        json::splice(&json::to_vec(&event), offset, "2026-11-20T10:00:00Z", &mut line);
        let read = json::decode(&line).unwrap();
        prop_assert_eq!(read.extension("sequence"), Some(&format!("{offset:020}").into()));
        prop_assert_eq!(read.data(), event.data());
        prop_assert_eq!(read.id(), event.id());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _refused = json::decode(&bytes);
    }
}

#[test]
fn binary_modes_keep_attributes_and_payload_but_not_the_types_of_extensions() {
    let event = vm_powered_on();
    let http = http::to_binary(&event);
    let headers = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let from_kafka = kafka::from_message(&kafka::to_binary(&event)).unwrap();
    for read in [http::from_binary(headers, &http.body).unwrap(), from_kafka] {
        assert_eq!(read.subject(), event.subject());
        assert_eq!(read.time(), event.time());
        assert_eq!(read.data(), event.data());
        assert_eq!(read.extension("severitynumber"), Some(&"9".into()));
    }
}

#[test]
fn header_values_are_percent_encoded_and_back() {
    let event = Event::builder("1", "urn:x", "t")
        .subject("Folder/50% \"käse\"\n")
        .extension(name("note"), "%zz")
        .build()
        .unwrap();
    let binary = http::to_binary(&event);
    assert!(
        binary.headers.contains(&("ce-subject".into(), "Folder/50%25%20%22k%C3%A4se%22%0A".into()))
    );
    let headers = binary.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(http::from_binary(headers, b"").unwrap(), event);
}

#[test]
fn what_is_no_event_is_refused_with_the_reason() {
    let cause = |text: &str| {
        let error = json::decode(text.as_bytes()).unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    };
    let cases = [
        (r#"{"id":"1","source":"s","type":"t"}"#, "`specversion` is missing"),
        (r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#, "not `1.0`"),
        (r#"{"specversion":"1.0","source":"s","type":"t"}"#, "`id` is missing"),
        (r#"{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}"#, "given twice"),
        (r#"{"specversion":"1.0","id":"1","source":"s","type":"t","Bad":1}"#, "no attribute name"),
        (r#"{"specversion":"1.0","id":"1","source":"s","type":"t","x":{}}"#, "must be a scalar"),
        (r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data":2}"#, "twice"),
        ("[]", "expected a JSON object"),
    ];
    for (text, expected) in cases {
        let cause = cause(text);
        assert!(cause.contains(expected), "{text}: {cause}");
    }
}
