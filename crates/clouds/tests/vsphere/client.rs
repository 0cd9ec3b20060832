//! The client against a server that gives one prepared answer and tells what it was asked.

use std::time::Duration;

use pluvio_clouds::vsphere::{Client, Error, FaultKind, MoRef, XmlError};
use pluvio_net::{HttpClient, HttpError, TlsOptions};
use pluvio_secret::{Secret, hidden};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one request per status and body, in order; gives the requests.
async fn server(answers: Vec<(&'static str, String)>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sdk", listener.local_addr().unwrap()).parse().unwrap();
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(request(&mut stream).await);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    let tls = TlsOptions { insecure: true, ..TlsOptions::default() };
    (Client::new(HttpClient::new(&tls).unwrap(), url), served)
}

async fn request(stream: &mut tokio::net::TcpStream) -> String {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if read == 0 || (text.contains("\r\n\r\n") && body.len() >= length) {
            return text;
        }
    }
}

fn envelope(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope
        xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"#
    )
}

fn fault(name: &str, inside: &str) -> String {
    envelope(&format!(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>No.</faultstring>\
         <detail><{name}Fault xmlns=\"urn:vim25\" xsi:type=\"{name}\">{inside}</{name}Fault></detail></soapenv:Fault>"
    ))
}

fn collector() -> MoRef {
    MoRef::new("EventHistoryCollector", "session[52]52")
}

async fn error_of(head: &'static str, body: String) -> Error {
    let (client, _served) = server(vec![(head, body)]).await;
    client.read_next_events(&collector(), 1000).await.unwrap_err()
}

#[tokio::test]
async fn a_login_keeps_the_cookie_as_it_came_and_drops_the_one_before() {
    let session = envelope(
        "<LoginResponse xmlns='urn:vim25'><returnval><key>K</key><userName>u</userName></returnval></LoginResponse>",
    );
    let set = "200 OK\r\nset-cookie: vmware_soap_session=\"5\"; Path=/; HttpOnly";
    let time = envelope("<R><returnval>2026-11-20T04:00:00.5Z</returnval></R>");
    let answers = vec![(set, session.clone()), ("200 OK", time), ("200 OK", session)];
    let (client, served) = server(answers).await;
    let manager = MoRef::new("SessionManager", "SessionManager");
    let password = Secret::new("a<b&\"c");
    let session = client.login(&manager, "u", &password).await.unwrap();
    assert_eq!((session.key.expose(), session.user_name.as_str()), ("K", "u"));
    assert_eq!(client.current_time().await.unwrap().to_string(), "2026-11-20T04:00:00.5Z");
    client.login(&manager, "u", &password).await.unwrap();

    let requests = served.await.unwrap();
    assert!(requests[0].contains("<password>a&lt;b&amp;&quot;c</password>"), "{}", requests[0]);
    assert!(requests[0].contains("soapaction: urn:vim25/6.5\r\n"), "{}", requests[0]);
    assert!(requests[1].contains("cookie: vmware_soap_session=\"5\"\r\n"), "{}", requests[1]);
    assert!(!requests[2].contains("cookie:"), "{}", requests[2]);
}

#[tokio::test]
async fn the_newest_version_is_asked_for_and_then_named() {
    let versions = "<?xml version='1.0'?><namespaces version='1.0'><namespace><name>urn:vim25Service\
        </name><version>1</version></namespace><namespace><name>urn:vim25</name><version>8.0.3.0</version>\
        <priorVersions><version>8.0.2.0</version></priorVersions></namespace></namespaces>";
    let time = envelope("<R><returnval>2026-11-20T04:00:00Z</returnval></R>");
    let (client, served) = server(vec![("200 OK", versions.into()), ("200 OK", time)]).await;
    let version = client.newest_version().await.unwrap();
    assert_eq!(version, "8.0.3.0");
    client.with_version(version).current_time().await.unwrap();
    let requests = served.await.unwrap();
    assert!(requests[0].starts_with("GET /sdk/vimServiceVersions.xml "), "{}", requests[0]);
    assert!(requests[1].contains("soapaction: urn:vim25/8.0.3.0\r\n"), "{}", requests[1]);
}

#[tokio::test]
async fn a_fault_is_told_by_kind_with_what_it_names() {
    let error = error_of("500 X", fault("NotAuthenticated", "")).await;
    assert_eq!(error.fault(), Some(&FaultKind::NotAuthenticated));
    assert_eq!(
        error.to_string(),
        "ReadNextEvents was refused: the session is not authenticated (No.)"
    );
    let inside = "<obj type='EventHistoryCollector'>x</obj>";
    let error = error_of("500 X", fault("ManagedObjectNotFound", inside)).await;
    let object = Some(MoRef::new("EventHistoryCollector", "x"));
    assert_eq!(error.fault(), Some(&FaultKind::ManagedObjectNotFound { object }));
    let error =
        error_of("500 X", fault("InvalidArgument", "<invalidProperty>maxCount</invalidProperty>"))
            .await;
    let property = Some("maxCount".to_owned());
    assert_eq!(error.fault(), Some(&FaultKind::InvalidArgument { property }));
}

#[tokio::test]
async fn password_and_session_are_hidden_in_a_fault_that_quotes_the_request() {
    let said = |text: &str| {
        let kind = format!("<CustomFault xsi:type=\"Custom{text}\"/>");
        envelope(&format!(
            "<soapenv:Fault><faultcode>x</faultcode><faultstring>bad {text}</faultstring>\
             <detail>{kind}</detail></soapenv:Fault>"
        ))
    };
    let session = envelope(
        "<LoginResponse xmlns='urn:vim25'><returnval><key>52f6a9e4-the-key</key></returnval></LoginResponse>",
    );
    let set = "200 OK\r\nset-cookie: vmware_soap_session=\"52ab01cd/the-cookie\"; Path=/; HttpOnly";
    let (client, _served) = server(vec![
        (
            "500 X",
            said("Pa&lt;s&quot;s/1 Pa&amp;lt;s&amp;quot;s/1 Pa&lt;s\\&quot;s\\/1 Pa%3Cs%22s%2f1"),
        ),
        (set, session),
        ("500 X", said("vmware_soap_session=&quot;52ab01cd/the-cookie&quot; 52ab01cd%2Fthe-cookie 52f6a9e4-the-key")),
    ])
    .await;
    let manager = MoRef::new("SessionManager", "SessionManager");
    let password = Secret::new("Pa<s\"s/1");
    let error = client.login(&manager, "u", &password).await.unwrap_err();
    let masked = "*** *** *** ***";
    assert_eq!(
        hidden(&error.to_string()),
        format!("Login was refused: fault Custom{masked} (bad {masked})")
    );
    client.login(&manager, "u", &password).await.unwrap();
    let error = client.current_time().await.unwrap_err();
    let masked = "vmware_soap_session=\"***\" *** ***";
    // A class is not read as a text is.
    let class = masked.replace('"', "&quot;");
    let expected = format!("CurrentTime was refused: fault Custom{class} (bad {masked})");
    assert_eq!(hidden(&error.to_string()), expected);
    assert!(!format!("{client:?}").contains("52ab"), "{client:?}");
}

#[tokio::test]
async fn an_answer_of_something_else_is_told_by_its_status() {
    let error = error_of("503 Service Unavailable", "<html><br></html>".into()).await;
    assert!(matches!(&error, Error::Status { status, .. } if status.as_u16() == 503), "{error:?}");
    let error = error_of("302 Found\r\nlocation: http://elsewhere/", String::new()).await;
    assert!(matches!(&error, Error::Status { status, .. } if status.as_u16() == 302), "{error:?}");
    let error = error_of("200 OK", "<!DOCTYPE a><a/>".into()).await;
    assert!(matches!(error, Error::Xml { source: XmlError::DocType, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_content_is_no_vcenter() {
    let (client, _served) = server(vec![("200 OK", envelope("<x/>"))]).await;
    let error = client.service_content().await.unwrap_err();
    let expected = "answer to RetrieveServiceContent holds no valid returnval; is this a vCenter?";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_connection_that_ends_is_told_from_one_that_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url = format!("http://{}/sdk", listener.local_addr().unwrap()).parse().unwrap();
    let client = Client::new(
        HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap(),
        url,
    );
    let dropping = tokio::spawn(async move { drop(listener.accept().await) });
    let error = client.current_time().await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport { source: HttpError::Reset { .. }, .. }),
        "{error:?}"
    );
    dropping.await.unwrap();
    let error = client.current_time().await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport { source: HttpError::Refused { .. }, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wait_that_ends_without_news_is_none() {
    let nothing = envelope("<WaitForUpdatesExResponse xmlns='urn:vim25'/>");
    let news = envelope(
        "<WaitForUpdatesExResponse xmlns='urn:vim25'><returnval><version>2</version><filterSet>broken",
    );
    let (client, served) = server(vec![("200 OK", nothing), ("200 OK", news)]).await;
    let bell = MoRef::new("PropertyCollector", "pc");
    let wait = Duration::from_millis(1500);
    assert_eq!(client.wait_for_updates(&bell, None, wait).await.unwrap(), None);
    assert_eq!(
        client.wait_for_updates(&bell, Some("1"), wait).await.unwrap().as_deref(),
        Some("2")
    );
    let requests = served.await.unwrap();
    assert!(
        requests[1].contains("<version>1</version><options><maxWaitSeconds>2</maxWaitSeconds>")
    );
}
