//! What goes over the wire, with each of the three ways in.

use std::error::Error as _;

use pluvio_clouds::cloudstack::{
    Credentials, DateFormat, Error, EventQuery, FaultKind, Login, Method, Paging, Params, Projects,
    Scope, signature,
};
use pluvio_net::HttpError;
use pluvio_secret::{Secret, hidden, note};

use crate::server::{API_KEY, Asked, SECRET_KEY, client, keys, server};

const EMPTY: &str = r#"{"listeventsresponse":{}}"#;
const PAGE: Paging = Paging { page: 1, page_rows: 500 };

fn ok(body: &str) -> (&'static str, String) {
    ("200 OK", body.to_owned())
}

fn login() -> Login {
    Login {
        username: "ann".into(),
        password: Secret::new("pass word+1"),
        domain: Some("customers/acme".into()),
    }
}

/// What the server computes from what it decoded.
fn recomputed(asked: &Asked) -> String {
    let params = asked.params();
    let params =
        params.iter().fold(Params::new(), |params, (name, value)| params.with(name, value));
    signature(&Secret::new(SECRET_KEY), &params)
}

#[tokio::test]
async fn a_read_is_a_signed_get_and_a_change_is_a_signed_form() {
    let success = r#"{"archiveeventsresponse":{"success":"true"}}"#;
    let (client, asked) = client(vec![ok(EMPTY), ok(success)]).await;
    let query = EventQuery { keyword: Some("a b*c~d+e/ü".into()), ..EventQuery::default() };
    client.list_events(&query, PAGE).await.unwrap();
    let params = Params::new().with("ids", "1,2");
    let command = "archiveEvents";
    let reply = client.call(command, params, Method::of(command)).await.unwrap();
    assert_eq!(reply.success(), Some(true));

    let asked = asked.await.unwrap();
    assert!(asked[0].head.starts_with("GET /client/api?"), "{}", asked[0].head);
    assert!(asked[1].head.starts_with("POST /client/api HTTP"), "{}", asked[1].head);
    assert!(asked[1].head.contains("application/x-www-form-urlencoded"), "{}", asked[1].head);
    for asked in &asked {
        let params = asked.params();
        assert_eq!(params["signature"], recomputed(asked));
        assert_eq!(params["apikey"], API_KEY);
        assert_eq!(params["expires"], "2026-11-20T12:10:00+0000");
        assert_eq!(
            (params["signatureversion"].as_str(), params["response"].as_str()),
            ("3", "json")
        );
    }
    assert_eq!(asked[0].param("keyword").unwrap(), "a b*c~d+e/ü");
    assert_eq!(asked[1].param("command").unwrap(), "archiveEvents");
}

#[tokio::test]
async fn all_that_an_event_query_says_is_asked_for() {
    let (client, asked) = client(vec![ok(EMPTY), ok(EMPTY)]).await;
    let everything = EventQuery {
        scope: Scope { projects: Projects::All, ..Scope::default() },
        start: Some("2026-11-20T09:00:00.5Z".parse().unwrap()),
        end: Some("2026-11-20T10:00:00Z".parse().unwrap()),
        ..EventQuery::default()
    };
    client.list_events(&everything, PAGE).await.unwrap();
    let narrow = EventQuery {
        scope: Scope {
            list_all: true,
            domain_id: Some("d".into()),
            is_recursive: true,
            account: Some("acme".into()),
            projects: Projects::One("p".into()),
        },
        dates: DateFormat::WallClock(jiff::tz::offset(1)),
        id: Some("e".into()),
        start_id: Some("s".into()),
        event_type: Some("VM.CREATE".into()),
        level: Some("ERROR".into()),
        keyword: Some("k".into()),
        archived: Some(true),
        state: Some("Completed".into()),
        resource: Some(("VirtualMachine".into(), "r".into())),
        ..everything
    };
    client.list_events(&narrow, Paging { page: 3, page_rows: 20 }).await.unwrap();

    let ours = |asked: &Asked| {
        let mut params = asked.params();
        for name in ["apikey", "signature", "signatureversion", "expires", "response", "command"] {
            params.remove(name).unwrap();
        }
        params.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let asked = asked.await.unwrap();
    let expected = [
        "enddate=2026-11-20T10:00:00+0000",
        "listall=true",
        "page=1",
        "pagesize=500",
        "projectid=-1",
        "startdate=2026-11-20T09:00:00+0000",
    ];
    assert_eq!(ours(&asked[0]), expected);
    let expected = [
        "account=acme",
        "archived=true",
        "domainid=d",
        "enddate=2026-11-20 11:00:00",
        "id=e",
        "isrecursive=true",
        "keyword=k",
        "level=ERROR",
        "listall=true",
        "page=3",
        "pagesize=20",
        "projectid=p",
        "resourceid=r",
        "resourcetype=VirtualMachine",
        "startdate=2026-11-20 10:00:00",
        "startid=s",
        "state=Completed",
        "type=VM.CREATE",
    ];
    assert_eq!(ours(&asked[1]), expected);
}

const SESSION: &str = r#"{"loginresponse":{"username":"ann","userid":"u1","domainid":"d1",
    "timeout":1800,"account":"acme","sessionkey":"se55/10n+0f-the-login=","is2faenabled":"false"}}"#;
const SET: &str = "200 OK\r\nset-cookie: JSESSIONID=node01x9k2m4p6q8; Path=/client; HttpOnly\r\n\
    set-cookie: sessionkey=se55%2F10n%2B0f-the-login%3D; Path=/client/api; HttpOnly";

#[tokio::test]
async fn a_login_gives_cookies_and_a_key_that_go_with_each_call() {
    let done = r#"{"logoutresponse":{"description":"success"}}"#;
    let server = server(vec![(SET, SESSION.into()), ok(EMPTY), ok(done)]).await;
    let client = server.client(&Credentials::Login(login())).await.unwrap();
    let session = client.session().unwrap();
    assert_eq!(session.account.as_deref(), Some("acme"));
    assert_eq!(session.idle_timeout.unwrap().as_secs(), 1800);
    assert!(!format!("{client:?}").contains("ion="), "{client:?}");
    client.list_events(&EventQuery::default(), PAGE).await.unwrap();
    client.log_out().await.unwrap();

    let asked = server.asked.await.unwrap();
    assert!(asked[0].head.starts_with("POST /client/api HTTP"), "{}", asked[0].head);
    assert_eq!(asked[0].param("domain").unwrap(), "/customers/acme");
    assert_eq!(asked[0].param("password").unwrap(), "pass word+1");
    for asked in &asked[1..] {
        let cookie =
            "cookie: JSESSIONID=node01x9k2m4p6q8; sessionkey=se55%2F10n%2B0f-the-login%3D\r\n";
        assert!(asked.head.contains(cookie), "{}", asked.head);
        assert_eq!(asked.param("sessionkey").unwrap(), "se55/10n+0f-the-login=");
        assert_eq!((asked.param("signature"), asked.param("password")), (None, None));
    }
}

#[tokio::test]
async fn an_account_with_a_second_factor_is_told_from_a_wrong_password() {
    let unverified = SESSION.replace("\"false\"", "\"true\",\"is2faverified\":\"false\"");
    let refused = r#"{"loginresponse":{"uuidList":[],"errorcode":531,"cserrorcode":9999,
        "errortext":"Failed to authenticate user ann in domain /customers/acme/"}}"#;
    let server = server(vec![(SET, unverified), ("531 X", refused.into())]).await;
    let error = server.client(&Credentials::Login(login())).await.unwrap_err();
    assert!(matches!(error, Error::SecondFactor), "{error:?}");
    assert!(error.is_denied() && !error.is_worth_retrying());
    let error = server.client(&Credentials::Login(login())).await.unwrap_err();
    assert_eq!(error.kind(), Some(FaultKind::AccountDenied));
    assert!(error.is_denied(), "{error}");
}

#[tokio::test]
async fn the_open_port_is_asked_without_anything() {
    let server = server(vec![ok(EMPTY)]).await;
    let client = server.client(&Credentials::Open).await.unwrap();
    client.list_events(&EventQuery::default(), PAGE).await.unwrap();
    let asked = server.asked.await.unwrap();
    let names: Vec<String> = asked[0].params().into_keys().collect();
    assert_eq!(names, ["command", "listall", "page", "pagesize", "response"]);
    assert!(!asked[0].head.contains("cookie"), "{}", asked[0].head);
}

#[tokio::test]
async fn the_servers_clock_is_told_with_each_page() {
    let head = "200 OK\r\ndate: Fri, 20 Nov 2026 11:58:30 GMT";
    let (client, _asked) = client(vec![(head, EMPTY.into()), ok(EMPTY)]).await;
    let page = client.list_events(&EventQuery::default(), PAGE).await.unwrap();
    let server = page.server.unwrap();
    assert_eq!(server.at, "2026-11-20T11:58:30Z".parse().unwrap());
    assert_eq!(server.skew.as_secs(), -90);
    let page = client.list_events(&EventQuery::default(), PAGE).await.unwrap();
    assert_eq!(page.server, None);
}

/// The error and all its causes, as they are printed and as they are debugged, without what is known to be secret
/// when that is shown.
fn whole(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    hidden(&text).into_owned()
}

#[tokio::test]
async fn no_error_holds_a_key_a_signature_or_a_query() {
    // All that a server can echo is echoed: the request as it came, and its values decoded. A signature
    // without its name is of no use to anybody who has not got the key that it goes with.
    note(API_KEY);
    note(SECRET_KEY);
    let signed = {
        let (client, asked) = client(vec![ok(EMPTY)]).await;
        client.list_events(&EventQuery::default(), PAGE).await.unwrap();
        asked.await.unwrap().remove(0)
    };
    let target = signed.head.split(' ').nth(1).unwrap().to_owned();
    let signature = signed.param("signature").unwrap();
    let echo = format!("cannot reach {target}; {API_KEY} signature: {signature}");
    let bodies = [
        ("502 Bad Gateway\r\ncontent-type: text/html", format!("<html><p>{echo}</p></html>")),
        ("200 OK", format!("<?xml version=\"1.0\"?><a>{echo}</a>")),
        ("200 OK", format!("{{\"listeventsresponse\":{{\"x\":{echo}")),
        ("401 X", format!("{{\"errorresponse\":{{\"errorcode\":401,\"errortext\":\"{echo}\"}}}}")),
        ("200 OK", format!("{{\"{echo}\":[]}}")),
    ];
    for (head, body) in bodies {
        let (client, _asked) = client(vec![(head, body)]).await;
        let error = client.list_events(&EventQuery::default(), PAGE).await.unwrap_err();
        let text = whole(&error);
        let encoded = pluvio_clouds::cloudstack::encode(&signature);
        for secret in [API_KEY, SECRET_KEY, &signature, &encoded] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let (client, _asked) = client(vec![]).await;
    _asked.await.unwrap();
    let error = client.list_events(&EventQuery::default(), PAGE).await.unwrap_err();
    assert!(!whole(&error).contains("apikey"), "{}", whole(&error));
}

#[tokio::test]
async fn no_error_of_a_session_holds_its_key_its_cookies_or_the_password() {
    let echo = "sessionkey=se55%2F10n%2B0f-the-login%3D se55/10n+0f-the-login= node01x9k2m4p6q8 pass word+1 pass%20word%2B1";
    let page = format!("<html>{echo}</html>");
    let page = || ("200 OK\r\ncontent-type: text/html", page.clone());
    let server = server(vec![page(), (SET, SESSION.into()), page()]).await;
    let before = server.client(&Credentials::Login(login())).await.unwrap_err();
    let client = server.client(&Credentials::Login(login())).await.unwrap();
    let after = client.list_events(&EventQuery::default(), PAGE).await.unwrap_err();
    for secret in ["pass word+1", "pass%20word%2B1"] {
        assert!(!whole(&before).contains(secret), "{before:?}");
    }
    for secret in ["se55%2F10n%2B0f-the-login%3D", "se55/10n+0f-the-login=", "node01x9k2m4p6q8"] {
        assert!(!whole(&after).contains(secret), "{after:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_told_from_one_that_is_refused() {
    let server = server(vec![]).await;
    let client = server.client(&keys()).await.unwrap();
    server.asked.await.unwrap();
    let error = client.list_events(&EventQuery::default(), PAGE).await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport { source: HttpError::Refused { .. }, .. }),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "listEvents got no answer");
    assert!(error.is_worth_retrying() && !error.is_denied());
}

#[test]
fn commands_that_read_go_by_get() {
    for (command, method) in [
        ("listEvents", Method::Get),
        ("getApiLimit", Method::Get),
        ("queryAsyncJobResult", Method::Get),
        ("deployVirtualMachine", Method::Post),
        ("archiveEvents", Method::Post),
    ] {
        assert_eq!(Method::of(command), method);
    }
}
