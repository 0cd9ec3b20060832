//! Events that were captured, played by the simulated vCenter and read with the real client, are those
//! that were captured, byte for byte.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use pluvio_clouds::vsphere::{
    Client, DataFormat, Endpoint, EventFilter, NativeEvent, Redaction, decode_page,
};
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::Secret;
use pluvio_sim::{
    VCenter, VCenterConfig,
    vcenter::{Captured, Recording},
};

const FULL: &[u8] = include_bytes!("../../clouds/tests/fixtures/vsphere-events/full.xml");
const FULL_JSON: &str = include_str!("../../clouds/tests/fixtures/vsphere-events/full.ndjson");
const SPARSE: &[u8] = include_bytes!("../../clouds/tests/fixtures/vsphere-events/sparse.xml");
const SPARSE_JSON: &str = include_str!("../../clouds/tests/fixtures/vsphere-events/sparse.ndjson");
const VALUES: &[u8] = include_bytes!("../../clouds/tests/fixtures/vsphere-events/values.xml");

/// One event as a log has it: its class, and its data.
type Line = (String, String);

/// The events of an answer as Pluvio captures them.
fn captured(body: &[u8], format: DataFormat) -> Vec<Line> {
    let page = decode_page(body, "returnval").unwrap();
    page.events.into_iter().map(|event| line(&event.unwrap(), format)).collect()
}

fn line(event: &NativeEvent, format: DataFormat) -> Line {
    (event.class.clone(), event.render(format, &Redaction::default()).json)
}

/// The same events, read from a simulated vCenter that plays them.
async fn replayed(lines: &[Line], format: DataFormat) -> Vec<Line> {
    let mut recording = Recording::default();
    for (class, data) in lines {
        let time = Timestamp::UNIX_EPOCH;
        recording.add(Captured { class, category: None, time, data }).unwrap();
    }
    let config = VCenterConfig { recording: Some(recording), ..VCenterConfig::default() };
    let cloud = VCenter::start(config).await.unwrap();
    let client = HttpClient::new(&TlsOptions::default()).unwrap();
    let client = Client::new(client, Endpoint::normalise(&cloud.url()).unwrap().url);
    let content = client.service_content().await.unwrap();
    client.login(&content.session_manager, "user", &Secret::new("pass")).await.unwrap();
    let manager = &content.event_manager;
    let collector = client.create_event_collector(manager, &EventFilter::default()).await.unwrap();
    let mut read = Vec::new();
    while read.len() < lines.len() {
        let page = client.read_next_events(&collector, 100).await.unwrap();
        assert!(!page.events.is_empty() && !page.is_cut, "{} of {}", read.len(), lines.len());
        read.extend(page.events.into_iter().map(|event| line(&event.unwrap(), format)));
    }
    let page = client.read_next_events(&collector, 100).await.unwrap();
    assert_eq!(page.events.len(), 0, "nothing happens but what was recorded");
    cloud.stop().await;
    read
}

/// The classes whose events came back changed, each with the first difference.
async fn changed(lines: &[Line], format: DataFormat) -> BTreeMap<String, String> {
    let read = replayed(lines, format).await;
    let pairs = lines.iter().zip(&read).filter(|(recorded, read)| recorded != read);
    pairs
        .map(|((class, recorded), (_, read))| (class.clone(), difference(recorded, read)))
        .collect()
}

fn difference(recorded: &str, read: &str) -> String {
    let same = recorded.bytes().zip(read.bytes()).take_while(|(a, b)| a == b).count();
    let shown = |text: &str| {
        let from = text.floor_char_boundary(same.saturating_sub(60));
        text[from..text.floor_char_boundary(same + 60)].to_owned()
    };
    format!("{} became {}", shown(recorded), shown(read))
}

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

#[tokio::test]
async fn events_with_every_field_come_back_as_they_were_recorded() {
    let lines = captured(FULL, DataFormat::Govmomi);
    assert_eq!(lines.len(), FULL_JSON.lines().count());
    assert_eq!(changed(&lines, DataFormat::Govmomi).await, none());
}

#[tokio::test]
async fn events_without_optional_fields_come_back_as_they_were_recorded() {
    let lines = captured(SPARSE, DataFormat::Govmomi);
    assert_eq!(lines.len(), SPARSE_JSON.lines().count());
    assert_eq!(changed(&lines, DataFormat::Govmomi).await, none());
}

#[tokio::test]
async fn events_in_vi_json_come_back_as_they_were_recorded() {
    for body in [FULL, SPARSE] {
        let lines = captured(body, DataFormat::ViJson);
        assert_eq!(changed(&lines, DataFormat::ViJson).await, none());
    }
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_was_recorded() {
    for format in [DataFormat::Govmomi, DataFormat::ViJson] {
        assert_eq!(changed(&captured(VALUES, format), format).await, none(), "{format:?}");
    }
}
