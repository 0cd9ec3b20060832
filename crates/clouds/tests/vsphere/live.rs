//! Against a real vcsim, whose address `PLUVIO_TEST_VCSIM` holds as vcsim prints it:
//! `https://admin:s3cret@127.0.0.1:PORT/sdk`. Each test leaves the simulator usable for the next.

use std::time::Duration;

use pluvio_clouds::vsphere::{
    Client, DataFormat, Endpoint, EntityFilter, EventFilter, FaultKind, MoRef, NewEvent, Page,
    Recursion, Redaction, ServiceContent, Session,
};
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::Secret;

struct Vcsim {
    client: Client,
    content: ServiceContent,
    session: Session,
}

fn endpoint() -> Endpoint {
    Endpoint::normalise(&std::env::var("PLUVIO_TEST_VCSIM").unwrap()).unwrap()
}

fn client(tls: &TlsOptions) -> Client {
    Client::new(HttpClient::new(tls).unwrap(), endpoint().url)
}

fn insecure() -> TlsOptions {
    TlsOptions { insecure: true, ..TlsOptions::default() }
}

impl Vcsim {
    async fn login() -> Vcsim {
        let (client, endpoint) = (client(&insecure()), endpoint());
        let content = client.service_content().await.unwrap();
        let (user, password) = (endpoint.user.unwrap(), endpoint.password.unwrap());
        let session = client.login(&content.session_manager, &user, &password).await.unwrap();
        Vcsim { client, content, session }
    }

    async fn collector(&self) -> MoRef {
        let object = self.content.root_folder.clone();
        let entity = Some(EntityFilter { object, recursion: Recursion::All });
        let filter = EventFilter { entity, max_count: Some(10), ..EventFilter::default() };
        self.client.create_event_collector(&self.content.event_manager, &filter).await.unwrap()
    }

    async fn post(&self) {
        let event = NewEvent {
            event_type_id: "com.example.test".into(),
            severity: Some("warning".into()),
            message: "a <b> & c".into(),
            object: self.content.root_folder.clone(),
            arguments: vec![("password".into(), "hunter2".into()), ("n".into(), "1".into())],
        };
        self.client.post_event(&self.content.event_manager, &event).await.unwrap();
    }

    async fn close(self, collector: &MoRef) {
        self.client.destroy_collector(collector).await.unwrap();
        self.client.logout(&self.content.session_manager).await.unwrap();
    }
}

fn keys(page: &Page) -> Vec<i64> {
    page.events.iter().map(|event| event.as_ref().unwrap().key.unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn all_events_of_a_fresh_vcenter_are_read_without_a_flaw() {
    let vcsim = Vcsim::login().await;
    assert_eq!(vcsim.content.about.api_type, "VirtualCenter");
    let version = vcsim.client.newest_version().await.unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
    let collector = vcsim.collector().await;
    let page = vcsim.client.read_next_events(&collector, 1000).await.unwrap();
    assert!(page.events.len() >= 20, "{}", page.events.len());
    for event in &page.events {
        let event = event.as_ref().unwrap();
        assert!(event.known && event.flaws.is_empty(), "{event:?}");
        for format in [DataFormat::Govmomi, DataFormat::ViJson] {
            let rendered = event.render(format, &Redaction::default());
            assert_eq!(rendered.flaws, [""; 0]);
            serde_json::from_str::<serde_json::Value>(&rendered.json).unwrap();
        }
    }
    let rest = vcsim.client.read_next_events(&collector, 1000).await.unwrap();
    assert!(rest.events.len() <= 20);
    let back = vcsim.client.read_previous_events(&collector, 5).await.unwrap();
    assert!(keys(&back).is_sorted_by(|a, b| a > b), "{:?}", keys(&back));
    let properties = &vcsim.content.property_collector;
    let latest = vcsim.client.latest_page(properties, &collector).await.unwrap();
    assert!(!latest.events.is_empty() && latest.events.len() <= 10);
    let none = vcsim.client.latest_event(properties, &vcsim.content.event_manager).await.unwrap();
    assert!(none.is_none());
    let query = EventFilter { max_count: Some(7), ..EventFilter::default() };
    let queried = vcsim.client.query_events(&vcsim.content.event_manager, &query).await.unwrap();
    assert!(!queried.events.is_empty());
    vcsim.client.current_time().await.unwrap();
    vcsim.close(&collector).await;
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn categories_are_known_by_class() {
    let vcsim = Vcsim::login().await;
    let (properties, events) = (&vcsim.content.property_collector, &vcsim.content.event_manager);
    let infos = vcsim.client.event_info(properties, events).await.unwrap();
    let category = |name| infos.iter().find(|info| info.name == name).unwrap().category.as_str();
    assert!(infos.len() > 40, "{}", infos.len());
    assert_eq!(category("VmPoweredOnEvent"), "info");
    vcsim.client.logout(&vcsim.content.session_manager).await.unwrap();
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn a_posted_event_wakes_the_wait_and_is_read() {
    let vcsim = Vcsim::login().await;
    let collector = vcsim.collector().await;
    while !vcsim.client.read_next_events(&collector, 1000).await.unwrap().events.is_empty() {}
    let shared = &vcsim.content.property_collector;
    let bell = vcsim.client.create_property_collector(shared).await.unwrap();
    vcsim.client.create_filter(&bell, &collector, "latestPage").await.unwrap();
    let wait = Duration::from_secs(20);
    let version = vcsim.client.wait_for_updates(&bell, None, wait).await.unwrap();
    let begun = std::time::Instant::now();
    let (woken, ()) =
        tokio::join!(vcsim.client.wait_for_updates(&bell, version.as_deref(), wait), vcsim.post());
    assert!(woken.unwrap().is_some() && begun.elapsed() < wait / 2);
    let page = vcsim.client.read_next_events(&collector, 1000).await.unwrap();
    let posted = page.events.iter().flatten().find(|event| event.class == "EventEx").unwrap();
    assert_eq!(posted.type_name(), "com.example.test");
    assert_eq!(posted.severity.as_deref(), Some("warning"));
    let rendered = posted.render(DataFormat::Govmomi, &Redaction::default());
    assert_eq!(rendered.redacted, 1, "{}", rendered.json);
    assert!(rendered.json.contains(r#""Message":"a \u003cb\u003e \u0026 c""#), "{}", rendered.json);
    vcsim.client.destroy_property_collector(&bell).await.unwrap();
    vcsim.close(&collector).await;
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn a_terminated_session_is_told() {
    let (ours, other) = (Vcsim::login().await, Vcsim::login().await);
    let collector = ours.collector().await;
    let manager = &other.content.session_manager;
    other.client.terminate_session(manager, &ours.session.key).await.unwrap();
    let error = ours.client.read_next_events(&collector, 10).await.unwrap_err();
    assert_eq!(error.fault(), Some(&FaultKind::NotAuthenticated), "{error}");
    other.client.logout(manager).await.unwrap();
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn a_wrong_password_is_told() {
    let client = client(&insecure());
    let content = client.service_content().await.unwrap();
    let wrong = Secret::new("wrong");
    let error = client.login(&content.session_manager, "admin", &wrong).await.unwrap_err();
    assert_eq!(error.fault(), Some(&FaultKind::InvalidLogin), "{error}");
}

#[tokio::test]
#[ignore = "needs vcsim: cargo xtask e2e"]
async fn an_untrusted_certificate_is_told_and_can_be_pinned() {
    let error = client(&TlsOptions::default()).service_content().await.unwrap_err();
    let thumbprint = error.untrusted().unwrap().thumbprint;
    let pinned = TlsOptions { thumbprint: Some(thumbprint), ..TlsOptions::default() };
    client(&pinned).service_content().await.unwrap();
}
