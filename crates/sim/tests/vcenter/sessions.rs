//! Who may call, and what becomes of those who may not.

use hyper::{Method, StatusCode};
use pluvio_sim::{VCenter, VCenterConfig};

use crate::client::Client;
use crate::{cloud, quiet};

#[tokio::test]
async fn the_service_content_needs_no_session() {
    let cloud = cloud(0).await;
    let answer =
        Client::anonymous(&cloud).call("ServiceInstance", "RetrieveServiceContent", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text("instanceUuid"), cloud.status().instance_uuid.to_string());
    assert_eq!(answer.text("apiType"), "VirtualCenter");
}

#[tokio::test]
async fn everything_else_needs_one() {
    let cloud = cloud(0).await;
    let answer = Client::anonymous(&cloud).call("ServiceInstance", "CurrentTime", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.fault(), Some("NotAuthenticated"));
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_remembered() {
    let config = VCenterConfig {
        username: Some("svc-events".to_owned()),
        password: Some("a&b ".to_owned()),
        ..quiet()
    };
    let cloud = VCenter::start(config).await.unwrap();
    let mut client = Client::anonymous(&cloud);
    assert_eq!(client.login("svc-events", "wrong").await.fault(), Some("InvalidLogin"));
    assert_eq!(client.login("svc-events", "a&amp;b ").await.fault(), None);
    let classes: Vec<_> = cloud.events().into_iter().map(|event| event.class).collect();
    assert_eq!(classes, ["BadUsernameSessionEvent", "UserLoginSessionEvent"]);
}

#[tokio::test]
async fn a_second_login_on_the_same_cookie_is_refused() {
    let cloud = cloud(0).await;
    let mut client = Client::of(&cloud).await;
    assert_eq!(client.login("user", "pass").await.fault(), Some("InvalidLogin"));
}

#[tokio::test]
async fn login_and_logout_are_events() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    assert_eq!(client.call("SessionManager", "Logout", "").await.fault(), None);
    let again = client.call("SessionManager", "Logout", "").await;
    assert_eq!(again.fault(), Some("NotAuthenticated"));
    let classes: Vec<_> = cloud.events().into_iter().map(|event| event.class).collect();
    assert_eq!(classes, ["UserLoginSessionEvent", "UserLogoutSessionEvent"]);
}

#[tokio::test]
async fn a_terminated_session_is_over() {
    let cloud = cloud(0).await;
    let mut victim = Client::anonymous(&cloud);
    let login = victim.login("victim", "pass").await;
    let key = login.text("key");
    let other = Client::of(&cloud).await;
    let who = format!("<sessionID>{key}</sessionID><userName>victim</userName>");
    assert_eq!(
        other.call("SessionManager", "SessionIsActive", &who).await.text("returnval"),
        "true"
    );
    let which = format!("<sessionId>{key}</sessionId>");
    assert_eq!(other.call("SessionManager", "TerminateSession", &which).await.fault(), None);
    assert_eq!(
        other.call("SessionManager", "SessionIsActive", &who).await.text("returnval"),
        "false"
    );
    let answer = victim.call("ServiceInstance", "CurrentTime", "").await;
    assert_eq!(answer.fault(), Some("NotAuthenticated"));
}

#[tokio::test]
async fn an_unknown_method_and_a_broken_request_are_faults() {
    let cloud = cloud(0).await;
    let client = Client::of(&cloud).await;
    let answer = client.call("EventManager", "MakeCoffee", "").await;
    assert_eq!(answer.fault(), Some("MethodNotFound"));
    let answer = client.send(Method::POST, "/sdk", "<half".to_owned()).await.unwrap();
    assert_eq!(answer.fault(), Some("InvalidRequest"));
}

#[tokio::test]
async fn versions_are_told_to_anyone() {
    let config = VCenterConfig { api_version: "7.0.3.0".to_owned(), ..quiet() };
    let cloud = VCenter::start(config).await.unwrap();
    let client = Client::anonymous(&cloud);
    let path = "/sdk/vimServiceVersions.xml";
    let answer = client.send(Method::GET, path, String::new()).await.unwrap();
    assert_eq!(answer.text("version"), "7.0.3.0");
    assert!(!answer.body.contains("8.0"));
}

#[tokio::test]
async fn a_bad_configuration_is_refused() {
    let version = VCenterConfig { api_version: "new".to_owned(), ..quiet() };
    assert!(VCenter::start(version).await.is_err());
    let rate = VCenterConfig { events_per_second: -1.0, ..quiet() };
    assert!(VCenter::start(rate).await.is_err());
}
