//! Answers of every version and of what stands before it: each becomes a reply or a typed error.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pluvio_clouds::cloudstack::{Error, FaultKind, Flaw, Reply};

use crate::server::NOW;

fn decode_with(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Reply, Error> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    Reply::decode("listEvents", status, &headers, body.as_bytes(), NOW.parse().unwrap())
}

fn decode(status: u16, body: &str) -> Result<Reply, Error> {
    decode_with(status, &[], body)
}

fn refused(status: u16, body: &str) -> Error {
    let error = decode(status, body).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    error
}

fn fault(code: u16, text: &str) -> Error {
    let body = format!(
        r#"{{"listeventsresponse":{{"uuidList":[],"errorcode":{code},"cserrorcode":9999,"errortext":"{text}"}}}}"#
    );
    refused(code, &body)
}

#[test]
fn the_one_key_is_taken_whatever_its_name() {
    for (body, object) in [
        (r#"{"listeventsresponse":{}}"#, "{}"),
        (r#" { "ListEventsResponse" : {"count":1 } } "#, r#"{"count":1 }"#),
        ("\u{feff}{\"x\":{\"a\":\"\\ud800\"}}", r#"{"a":"\ud800"}"#),
    ] {
        assert_eq!(decode(200, body).unwrap().object().get(), object);
    }
}

#[test]
fn success_is_a_boolean_or_its_text() {
    for (object, success) in [
        (r#"{"success":true}"#, Some(true)),
        (r#"{"success":"true","displaytext":"x"}"#, Some(true)),
        (r#"{"success":"false"}"#, Some(false)),
        (r#"{"jobid":7}"#, None),
    ] {
        let reply = decode(200, &format!(r#"{{"deletevolumeresponse":{object}}}"#)).unwrap();
        assert_eq!(reply.success(), success);
    }
    let reply = decode(200, r#"{"r":{"jobid":7,"id":"a"}}"#).unwrap();
    assert_eq!(
        (reply.text("jobid").as_deref(), reply.text("id").as_deref()),
        (Some("7"), Some("a"))
    );
}

#[test]
fn each_code_has_its_meaning() {
    for (code, kind) in [
        (400, FaultKind::Parameter),
        (401, FaultKind::Unauthorized),
        (405, FaultKind::Other),
        (411, FaultKind::SecondFactor),
        (430, FaultKind::Parameter),
        (431, FaultKind::Parameter),
        (432, FaultKind::UnknownCommand),
        (503, FaultKind::Unavailable),
        (530, FaultKind::Internal),
        (531, FaultKind::AccountDenied),
        (532, FaultKind::LimitReached),
        (533, FaultKind::Resource),
        (537, FaultKind::Other),
    ] {
        assert_eq!(fault(code, "x").kind(), Some(kind), "{code}");
    }
}

#[test]
fn what_a_supervisor_asks_is_answered_by_kind() {
    for (code, denied, retried) in [
        (401, true, false),
        (411, true, false),
        (431, false, false),
        (432, false, false),
        (429, false, true),
        (503, false, true),
        (530, false, true),
        (531, true, false),
    ] {
        let error = fault(code, "x");
        assert_eq!((error.is_denied(), error.is_worth_retrying()), (denied, retried), "{code}");
    }
}

#[test]
fn the_code_inside_is_believed_rather_than_the_status() {
    let body = r#"{ "errorresponse" : {"errorcode" : "432", "errortext" : "no such command"} }"#;
    assert_eq!(refused(500, body).kind(), Some(FaultKind::UnknownCommand));
    assert_eq!(refused(200, body).fault().unwrap().code, 432);
    let body = r#"{"errorresponse":{"errortext":"unable to verify user credentials"}}"#;
    assert_eq!(refused(401, body).kind(), Some(FaultKind::Unauthorized));
}

#[test]
fn a_wait_is_read_from_the_text_or_from_the_header_and_has_an_end() {
    let text = "The given user has reached his/her account api limit, please retry after [874] ms.";
    assert_eq!(fault(429, text).wait(), Some(Duration::from_millis(874)));
    let absurd = fault(429, "please retry after [99999999999999999] ms.");
    assert_eq!(absurd.wait(), Some(Duration::from_secs(3600)));
    assert_eq!(fault(429, "too many [calls]").wait(), None);
    let body = r#"{"r":{"errorcode":429,"errortext":"x"}}"#;
    let error = decode_with(429, &[("retry-after", "3")], body).unwrap_err();
    assert_eq!(error.wait(), Some(Duration::from_secs(3)));
    let error = decode_with(503, &[("retry-after", "120")], "busy").unwrap_err();
    assert_eq!(error.wait(), Some(Duration::from_secs(120)));
}

#[test]
fn a_date_that_is_not_understood_is_told_from_other_parameters() {
    let text = "Unable to parse date 2026-11-20T10:00:00+0000 for command listEvents, please pass \
        dates in the format mentioned in the api documentation";
    for code in [430, 431] {
        assert_eq!(fault(code, text).kind(), Some(FaultKind::DateNotUnderstood));
    }
    let error = fault(431, "Page size can't exceed max allowed page size value: 500");
    assert_eq!(error.kind(), Some(FaultKind::PageTooLarge { rows_max: Some(500) }));
    assert_eq!(fault(431, "unable to find user").kind(), Some(FaultKind::Parameter));
}

#[test]
fn a_refusal_tells_a_clock_that_is_wrong() {
    let body = r#"{"r":{"errorcode":401,"errortext":"unable to verify user credentials"}}"#;
    let at = |date| decode_with(401, &[("date", date)], body).unwrap_err();
    let ahead = at("Fri, 20 Nov 2026 12:14:20 GMT");
    assert_eq!(ahead.skew().unwrap().as_mins(), 14);
    let expected = "listEvents was refused: the credentials or the clock are not accepted, or the \
        role may not do it (code 401: unable to verify user credentials); our clock is 14 min \
        behind the server's";
    assert_eq!(ahead.to_string(), expected);
    assert!(
        at("Fri, 20 Nov 2026 11:46:00 GMT").to_string().ends_with("14 min ahead of the server's")
    );
    assert!(!at("Fri, 20 Nov 2026 12:00:20 GMT").to_string().contains("clock is"));
    assert_eq!(at("yesterday").skew(), None);
}

fn broken(body: &str) -> (Flaw, usize, String) {
    match decode(200, body).unwrap_err() {
        Error::Malformed { broken, .. } => (broken.flaw, broken.at_byte, broken.excerpt),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_that_appeared_after_the_count_are_no_list_and_never_mended() {
    for body in
        [r#"{"listeventsresponse":]}}"#, r#"{ "listeventsresponse" : ,{"id":"2"},{"id":"3"}]} }"#]
    {
        let (flaw, at, excerpt) = broken(body);
        assert_eq!((flaw, at), (Flaw::RowsAfterCount, body.find([',', ']']).unwrap()), "{excerpt}");
        assert!(decode(200, body).unwrap_err().is_worth_retrying());
    }
}

#[test]
fn a_broken_answer_is_told_by_its_place_and_never_whole() {
    let long = format!("{{\"r\":{{\"a\":\"{}\",\n\"b\":nope}}}}", "é".repeat(10_000));
    let (flaw, at, excerpt) = broken(&long);
    let place = long.find("nope").unwrap();
    assert_eq!(flaw, Flaw::Syntax);
    // serde_json stops at the first letter that differs from `null`.
    assert!((place..=place + 1).contains(&at), "{at} {place}");
    assert!(excerpt.contains(" \"b\":nope}}") && excerpt.len() < 100, "{excerpt}");
    let (flaw, at, _) = broken(r#"{"r":{"event":[{"id":1},"#);
    assert_eq!((flaw, at), (Flaw::Truncated, 23));
    let (flaw, ..) = broken(r#"{"r":{}} trailing"#);
    assert_eq!(flaw, Flaw::Syntax);
}

#[test]
fn other_peoples_keys_are_not_in_an_excerpt() {
    let (_, _, excerpt) = broken(r#"{"r":{"user":[{"apikey":"abcdef","secretkey":"ghijkl",,"#);
    assert!(!excerpt.contains("abcdef") && !excerpt.contains("ghijkl"), "{excerpt}");
    assert!(excerpt.contains("secretkey"), "{excerpt}");
}

#[test]
fn a_proxys_page_is_told_by_type_and_first_words() {
    let page = "<!DOCTYPE html>\n<html><head><style>h1 {color: red}</style>\n\
        <title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let error = decode_with(502, &[("content-type", "text/html")], page).unwrap_err();
    let expected = "listEvents was not answered by CloudStack's API: HTTP status 502 Bad Gateway, \
        text/html, \"502 Bad Gateway nginx\"";
    assert_eq!(error.to_string(), expected);
    assert!(error.is_worth_retrying() && !error.is_denied());
    let error = decode_with(200, &[("content-type", "text/html")], page).unwrap_err();
    assert!(!error.is_worth_retrying(), "a login page will stay one");
    assert!(decode(403, page).unwrap_err().is_denied());
}

#[test]
fn a_redirect_is_told_without_its_query() {
    let headers = [("location", "https://u:pw@cloud.example.org/client/api?apikey=abc&x=1")];
    let error = decode_with(302, &headers, "").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("leads to cloud.example.org/client/api, no text"), "{text}");
}

#[test]
fn xml_is_told_as_what_it_is() {
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><errorresponse cloud-stack-version=\"4.22\">\
        <errorcode>401</errorcode><errortext>unable to verify</errortext></errorresponse>";
    let error = decode_with(401, &[("content-type", "text/xml")], xml).unwrap_err();
    let text = error.to_string();
    let expected = "text/xml, XML with the root element `errorresponse` instead of JSON, \
        \"401 unable to verify\"; does a proxy drop the parameter `response=json`?";
    assert!(text.ends_with(expected), "{text}");
    assert!(error.is_denied());
}

#[test]
fn keys_in_xml_are_not_shown() {
    let xml = "<?xml version=\"1.0\"?><listusersresponse><user key='7'><apikey>abcdef gh</apikey>\
        <secretkey type=\"x\">ijklmn</secretkey><username>ann</username></user>\
        <sessionkey>opq</sessionkey>";
    let text = decode(200, xml).unwrap_err().to_string();
    assert!(text.contains("ann"), "{text}");
    for secret in ["abc", "gh", "ijk", "opq"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn an_answer_to_a_login_is_told_by_its_kind_and_never_quoted() {
    let headers = HeaderMap::new();
    let told = |status: StatusCode, body: &str| {
        let now = NOW.parse().unwrap();
        Reply::decode("login", status, &headers, body.as_bytes(), now).unwrap_err().to_string()
    };
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginresponse cloud-stack-version=\"4.19\">\
        <username>reader</username><sessionkey>q7WvT3</sessionkey></loginresponse>";
    let expected = "login was not answered by CloudStack's API: HTTP status 200 OK, no content type, \
        XML with the root element `loginresponse` instead of JSON; its text is not shown, for it may hold \
        a session key; does a proxy drop the parameter `response=json`?";
    assert_eq!(told(StatusCode::OK, xml), expected);
    for body in [
        "sessionkey is q7WvT3",
        "<html><title>q7WvT3</title></html>",
        r#"{"loginresponse":{"username":"reader","session" "q7WvT3"}}"#,
        r#"{"loginresponse":{"username":"reader","sessionkey":"q7WvT3"#,
        r#"{"a":{"sessionkey":"q7WvT3"},"b":{}}"#,
    ] {
        for status in [StatusCode::OK, StatusCode::BAD_GATEWAY] {
            let text = told(status, body);
            assert!(!text.contains("q7W"), "{text}");
        }
    }
}

#[test]
fn json_of_something_else_is_not_cloudstacks() {
    for (status, body) in [
        (200, "[]"),
        (200, "null"),
        (200, ""),
        (200, r#"{"a":{},"b":{}}"#),
        (200, r#"{"a":[]}"#),
        (200, r#"{"a":null}"#),
        (404, r#"{"message":{"code":5}}"#),
        (502, "{broken"),
    ] {
        let error = decode(status, body).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{body}: {error:?}");
    }
}

#[test]
fn a_long_error_text_is_cut() {
    let error = fault(530, &"é".repeat(5000));
    assert!(error.to_string().len() < 1200);
}
