//! Each use is billed once, whatever the usage server writes again, and whatever is purged afterwards.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use jiff::SignedDuration;
use pluvio_connect::{
    cloudstack::usage::Config,
    component::{SourceConfig as _, SourceSlot},
};
use pluvio_event::Event;
use serde_json::{Value, json};

use crate::{
    cloudstack_site::{CloudSite, period, quiet},
    http_peer::{Answer, Asked, Peer},
};

const A: Option<&str> = Some("aaaaaaaa-0000-4000-8000-000000000001");
const B: Option<&str> = Some("bbbbbbbb-0000-4000-8000-000000000002");
/// A volume that the server knows no more.
const PURGED: Option<&str> = None;

/// A volume and how many hours of yesterday it was used.
type Row<'a> = (Option<&'a str>, &'a str);

/// What one record is billed by: its newest figure, and how many were captured.
pub(crate) type Billed = (String, usize);

/// A cloud whose usage records are those that a test says.
pub(crate) struct Ledger {
    site: CloudSite,
    peer: Peer,
    rows: Arc<Mutex<Vec<Value>>>,
    config: Config,
}

impl Ledger {
    pub(crate) async fn open() -> Self {
        let site = CloudSite::stopped(quiet()).await;
        let rows = Arc::<Mutex<Vec<Value>>>::default();
        let cloud = site.cloud.url().split('/').nth(2).unwrap().to_owned();
        let shown = Arc::clone(&rows);
        let peer = Peer::start(move |asked| match parameter(asked, "command").as_deref() {
            Some("listUsageRecords") => page(asked, &shown.lock().unwrap()),
            _ => tokio::task::block_in_place(|| forward(asked, &cloud)),
        });
        let peer = peer.await;
        let mut config = Config::new(format!("{}/client/api", peer.url));
        config.api_key = site.config.api_key.clone();
        config.secret_key = site.config.secret_key.clone();
        config.begin = period("3d");
        config.ticks = false;
        config.records_interval = period("1s");
        Self { site, peer, rows, config }
    }

    /// Starts, lists these volumes, and stops. Gives how many events came.
    async fn list(&mut self, rows: &[Row<'_>]) -> usize {
        self.list_rows(rows.iter().map(row_of).collect()).await
    }

    /// The same for rows that have everything but whose they are, and when.
    pub(crate) async fn list_rows(&mut self, mut rows: Vec<Value>) -> usize {
        let day = self.site.cloud.now() - SignedDuration::from_hours(24);
        let day = day.to_string()[..10].to_owned();
        for row in &mut rows {
            for (name, value) in [
                ("account", "web"),
                ("accountid", "a0a0a0a0-0000-4000-8000-000000000001"),
                ("domainid", "d0"),
                ("zoneid", "20a0a0a0-0000-4000-8000-000000000009"),
                ("startdate", &format!("{day}T00:00:00+0000")),
                ("enddate", &format!("{day}T23:59:59+0000")),
            ] {
                row[name] = json!(value);
            }
        }
        *self.rows.lock().unwrap() = rows;
        let before = self.site.captured().await.len();
        let asked_before = self.peer.asked().len();
        // Behind the list it is asked, row by row, whether there is more now; what was in it is on its way into the log.
        let has_ended = || {
            let asked = self.peer.asked();
            let is_row = |it: &Asked| {
                parameter(it, "command").as_deref() == Some("listUsageRecords")
                    && parameter(it, "pagesize").as_deref() == Some("1")
            };
            asked[asked_before..].iter().any(is_row)
        };
        let source = self.config.clone().build(SourceSlot { is_alone: true }).unwrap();
        self.site.start_source(Config::TYPE, source);
        self.site.until("the end of the list", |_| has_ended()).await;
        self.site.stop().await;
        self.site.captured().await.len() - before
    }

    /// What is billed, by record, in the order in which the records were captured.
    pub(crate) async fn billed(&self) -> Vec<Billed> {
        let mut billed: Vec<(String, Billed)> = Vec::new();
        for event in self.site.captured().await {
            let record = extension(&event, "recordid").unwrap();
            let data: Value = serde_json::from_slice(event.data().unwrap().as_bytes()).unwrap();
            let amount = data["rawusage"].as_str().unwrap().to_owned();
            let revision = extension(&event, "revision").map_or(1, |it| it.parse().unwrap());
            match billed.iter_mut().find(|(of, _)| *of == record) {
                Some((_, (newest, count))) => {
                    assert_eq!(revision, *count + 1, "revisions are counted");
                    (*newest, *count) = (amount, revision);
                }
                None => billed.push((record, (amount, revision))),
            }
        }
        billed.into_iter().map(|(_, billed)| billed).collect()
    }
}

fn extension(event: &Event, name: &str) -> Option<String> {
    event.extension(name).map(ToString::to_string)
}

fn row_of((volume, hours): &Row<'_>) -> Value {
    let mut row = json!({
        "usage": format!("{hours} Hrs"), "usagetype": 6, "rawusage": hours,
        "size": 10_737_418_240_u64, "offeringid": "0ff00000-0000-4000-8000-00000000000f",
        "description": "Volume usage with disk offering gold",
    });
    if let Some(volume) = volume {
        row["usageid"] = json!(volume);
        row["description"] = json!(format!("Volume usage for {volume} with disk offering gold"));
    }
    row
}

/// A parameter of a call, in its address or its body.
pub(crate) fn parameter(asked: &Asked, name: &str) -> Option<String> {
    let text = asked.text();
    let (_, query) = asked.line.split_once('?').unwrap_or_default();
    let mut all = query.split('&').chain(text.split('&'));
    all.find_map(|pair| pair.split_once('=').filter(|(it, _)| *it == name))
        .map(|(_, value)| value.to_owned())
}

fn page(asked: &Asked, rows: &[Value]) -> Answer {
    let number = |name: &str| parameter(asked, name).unwrap().parse::<usize>().unwrap();
    let (page, size) = (number("page"), number("pagesize"));
    let rows: Vec<_> = rows.iter().skip((page - 1) * size).take(size).collect();
    let answer = match rows.len() {
        0 => json!({}),
        count => json!({ "count": count, "usagerecord": rows }),
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n".to_owned();
    (head, json!({ "listusagerecordsresponse": answer }).to_string())
}

/// Lets the cloud answer.
pub(crate) fn forward(asked: &Asked, cloud: &str) -> Answer {
    let mut stream = TcpStream::connect(cloud).unwrap();
    let mut request = format!("{} HTTP/1.1\r\nhost: {cloud}\r\nconnection: close\r\n", asked.line);
    for name in ["content-type", "content-length", "cookie"] {
        if !asked.header(name).is_empty() {
            request += &format!("{name}: {}\r\n", asked.header(name));
        }
    }
    stream.write_all(format!("{request}\r\n{}", asked.text()).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let is_told = |line: &&str| {
        let line = line.to_lowercase();
        !line.starts_with("content-length") && !line.starts_with("connection")
    };
    let head: String = head.lines().filter(is_told).map(|line| format!("{line}\r\n")).collect();
    (head, body.to_owned())
}

pub(crate) fn billed(of: &[(&str, usize)]) -> Vec<Billed> {
    of.iter().map(|(amount, count)| ((*amount).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_written_twice_is_billed_once_when_its_resource_is_purged() {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list(&[(A, "24"), (A, "24"), (B, "24")]).await, 2);
    assert_eq!(ledger.list(&[(PURGED, "24"), (PURGED, "24"), (B, "24")]).await, 0);
    assert_eq!(ledger.billed().await, billed(&[("24", 1), ("24", 1)]));
    // That another one may have been used as long is told.
    let source = ledger.config.clone().build(SourceSlot { is_alone: true }).unwrap();
    ledger.site.start_source(Config::TYPE, source);
    let (told, _) = ledger.site.error().await;
    assert!(
        told.contains("1 records have the amounts of captured ones that look the same"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_revised_is_billed_once_when_its_resource_is_purged() {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list(&[(A, "24"), (A, "23.5")]).await, 2);
    assert_eq!(ledger.list(&[(PURGED, "24"), (PURGED, "23.5")]).await, 0);
    assert_eq!(ledger.billed().await, billed(&[("23.5", 2)]));
    // And counted anew when it was purged already.
    for news in [1, 0] {
        assert_eq!(ledger.list(&[(PURGED, "23")]).await, news);
    }
    assert_eq!(ledger.billed().await, billed(&[("23", 3)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_resource_that_was_never_captured_is_billed_though_it_is_listed_first() {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list(&[(A, "24")]).await, 1);
    for news in [1, 0] {
        assert_eq!(ledger.list(&[(PURGED, "5"), (PURGED, "24")]).await, news);
    }
    assert_eq!(ledger.billed().await, billed(&[("24", 1), ("5", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_that_is_counted_anew_after_the_purge_revises_its_record() {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list(&[(A, "24"), (B, "20")]).await, 2);
    for news in [1, 0] {
        assert_eq!(ledger.list(&[(PURGED, "24"), (PURGED, "19")]).await, news);
    }
    assert_eq!(ledger.billed().await, billed(&[("24", 1), ("19", 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_that_is_corrected_and_corrected_back_is_told_each_time() {
    let mut ledger = Ledger::open().await;
    for (hours, count) in [("24", 1), ("23.5", 2), ("24", 3), ("23.5", 4)] {
        assert_eq!(ledger.list(&[(A, hours), (B, "7")]).await, if count == 1 { 2 } else { 1 });
        assert_eq!(ledger.list(&[(A, hours), (B, "7")]).await, 0, "a mere re-listing");
        assert_eq!(ledger.billed().await, billed(&[(hours, count), ("7", 1)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_row_of_a_record_is_its_newest_figure_though_it_is_that_of_the_first() {
    let mut ledger = Ledger::open().await;
    assert_eq!(ledger.list(&[(A, "24"), (A, "23.5"), (A, "24")]).await, 3);
    assert_eq!(ledger.list(&[(A, "24"), (A, "23.5"), (A, "24")]).await, 0);
    assert_eq!(ledger.billed().await, billed(&[("24", 3)]));
    assert_eq!(ledger.list(&[(A, "24"), (A, "24")]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_alike_on_many_pages_are_all_billed_and_so_are_those_behind_them() {
    let mut ledger = Ledger::open().await;
    ledger.config.page_size = 10;
    let mut rows = vec![(PURGED, "24"); 35];
    rows.push((A, "7"));
    assert_eq!(ledger.list(&rows).await, 36);
    assert_eq!(ledger.list(&rows).await, 0);
    assert_eq!(ledger.billed().await.len(), 36);
}
