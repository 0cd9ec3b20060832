//! Usage equals what there is.

use std::{collections::BTreeSet, time::Duration};

use pluvio_clouds::cloudstack::{Method, Params, Reply};
use pluvio_connect::cloudstack::usage::{Config, NAME};
use pluvio_event::Event;
use pluvio_sim::CloudStackConfig;
use serde_json::Value;

use crate::cloudstack_site::{CloudSite, period, quiet};

struct Usage {
    site: CloudSite,
    config: Config,
}

impl Usage {
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let site = CloudSite::stopped(CloudStackConfig { machines: 30, ..quiet() }).await;
        let mut config = Config::new(site.cloud.url());
        config.api_key = site.config.api_key.clone();
        config.secret_key = site.config.secret_key.clone();
        config.interval = period("1s");
        config.page_size = 10;
        change(&mut config);
        // Records are of whole days, and the machines' first must be over.
        site.cloud.advance(Duration::from_secs(3 * 86_400));
        let mut usage = Self { site, config };
        usage.start();
        usage
    }

    fn start(&mut self) {
        let source = self.config.clone().build().unwrap();
        self.site.start_source(NAME, source);
    }

    /// All rows of a list, both with and without projects.
    async fn rows(&self, command: &str, object: &str) -> Vec<Value> {
        let client = self.site.client().await;
        let mut rows = Vec::new();
        for projects in [None, Some("-1")] {
            let params = Params::new().with("listall", "true").with("page", "1");
            let params = params.with("pagesize", "500").with_some("projectid", projects);
            let reply: Reply = client.call(command, params, Method::Get).await.unwrap();
            let object_rows: Value = serde_json::from_str(reply.object().get()).unwrap();
            rows.extend(object_rows[object].as_array().cloned().unwrap_or_default());
        }
        rows
    }
}

fn data(event: &Event) -> Value {
    serde_json::from_slice(event.data().unwrap().as_bytes()).unwrap()
}

fn totals(captured: &[Event]) -> Vec<Value> {
    let ticks = captured.iter().filter(|event| event.event_type() == "org.apache.cloudstack.usage");
    ticks.map(data).filter(|tick| tick.get("vm_sum").is_some()).collect()
}

fn unique_ids(captured: &[Event]) -> usize {
    captured.iter().map(Event::id).collect::<BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_equals_what_there_is_over_all_pages() {
    let usage = Usage::with(|config| config.records = false).await;
    usage.site.until("two ticks", |captured| totals(captured).len() >= 2).await;
    let tick = totals(&usage.site.captured().await).pop().unwrap();
    let machines = usage.rows("listVirtualMachines", "virtualmachine").await;
    let volumes = usage.rows("listVolumes", "volume").await;
    let sum = |rows: &[Value], field: &str| -> u64 {
        rows.iter().map(|row| row[field].as_u64().unwrap()).sum()
    };
    let of = |kind: &str| -> Vec<Value> {
        volumes.iter().filter(|volume| volume["type"] == kind).cloned().collect()
    };
    assert!(machines.len() > 20, "more than two pages");
    assert_eq!(tick["vm_sum"], machines.len());
    assert_eq!(tick["memory_sum"], sum(&machines, "memory") << 20);
    assert_eq!(tick["cpu_sum"], sum(&machines, "cpunumber"));
    assert_eq!(tick["root_volume_sum"], sum(&of("ROOT"), "size"));
    assert_eq!(tick["data_volume_sum"], sum(&of("DATADISK"), "size"));
    let small = machines.iter().filter(|row| row["serviceofferingname"] == "Small Instance");
    assert_eq!(tick["Small Instance"], small.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_lie_on_the_clock_count_all_events_and_are_not_repeated_by_a_restart() {
    let mut usage = Usage::with(|config| config.records = false).await;
    usage.site.until("a tick", |captured| !totals(captured).is_empty()).await;
    let before = usage.site.cloud.event_count();
    for _ in 0..3 {
        usage.site.cloud.post(7);
        usage.site.stop().await;
        usage.start();
        let ticks = totals(&usage.site.captured().await).len();
        usage.site.until("more ticks", |captured| totals(captured).len() >= ticks + 2).await;
    }
    let posted = (usage.site.cloud.event_count() - before) as u64;
    usage
        .site
        .until("all events to be counted", |captured| {
            let flows = captured.iter().filter_map(|event| data(event)["events_flow"].as_u64());
            flows.sum::<u64>() >= posted
                || captured.iter().any(|e| e.event_type() == "pluvio.gap.v0")
        })
        .await;
    let captured = usage.site.captured().await;
    assert_eq!(unique_ids(&captured), captured.len());
    assert!(captured.iter().all(|event| event.time().unwrap().subsec_nanosecond() == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_usage_record_is_captured_once() {
    let mut usage = Usage::with(|config| {
        config.begin = period("2d");
        config.interval = period("1h");
        config.records_interval = period("1s");
    })
    .await;
    let client = usage.site.client().await;
    let now = usage.site.cloud.now().as_second();
    let begin =
        jiff::Timestamp::from_second((now - 2 * 86_400).div_euclid(86_400) * 86_400).unwrap();
    let query = pluvio_clouds::cloudstack::UsageQuery::between(begin, usage.site.cloud.now());
    let expected = client.all_pages_up_to_rows(&query, 500, 100_000).await.unwrap().rows.len();
    assert!(expected > 50, "{expected}");
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    for _ in 0..2 {
        usage.site.stop().await;
        usage.start();
        usage.site.cloud.forget_calls();
        usage
            .site
            .until("another look", |_| {
                let calls = usage.site.cloud.calls();
                calls.get("listUsageRecords").is_some_and(|calls| calls.calls > 12)
            })
            .await;
    }
    let captured = usage.site.captured().await;
    assert_eq!((captured.len(), unique_ids(&captured)), (expected, expected));
}
