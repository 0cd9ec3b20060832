//! Answers that nobody should send: whatever comes, it ends, it does not panic, and it is bounded.

use http::{HeaderMap, StatusCode};
use pluvio_clouds::cloudstack::{
    Apis, Capabilities, Error, NativeEvent, Page, Reply, UsageRecord, User, VirtualMachine, Volume,
};
use proptest::prelude::*;

use crate::server::NOW;

fn decode(status: u16, body: &[u8]) -> Result<Reply, Error> {
    let status = StatusCode::from_u16(status).unwrap();
    Reply::decode("listEvents", status, &HeaderMap::new(), body, NOW.parse().unwrap())
}

/// Reads an answer in every way there is; an error's text stays short.
fn try_all(body: &[u8]) {
    for status in [200, 431, 502] {
        match decode(status, body) {
            Ok(reply) => {
                drop((reply.success(), reply.text("id"), Apis::of(&reply)));
                drop(Capabilities::of(&reply));
                drop(Page::<NativeEvent>::of(&reply, "event"));
                drop(Page::<UsageRecord>::of(&reply, "event"));
                drop(Page::<VirtualMachine>::of(&reply, "event"));
                drop(Page::<Volume>::of(&reply, "event"));
                drop(Page::<User>::of(&reply, "event"));
            }
            Err(error) => {
                let text = format!("{error}");
                assert!(text.len() < 2000, "{text}");
            }
        }
    }
}

const WHOLE: &str = r#"{"listeventsresponse":{"count":2,"event":[
    {"id":"1","created":"2026-11-20T12:00:00+0000","type":"VM.CREATE","description":"é \u0041"},
    {"id":2,"created":"2026-11-20T12:00:01+0000","parentid":"0","archived":"true"}]}}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..400)) {
        try_all(&body);
    }

    #[test]
    fn any_pieces_of_an_answer_are_survived(pieces in prop::collection::vec(prop::sample::select(&[
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d800", "\"event\"", "\"count\"", "\"id\"", "\"created\"",
        "\"2026-11-20T12:00:00+0000\"", "\"errorcode\"", "\"errortext\"", "431", "-1", "1e999", "null", "true", " ",
        "\"listeventsresponse\"", "{\"r\":{\"event\":[", "]}}", "apikey=", "password\":", "<html>", "<script>", "<!--",
        "é", "\n", "\u{2028}", "[9] ms", "Page size can't exceed ",
    ][..]), 0..60)) {
        try_all(pieces.concat().as_bytes());
    }

    #[test]
    fn any_event_of_any_fields_is_survived(
        names in prop::collection::vec("id|created|parentid|archived|type|[a-z]{0,3}", 0..6),
        values in prop::collection::vec("\"[ -!#-\\[\\]-~é]{0,30}\"|-?[0-9]{1,30}|true|null|\\[\\]|\\{\\}", 6),
    ) {
        let fields: Vec<String> =
            names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        try_all(format!("{{\"r\":{{\"event\":[{{{}}}]}}}}", fields.join(",")).as_bytes());
    }

    #[test]
    fn one_wrong_byte_costs_an_error_or_a_row(at in 0..WHOLE.len(), byte in any::<u8>()) {
        let mut body = WHOLE.as_bytes().to_vec();
        body[at] = byte;
        try_all(&body);
    }

    #[test]
    fn half_an_answer_is_never_taken_for_a_whole_one(end in 0..WHOLE.len()) {
        prop_assert!(decode(200, &WHOLE.as_bytes()[..end]).is_err());
    }
}

#[test]
fn deep_nesting_ends_no_process() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(200_000) + "1" + &close.repeat(200_000);
        try_all(format!("{{\"r\":{{\"event\":[{{\"id\":{deep}}}]}}}}").as_bytes());
        try_all(deep.as_bytes());
    }
}

#[test]
fn more_rows_than_any_server_sends_are_refused() {
    let body = format!("{{\"r\":{{\"event\":[{}0]}}}}", "0,".repeat(200_000));
    let reply = decode(200, body.as_bytes()).unwrap();
    assert!(Page::<NativeEvent>::of(&reply, "event").is_err());
    let names: Vec<String> = (0..10_000).map(|n| format!("\"n{n}\":0")).collect();
    assert!(decode(200, format!("{{\"r\":{{{}}}}}", names.join(",")).as_bytes()).is_err());
}

#[test]
fn names_of_secrets_without_end_take_no_quadratic_time() {
    let begun = std::time::Instant::now();
    for piece in ["apikey=", "password\":\"", "<script>", "<!--", "signature ", "{\"a\":"] {
        try_all(piece.repeat(200_000).as_bytes());
        try_all(format!("{{\"r\":{}", piece.repeat(200_000)).as_bytes());
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
