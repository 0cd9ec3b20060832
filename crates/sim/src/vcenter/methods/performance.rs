//! `PerformanceManager`: counters of machines, hosts, clusters and datastores, and their samples.
//!
//! A sample is worked out from the entity, the counter and its time, so that two clients see the same and
//! nothing is kept. Machines and hosts are sampled every 20 s for the past hour, all others every five
//! minutes for the past day, as a vCenter has it; a machine that is off has no samples. Counters have other
//! keys in each vCenter: a client looks them up by group, name and rollup.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::Call;
use crate::vcenter::clock::xml_time;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::inventory::{EntityId, Kind, Property};
use crate::vcenter::moref::MoRef;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{Element, leaf};

const MACHINE: &[Kind] = &[Kind::Machine];
const HOST: &[Kind] = &[Kind::Host];
const BOTH: &[Kind] = &[Kind::Machine, Kind::Host];
const MANY: &[Kind] = &[Kind::Machine, Kind::Host, Kind::Cluster];
const STORE: &[Kind] = &[Kind::Datastore];

/// Group, name, rollup, kind of statistics, unit, whose it is, and between what it lies.
type Counter = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [Kind],
    Range<u64>,
);

const COUNTERS: &[Counter] = &[
    ("cpu", "usage", "average", "rate", "percent", MANY, 50..9_500),
    ("cpu", "usagemhz", "average", "rate", "megaHertz", MANY, 20..4_000),
    ("cpu", "demand", "average", "absolute", "megaHertz", BOTH, 20..4_000),
    ("cpu", "ready", "summation", "delta", "millisecond", BOTH, 0..400),
    ("cpu", "costop", "summation", "delta", "millisecond", BOTH, 0..20),
    ("cpu", "idle", "summation", "delta", "millisecond", BOTH, 1_000..20_000),
    ("cpu", "used", "summation", "delta", "millisecond", BOTH, 100..20_000),
    ("cpu", "swapwait", "summation", "delta", "millisecond", BOTH, 0..5),
    ("cpu", "maxlimited", "summation", "delta", "millisecond", MACHINE, 0..5),
    ("mem", "usage", "average", "absolute", "percent", MANY, 500..9_000),
    ("mem", "consumed", "average", "absolute", "kiloBytes", MANY, 200_000..8_000_000),
    ("mem", "active", "average", "absolute", "kiloBytes", MANY, 50_000..4_000_000),
    ("mem", "swapped", "average", "absolute", "kiloBytes", MACHINE, 0..100),
    ("mem", "swapin", "average", "absolute", "kiloBytes", BOTH, 0..100),
    ("mem", "swapout", "average", "absolute", "kiloBytes", BOTH, 0..100),
    ("mem", "swapinRate", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10),
    ("mem", "swapoutRate", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10),
    ("mem", "vmmemctl", "average", "absolute", "kiloBytes", MANY, 0..100),
    ("mem", "latency", "average", "absolute", "percent", BOTH, 0..50),
    ("mem", "totalCapacity", "average", "absolute", "megaBytes", HOST, 262_144..262_145),
    ("disk", "usage", "average", "rate", "kiloBytesPerSecond", BOTH, 0..20_000),
    ("disk", "read", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("disk", "write", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("disk", "maxTotalLatency", "latest", "absolute", "millisecond", BOTH, 0..30),
    ("disk", "capacity", "latest", "absolute", "kiloBytes", STORE, 2_147_483_648..2_147_483_649),
    ("disk", "used", "latest", "absolute", "kiloBytes", STORE, 400_000_000..900_000_000),
    ("disk", "provisioned", "latest", "absolute", "kiloBytes", STORE, 900_000_000..2_000_000_000),
    ("datastore", "numberReadAveraged", "average", "rate", "number", STORE, 0..500),
    ("datastore", "numberWriteAveraged", "average", "rate", "number", STORE, 0..500),
    ("net", "usage", "average", "rate", "kiloBytesPerSecond", BOTH, 0..20_000),
    ("net", "received", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("net", "transmitted", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("net", "bytesRx", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("net", "bytesTx", "average", "rate", "kiloBytesPerSecond", BOTH, 0..10_000),
    ("net", "multicastRx", "summation", "delta", "number", BOTH, 0..50),
    ("net", "multicastTx", "summation", "delta", "number", BOTH, 0..50),
    ("net", "broadcastRx", "summation", "delta", "number", BOTH, 0..200),
    ("net", "broadcastTx", "summation", "delta", "number", BOTH, 0..200),
    ("net", "droppedRx", "summation", "delta", "number", BOTH, 0..2),
    ("net", "droppedTx", "summation", "delta", "number", BOTH, 0..2),
    ("net", "errorsRx", "summation", "delta", "number", HOST, 0..2),
    ("net", "errorsTx", "summation", "delta", "number", HOST, 0..2),
    ("power", "power", "average", "rate", "watt", BOTH, 10..400),
    ("sys", "uptime", "latest", "absolute", "second", BOTH, 86_400..8_640_000),
];

/// Seconds from one sample to the next, and for how long they are kept.
const REALTIME: (i64, i64) = (20, 3_600);
const PAST_DAY: (i64, i64) = (300, 86_400);

/// Methods of the performance manager.
pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    match call.method.as_str() {
        "QueryPerf" => query(cloud, call),
        "QueryAvailablePerfMetric" => available(cloud, call),
        "QueryPerfCounter" => {
            let ids = call.parameters.all("counterId").map(|id| id.text.trim().parse::<usize>());
            let infos = ids.map(|id| {
                let key = id.ok().filter(|key| counter(*key).is_some());
                key.map(info).ok_or(SoapFault::InvalidArgument("counterId"))
            });
            Ok(returned("PerfCounterInfo", infos.collect::<Result<Vec<_>, _>>()?))
        }
        "QueryPerfCounterByLevel" => Ok(returned("PerfCounterInfo", infos())),
        "QueryPerfProviderSummary" => provider(cloud, call),
        _ => Err(call.unknown()),
    }
}

/// `perfCounter`.
pub(super) fn counters() -> Property {
    Property::array("PerfCounterInfo", infos())
}

/// `historicalInterval`.
pub(super) fn intervals() -> Property {
    let interval = |(key, (period, name, length)): (usize, (i64, &str, i64))| {
        let mut out = String::new();
        leaf(&mut out, "key", &(key + 1).to_string());
        leaf(&mut out, "samplingPeriod", &period.to_string());
        leaf(&mut out, "name", name);
        leaf(&mut out, "length", &length.to_string());
        leaf(&mut out, "level", "1");
        leaf(&mut out, "enabled", "true");
        out
    };
    let all = [
        (300, "Past day", 86_400),
        (1_800, "Past week", 604_800),
        (7_200, "Past month", 2_592_000),
        (86_400, "Past year", 31_536_000),
    ];
    Property::array("PerfInterval", all.into_iter().enumerate().map(interval))
}

fn returned(class: &'static str, contents: Vec<String>) -> String {
    let mut out = String::new();
    Property::array(class, contents).write_returned(&mut out);
    out
}

fn counter(key: usize) -> Option<&'static Counter> {
    COUNTERS.get(key.checked_sub(1)?)
}

fn infos() -> Vec<String> {
    (1..=COUNTERS.len()).map(info).collect()
}

/// The content of a `PerfCounterInfo`.
fn info(key: usize) -> String {
    let Some((group, name, rollup, stats, unit, ..)) = counter(key) else { return String::new() };
    let mut out = String::new();
    leaf(&mut out, "key", &key.to_string());
    for (element, word) in [("nameInfo", name), ("groupInfo", group), ("unitInfo", unit)] {
        out.push_str(&format!("<{element}>"));
        leaf(&mut out, "label", word);
        leaf(&mut out, "summary", word);
        leaf(&mut out, "key", word);
        out.push_str(&format!("</{element}>"));
    }
    leaf(&mut out, "rollupType", rollup);
    leaf(&mut out, "statsType", stats);
    leaf(&mut out, "level", "1");
    leaf(&mut out, "perDeviceLevel", "3");
    out
}

fn entity(cloud: &Cloud, element: Option<&Element>) -> Result<(MoRef, EntityId), SoapFault> {
    let object = element.map(MoRef::read).ok_or(SoapFault::InvalidArgument("entity"))?;
    match cloud.inventory.find(&object) {
        Some(id) => Ok((object, id)),
        None => Err(SoapFault::ManagedObjectNotFound(object)),
    }
}

fn is_sampled_now(cloud: &Cloud, id: EntityId) -> bool {
    matches!(cloud.inventory.get(id).kind, Kind::Machine | Kind::Host)
}

/// `QueryPerfProviderSummary`.
fn provider(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    let (object, id) = entity(cloud, call.parameters.child("entity"))?;
    let is_sampled_now = is_sampled_now(cloud, id);
    let mut out = String::from("<returnval>");
    object.write(&mut out, "entity");
    leaf(&mut out, "currentSupported", &is_sampled_now.to_string());
    leaf(&mut out, "summarySupported", "true");
    if is_sampled_now {
        leaf(&mut out, "refreshRate", &REALTIME.0.to_string());
    }
    out.push_str("</returnval>");
    Ok(out)
}

/// The keys of an entity's counters.
fn keys_of(cloud: &Cloud, id: EntityId) -> impl Iterator<Item = usize> {
    let kind = cloud.inventory.get(id).kind;
    let is_its =
        move |(index, counter): (usize, &Counter)| counter.5.contains(&kind).then_some(index + 1);
    COUNTERS.iter().enumerate().filter_map(is_its)
}

/// `QueryAvailablePerfMetric`.
fn available(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    let (_, id) = entity(cloud, call.parameters.child("entity"))?;
    let metric = |key| format!("<counterId>{key}</counterId><instance></instance>");
    Ok(returned("PerfMetricId", keys_of(cloud, id).map(metric).collect()))
}

/// `QueryPerf`: what each of its specifications asks for.
fn query(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    let mut out = String::new();
    for spec in call.parameters.all("querySpec") {
        let (object, id) = entity(cloud, spec.child("entity"))?;
        let times = times(cloud, spec, id)?;
        let is_csv = spec.text_of("format") == Some("csv");
        let wanted: Vec<usize> = spec.all("metricId").filter_map(key_in).collect();
        let keys = keys_of(cloud, id).filter(|key| wanted.is_empty() || wanted.contains(key));
        let series: Vec<_> = keys.map(|key| (key, values(&object, key, &times))).collect();
        if times.is_empty() || series.is_empty() {
            continue;
        }
        let interval = interval(cloud, spec, id).0;
        let class = if is_csv { "PerfEntityMetricCSV" } else { "PerfEntityMetric" };
        out.push_str(&format!("<returnval xsi:type=\"{class}\">"));
        object.write(&mut out, "entity");
        write_times(&mut out, &times, interval, is_csv);
        series.iter().for_each(|(key, values)| write_series(&mut out, *key, values, is_csv));
        out.push_str("</returnval>");
    }
    Ok(out)
}

/// The counter of a `PerfMetricId`; only sums over all instances are kept here.
fn key_in(metric: &Element) -> Option<usize> {
    let is_sum = matches!(metric.text_of("instance"), None | Some("" | "*"));
    metric.text_of("counterId").filter(|_| is_sum)?.parse().ok()
}

/// The seconds from sample to sample, and how far back they reach.
fn interval(cloud: &Cloud, spec: &Element, id: EntityId) -> (i64, i64) {
    match spec.text_of("intervalId") {
        Some("20") => REALTIME,
        None if is_sampled_now(cloud, id) => REALTIME,
        _ => PAST_DAY,
    }
}

/// The times of the samples, oldest first: behind the start, up to the end.
fn times(cloud: &Cloud, spec: &Element, id: EntityId) -> Result<Vec<Timestamp>, SoapFault> {
    let (step, length) = interval(cloud, spec, id);
    let is_on = match cloud.inventory.get(id).kind {
        Kind::Machine => {
            let state = cloud.inventory.property(id, "runtime.powerState");
            state.is_some_and(|state| matches!(state, Property::Plain(_, on) if on == "poweredOn"))
        }
        _ => true,
    };
    if !is_on || (step == REALTIME.0 && !is_sampled_now(cloud, id)) {
        return Ok(Vec::new());
    }
    let time = |name, fault| match spec.text_of(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| SoapFault::InvalidArgument(fault)),
    };
    let now = cloud.clock.now();
    let oldest = now.saturating_sub(SignedDuration::from_secs(length)).unwrap_or(now);
    let begin = time("startTime", "querySpec.startTime")?.unwrap_or(oldest).max(oldest);
    let end: Timestamp = time("endTime", "querySpec.endTime")?.unwrap_or(now).min(now);
    let max = match spec.text_of("maxSample").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(max)) => max,
        Some(Err(_)) => return Err(SoapFault::InvalidArgument("querySpec.maxSample")),
    };
    let newest = end.as_second() - end.as_second().rem_euclid(step);
    let back =
        (0..).map(|nth| newest - nth * step).take_while(|second| *second > begin.as_second());
    let mut times: Vec<_> =
        back.take(max).filter_map(|second| Timestamp::from_second(second).ok()).collect();
    times.reverse();
    Ok(times)
}

/// A counter's samples of an entity.
fn values(object: &MoRef, key: usize, times: &[Timestamp]) -> Vec<u64> {
    let range = counter(key).map_or(0..1, |counter| counter.6.clone());
    let value = |time: &Timestamp| {
        let mut hasher = DefaultHasher::new();
        (&object.value, key, time.as_second()).hash(&mut hasher);
        range.start + hasher.finish() % (range.end - range.start).max(1)
    };
    times.iter().map(value).collect()
}

fn write_times(out: &mut String, times: &[Timestamp], interval: i64, is_csv: bool) {
    if is_csv {
        let times = times.iter().map(|time| format!("{interval},{}", xml_time(*time)));
        return leaf(out, "sampleInfoCSV", &times.collect::<Vec<_>>().join(","));
    }
    for time in times {
        out.push_str("<sampleInfo>");
        leaf(out, "timestamp", &xml_time(*time));
        leaf(out, "interval", &interval.to_string());
        out.push_str("</sampleInfo>");
    }
}

fn write_series(out: &mut String, key: usize, values: &[u64], is_csv: bool) {
    let class = if is_csv { "PerfMetricSeriesCSV" } else { "PerfMetricIntSeries" };
    out.push_str(&format!("<value xsi:type=\"{class}\"><id>"));
    leaf(out, "counterId", &key.to_string());
    leaf(out, "instance", "");
    out.push_str("</id>");
    let texts = values.iter().map(u64::to_string);
    match is_csv {
        true => leaf(out, "value", &texts.collect::<Vec<_>>().join(",")),
        false => texts.for_each(|text| leaf(out, "value", &text)),
    }
    out.push_str("</value>");
}
