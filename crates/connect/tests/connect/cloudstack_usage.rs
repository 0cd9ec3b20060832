//! Usage equals what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::tz::TimeZone;
use pluvio_clouds::cloudstack::{DateFormat, Method, Params, Reply, UsageQuery};
use pluvio_connect::{
    cloudstack::usage::Config,
    component::{SourceConfig as _, SourceSlot},
};
use pluvio_event::Event;
use pluvio_log::{Log as _, LogHandle, Memory, MemoryConfig};
use pluvio_runtime::Source as _;
use pluvio_secret::SecretSource;
use pluvio_sim::{
    CloudStackConfig,
    cloudstack::{Fault, Version},
};
use serde_json::Value;

use crate::{
    cloudstack_site::{CloudSite, period, quiet},
    cloudstack_usage_rows::{forward, parameter},
    forgetful::Forgetful,
    http_peer::Peer,
};

struct Usage {
    site: CloudSite,
    config: Config,
}

impl Usage {
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(CloudStackConfig::default().version, None, change).await
    }

    /// A cloud of that release, with a fault in force from the beginning.
    async fn of(version: Version, fault: Option<Fault>, change: impl FnOnce(&mut Config)) -> Self {
        let site = CloudSite::stopped(CloudStackConfig { version, machines: 30, ..quiet() }).await;
        fault.into_iter().for_each(|fault| site.cloud.inject(fault));
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
        let source = self.config.clone().build(SourceSlot { is_alone: true }).unwrap();
        self.site.start_source(Config::TYPE, source);
    }

    /// Records and no ticks, of two days, asked for all the time.
    fn records(config: &mut Config) {
        config.begin = period("2d");
        config.ticks = false;
        config.records_interval = period("1s");
    }

    /// Waits until more was asked for than a listing of so many records takes.
    async fn until_the_end(&self, records: usize) {
        let is_over = |_: &[Event]| {
            let calls = self.site.cloud.calls();
            let calls = calls.get("listUsageRecords");
            calls.is_some_and(|calls| calls.calls as usize > records / 10 + 3)
        };
        self.site.until("the end of the list", is_over).await;
    }

    /// How many records the cloud lists.
    async fn listed(&self) -> usize {
        let client = self.site.client().await;
        let now = self.site.cloud.now().as_second();
        let begin =
            jiff::Timestamp::from_second((now - 2 * 86_400).div_euclid(86_400) * 86_400).unwrap();
        let zone = TimeZone::posix(&CloudStackConfig::default().time_zone).unwrap();
        let dates = match self.site.cloud.status().version {
            Version::V4_9 | Version::V4_17 => DateFormat::WallClock(zone.to_offset(begin)),
            _ => DateFormat::Iso,
        };
        let query = UsageQuery { dates, ..UsageQuery::between(begin, self.site.cloud.now()) };
        let all = client.all_pages_up_to_rows(&query, 500, 100_000).await.unwrap();
        all.rows.len() + all.malformed.len()
    }

    /// Restarts, and waits until all records were listed once more.
    async fn list_again(&mut self) {
        self.site.stop().await;
        self.start();
        self.site.cloud.forget_calls();
        self.site
            .until("another look", |_| {
                let calls = self.site.cloud.calls();
                calls.get("listUsageRecords").is_some_and(|calls| calls.calls > 15)
            })
            .await;
    }

    /// All rows of a list, both with and without projects; what both have, once.
    async fn rows(&self, command: &str, object: &str) -> Vec<Value> {
        let client = self.site.client().await;
        let mut rows = BTreeMap::new();
        for projects in [None, Some("-1")] {
            let params = Params::new().with("listall", "true").with("page", "1");
            let params = params.with("pagesize", "500").with_some("projectid", projects);
            let reply: Reply = client.call(command, params, Method::Get).await.unwrap();
            let object_rows: Value = serde_json::from_str(reply.object().get()).unwrap();
            let object_rows = object_rows[object].as_array().cloned().unwrap_or_default();
            rows.extend(object_rows.into_iter().map(|row| (row["id"].to_string(), row)));
        }
        rows.into_values().collect()
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
    assert!(machines.iter().any(|row| row.get("projectid").is_some()), "some of projects");
    assert_eq!(tick["vm_sum"], machines.len());
    assert_eq!(tick["memory_sum"], sum(&machines, "memory") << 20);
    assert_eq!(tick["cpu_sum"], sum(&machines, "cpunumber"));
    assert_eq!(tick["root_volume_sum"], sum(&of("ROOT"), "size"));
    assert_eq!(tick["data_volume_sum"], sum(&of("DATADISK"), "size"));
    let small = machines.iter().filter(|row| row["serviceofferingname"] == "Small Instance");
    assert_eq!(tick["Small Instance"], small.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_reads_on_behind_a_page_that_lacks_a_machine_which_the_server_still_counts() {
    let mut usage = Usage::with(|config| config.records = false).await;
    usage.site.until("a tick", |captured| !totals(captured).is_empty()).await;
    usage.site.stop().await;
    let before = totals(&usage.site.captured().await);
    let cloud = usage.site.cloud.url().split('/').nth(2).unwrap().to_owned();
    let peer = Peer::start(move |asked| {
        let (head, body) = tokio::task::block_in_place(|| forward(asked, &cloud));
        let is_first = parameter(asked, "page").as_deref() == Some("1");
        match parameter(asked, "command").as_deref() {
            Some("listVirtualMachines") if is_first => {
                let mut answer: Value = serde_json::from_str(&body).unwrap();
                let rows = answer.pointer_mut("/listvirtualmachinesresponse/virtualmachine");
                rows.and_then(Value::as_array_mut).map(Vec::pop);
                (head, answer.to_string())
            }
            _ => (head, body),
        }
    });
    let peer = peer.await;
    usage.config.url = format!("{}/client/api", peer.url);
    usage.start();
    usage.site.until("another tick", |captured| totals(captured).len() > before.len()).await;
    let sum = |tick: &Value| tick["vm_sum"].as_u64().unwrap();
    let machines = sum(before.last().unwrap());
    let tick = totals(&usage.site.captured().await).pop().unwrap();
    // Two lists lack a machine each, unless the other one has it.
    assert!((machines - 2..=machines).contains(&sum(&tick)), "{tick} of {machines}");
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
    let expected = usage.listed().await;
    assert!(expected > 50, "{expected}");
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    for _ in 0..2 {
        usage.list_again().await;
    }
    let captured = usage.site.captured().await;
    assert_eq!((captured.len(), unique_ids(&captured)), (expected, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_log_may_have_forgotten_is_not_billed_twice_and_that_is_told() {
    let mut usage = Usage::with(Usage::records).await;
    usage.site.cloud.inject(Fault::UnreadableUsage { count: 3 });
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    let is_unread = |event: &Event| event.event_type().ends_with(".malformed");
    assert!(usage.site.captured().await.iter().any(is_unread));
    // The listing comes to its end, and tells that.
    usage.list_again().await;
    usage.until_the_end(expected).await;
    usage.site.stop().await;
    // A log that has all of them and knows the ids of the last only.
    let memory = MemoryConfig { ids_max: 10, ..MemoryConfig::default() };
    usage.site.log = usage.site.copied_to(LogHandle::new(Memory::new(memory))).await;
    usage.start();
    let told = usage.site.error().await.0;
    assert!(told.contains("are left aside: the log does not know any more"), "{told}");
    let captured = usage.site.captured().await;
    assert_eq!((captured.len(), unique_ids(&captured)), (expected, expected));
}

/// Retention took the records; their ids are lost while they are listed again.
#[tokio::test(flavor = "multi_thread")]
async fn records_whose_ids_are_lost_in_the_middle_of_a_listing_are_not_billed_twice() {
    let mut usage = Usage::with(Usage::records).await;
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    usage.list_again().await;
    usage.until_the_end(expected).await;
    usage.site.stop().await;
    let log = LogHandle::new(Forgetful::new(Memory::new(MemoryConfig::default())));
    let log = usage.site.copied_to(log).await;
    let end = log.extent(&usage.site.stream).unwrap().next;
    log.trim(&usage.site.stream, end).await.unwrap();
    usage.site.log = log;
    usage.start();
    let told = usage.site.error().await.0;
    assert!(told.starts_with(&format!("{expected} records")), "{told}");
    assert_eq!(usage.site.captured().await.len(), 0);
}

fn text(event: &Event, attribute: &str) -> Option<String> {
    event.extension(attribute).map(ToString::to_string)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_old_releases_are_captured_whatever_their_dates_look_like() {
    let usage = Usage::of(Version::V4_17, None, Usage::records).await;
    let expected = usage.listed().await;
    assert!(expected > 50, "{expected}");
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    let captured = usage.site.captured().await;
    let of_record = |event: &&Event| event.event_type() == "org.apache.cloudstack.usagerecord";
    assert_eq!(captured.iter().filter(of_record).count(), expected);
    let printed = data(&captured[0])["startdate"].as_str().unwrap().to_owned();
    assert!(printed.contains("'T'"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_are_purged_make_no_record_come_again_and_none_go() {
    // Whatever is taken out of the rows that are stored.
    for hidden in [vec![], vec!["accountid".to_owned(), "enddate".to_owned()]] {
        let mut usage = Usage::with(|config| {
            Usage::records(config);
            config.redact = hidden;
        })
        .await;
        let expected = usage.listed().await;
        usage.site.until("all records", |captured| captured.len() >= expected).await;
        usage.site.cloud.inject(Fault::PurgedMachines { count: 4 });
        for _ in 0..2 {
            usage.list_again().await;
            let captured = usage.site.captured().await;
            assert_eq!((captured.len(), unique_ids(&captured)), (expected, expected));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_were_purged_before_the_first_look_have_a_record_each() {
    let fault = Fault::PurgedMachines { count: 4 };
    let version = CloudStackConfig::default().version;
    let mut usage = Usage::of(version, Some(fault), Usage::records).await;
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    for _ in 0..2 {
        usage.list_again().await;
        let captured = usage.site.captured().await;
        assert_eq!((captured.len(), unique_ids(&captured)), (expected, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_figure_changes_comes_again_as_a_revision_of_itself() {
    let mut usage = Usage::with(Usage::records).await;
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    usage.site.cloud.inject(Fault::Recounted { seconds: 90 });
    usage.list_again().await;
    usage.site.until("all revisions", |captured| captured.len() >= 2 * expected).await;
    usage.list_again().await;
    let captured = usage.site.captured().await;
    assert_eq!((captured.len(), unique_ids(&captured)), (2 * expected, 2 * expected));
    let (first, second) = captured.split_at(expected);
    let ids = |events: &[Event]| -> BTreeSet<_> {
        events.iter().map(|event| text(event, "recordid").unwrap()).collect()
    };
    assert_eq!(ids(first), ids(second));
    assert_eq!(ids(first).len(), expected);
    assert!(first.iter().all(|event| text(event, "revision").is_none()));
    assert!(second.iter().all(|event| text(event, "revision").as_deref() == Some("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_attribute_has_missed_no_tick() {
    let mut usage = Usage::with(|config| config.records = false).await;
    usage.site.until("a tick", |captured| !totals(captured).is_empty()).await;
    usage.site.stop().await;
    usage.site.cloud.advance(Duration::from_secs(3600));
    usage.config.source = Some("urn:2".to_owned());
    usage.start();
    let is_new = |event: &&Event| event.source() == "urn:2";
    usage.site.until("a tick", |captured| captured.iter().any(|it| is_new(&it))).await;
    let captured = usage.site.captured().await;
    assert!(captured.iter().filter(is_new).all(|it| it.event_type() != "pluvio.gap.v0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_source_attribute_begin_where_the_ones_before_ended() {
    let mut usage = Usage::with(Usage::records).await;
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    usage.site.stop().await;
    usage.config.begin = period("0s");
    usage.config.source = Some("urn:2".to_owned());
    usage.start();
    let of = |captured: &[Event]| captured.iter().filter(|it| it.source() == "urn:2").count();
    // As late as a record may be written, and so all that were listed before.
    usage.site.until("all records", |captured| of(captured) >= expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_read_are_kept_and_told() {
    let fault = Fault::UnreadableUsage { count: 2 };
    let version = CloudStackConfig::default().version;
    let usage = Usage::of(version, Some(fault), |config| {
        Usage::records(config);
        config.page_size = 500;
    })
    .await;
    let expected = usage.listed().await;
    usage.site.until("all records", |captured| captured.len() >= expected).await;
    let captured = usage.site.captured().await;
    let malformed: Vec<_> = captured
        .iter()
        .filter(|event| event.event_type() == "org.apache.cloudstack.malformed")
        .collect();
    assert_eq!(malformed.len(), 2);
    assert!(text(malformed[0], "pluvioflaw").unwrap().contains("startdate"));
    let (told, _) = usage.site.error().await;
    assert!(told.contains("some records cannot be read: 2 of"), "{told}");
    assert!(told.contains("startdate"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_an_account_that_may_list_no_records_says_so() {
    let site = CloudSite::stopped(CloudStackConfig { machines: 30, ..quiet() }).await;
    let user = site.cloud.keys().into_iter().find(|keys| keys.role == "User").unwrap();
    let mut config = Config::new(site.cloud.url());
    config.api_key = Some(SecretSource::literal(user.api_key));
    config.secret_key = Some(SecretSource::literal(user.secret_key));
    let slot = SourceSlot { is_alone: true };
    let refused = config.clone().build(slot).unwrap().probe().await.unwrap_err().to_string();
    assert!(refused.contains("may not call listUsageRecords"), "{refused}");
    config.records = false;
    config.build(slot).unwrap().probe().await.unwrap();
}
