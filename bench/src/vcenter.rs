//! A vCenter as a bare client sees it: our own SOAP client, without Pluvio around it.
//!
//! What is measured against Pluvio must differ from it in Pluvio alone, so it speaks through the
//! same client, with the same page size, the same bell, and reads in the same order: until a page is
//! empty, then wait.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use pluvio_clouds::vsphere::{
    Client, DataFormat, EventFilter, MoRef, NewEvent, Page, Redaction, ServiceContent,
};
use pluvio_e2e::servers::Source;
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::Secret;
use tokio::sync::mpsc;

/// The type of every event that a benchmark posts.
pub(crate) const POSTED_TYPE: &str = "com.example.pluvio.bench";

const PAGE_EVENTS_MAX: u32 = 1000;
const WAIT_MAX: Duration = Duration::from_secs(15);

/// One session.
#[derive(Debug)]
pub(crate) struct VCenter {
    client: Client,
    content: ServiceContent,
}

/// What becomes of the events of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    /// Decoded from SOAP, and dropped.
    Decoded,
    /// Decoded, and rendered as the JSON that Pluvio stores.
    Rendered,
}

impl VCenter {
    pub(crate) async fn login(source: impl Into<Source>) -> Result<VCenter> {
        let Source { url, username, password, .. } = source.into();
        let tls = TlsOptions { insecure: true, ..TlsOptions::default() };
        let mut client = Client::new(HttpClient::new(&tls)?, url.parse()?);
        if let Ok(version) = client.newest_version().await {
            client = client.with_version(version);
        }
        let content = client.service_content().await?;
        client.login(&content.session_manager, username, &Secret::new(password)).await?;
        Ok(VCenter { client, content })
    }

    /// Posts one event about the root folder: vcsim needs an object that exists.
    pub(crate) async fn post(&self, number: u64) -> Result<()> {
        let event = NewEvent {
            event_type_id: POSTED_TYPE.to_owned(),
            severity: Some("info".to_owned()),
            message: format!("event {number} of a benchmark"),
            object: self.content.root_folder.clone(),
            arguments: Vec::new(),
        };
        Ok(self.client.post_event(&self.content.event_manager, &event).await?)
    }

    /// Reads all that happened in two days, page by page, and counts it.
    pub(crate) async fn drain(&self, how: Drain) -> Result<usize> {
        let collector = self.collector(SignedDuration::from_hours(48)).await?;
        let (redaction, mut count) = (Redaction::default(), 0);
        loop {
            let page = self.read(&collector).await?;
            if page.events.is_empty() {
                break;
            }
            count += page.events.len();
            if how == Drain::Rendered {
                for event in page.events.iter().flatten() {
                    let rendered = event.render(DataFormat::Govmomi, &redaction);
                    std::hint::black_box(rendered.json);
                }
            }
        }
        self.client.destroy_collector(&collector).await?;
        Ok(count)
    }

    /// Tells the latency of each posted event, for as long as somebody listens: from its
    /// `createdTime` until it was read and decoded, in milliseconds.
    pub(crate) async fn probe(self, latencies: mpsc::UnboundedSender<f64>) -> Result<()> {
        let collector = self.collector(SignedDuration::from_mins(10)).await?;
        let shared = &self.content.property_collector;
        let bell = self.client.create_property_collector(shared).await?;
        self.client.create_filter(&bell, &collector, "latestPage").await?;
        let mut version = self.client.wait_for_updates(&bell, None, WAIT_MAX).await?;
        loop {
            let page = self.read(&collector).await?;
            let now = Timestamp::now();
            for event in page.events.iter().flatten() {
                if event.type_name() != POSTED_TYPE {
                    continue;
                }
                let created = event.created_time.context("an event without time")?;
                if latencies.send(now.duration_since(created).as_secs_f64() * 1e3).is_err() {
                    return Ok(());
                }
            }
            if page.events.is_empty() {
                let on = version.as_deref();
                if let Some(news) = self.client.wait_for_updates(&bell, on, WAIT_MAX).await? {
                    version = Some(news);
                }
            }
        }
    }

    async fn collector(&self, reach: SignedDuration) -> Result<MoRef> {
        let begin = self.client.current_time().await? - reach;
        let filter = EventFilter { begin: Some(begin), max_count: Some(1), ..Default::default() };
        Ok(self.client.create_event_collector(&self.content.event_manager, &filter).await?)
    }

    async fn read(&self, collector: &MoRef) -> Result<Page> {
        Ok(self.client.read_next_events(collector, PAGE_EVENTS_MAX).await?)
    }
}
