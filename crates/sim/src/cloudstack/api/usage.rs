//! Usage records: computed from what lives now, one record a day, kind and object.
//!
//! A real usage server writes them hours later from its own table; here only their shape and their
//! sums are to be trusted. As on real servers `count` is the length of the page, not the total; a machine
//! that was scaled has two records in a window, one for each size; and a machine that was purged is named by
//! neither its id nor its words.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, ApiError, Call};
use super::dates::{self, DayEdge};
use super::lists::add_owner;
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::MachineState;
use crate::cloudstack::version::Version;

/// Days that one call may ask for: records are made anew for each call.
const DAYS_MAX: i64 = 62;

/// Number and name of each kind that there are records of, and of others.
const TYPES: [(u8, &str); 12] = [
    (1, "Running Vm Usage"),
    (2, "Allocated Vm Usage"),
    (3, "IP Address Usage"),
    (4, "Network Usage (Bytes Sent)"),
    (5, "Network Usage (Bytes Received)"),
    (6, "Volume Usage"),
    (7, "Template Usage"),
    (8, "ISO Usage"),
    (9, "Snapshot Usage"),
    (11, "Load Balancer Usage"),
    (13, "Network Offering Usage"),
    (25, "VM Snapshot storage usage"),
];

/// `listUsageTypes`.
pub(crate) fn types(cloud: &mut Cloud, _: &Call<'_>) -> Result<Answer, ApiError> {
    let rows: Vec<_> = TYPES
        .into_iter()
        .map(|(number, text)| {
            if cloud.version >= Version::V4_20 {
                json!({"id": number, "name": text, "description": text})
            } else {
                json!({"usagetypeid": number, "description": text})
            }
        })
        .collect();
    Ok(Answer::List { object: "usagetype", count: rows.len(), rows })
}

/// `listUsageRecords`.
pub(crate) fn records(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let needed = |name: &str, edge: DayEdge| -> Result<i64, ApiError> {
        let text = call.required(name)?;
        dates::parameter(cloud, call, name, edge)?.ok_or_else(|| call.invalid(name, text))
    };
    let (start, end) = (needed("startdate", DayEdge::Start)?, needed("enddate", DayEdge::End)?);
    if start > end {
        let text = format!("Incorrect Date Range. Start date: {start} is after end date: {end}");
        return Err(ApiError::parameter(text));
    }
    let accounts = match call.text("account") {
        None if call.text("domainid").is_none() => vec![true; cloud.directory.accounts.len()],
        _ => scope::accounts(cloud, call, false)?,
    };
    let kind = call.number("type")?;
    let day = 24 * 60 * 60;
    let days = ((end - start + day) / day).min(DAYS_MAX);
    let now = cloud.now();
    let mut rows = Vec::new();
    for number in 0..days {
        let at = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let window = (at(start + number * day), at(start + (number + 1) * day - 1));
        if window.1 <= now {
            of_window(cloud, &accounts, window, &mut rows);
        }
    }
    rows.retain(|row: &Value| kind.is_none_or(|kind| row["usagetype"] == kind));
    for row in rows.iter_mut().take(cloud.troubles.unreadable_usage) {
        row["startdate"] = json!("yesterday");
    }
    let rows: Vec<_> = rows.into_iter().skip(page.skip).take(page.rows_max).collect();
    Ok(Answer::List { object: "usagerecord", count: rows.len(), rows })
}

fn of_window(
    cloud: &Cloud,
    accounts: &[bool],
    window: (Timestamp, Timestamp),
    rows: &mut Vec<Value>,
) {
    let inventory = &cloud.inventory;
    let machines = inventory.machines.iter().filter(|m| m.live && accounts[m.account]);
    for (nth, machine) in machines.enumerate() {
        let running = machine.state == MachineState::Running;
        let is_purged = nth < cloud.troubles.purged_machines;
        for (kind, text) in [(1, "running time"), (2, "allocated")] {
            let Some(hours) = hours(machine.created, window).filter(|_| running || kind == 2)
            else {
                continue;
            };
            // A machine that was scaled in the window had two sizes.
            let sizes = if machine.number % SCALED_EACH == 3 { [1, 2].as_slice() } else { &[1] };
            for times in sizes {
                let mut row = json!({
                    "description": format!("{} {text}", machine.name),
                    "usagetype": kind, "virtualmachineid": machine.id, "name": machine.name,
                    "offeringid": inventory.offers.services[machine.offering].id,
                    "templateid": inventory.offers.templates[machine.template].id,
                    "cpunumber": machine.size.0 * times, "cpuspeed": 2000,
                    "memory": machine.size.1, "type": "KVM",
                });
                let hours = hours / sizes.len() as f64;
                let id = (machine.account, machine.zone, machine.id);
                finish(cloud, &mut row, id, hours, window);
                if is_purged && let Some(row) = row.as_object_mut() {
                    row.retain(|name, _| name != "usageid" && name != "virtualmachineid");
                    row.insert("description".to_owned(), json!(text));
                }
                rows.push(row);
            }
        }
    }
    for volume in inventory.volumes.iter().filter(|v| v.live && accounts[v.account]) {
        let Some(hours) = hours(volume.created, window) else { continue };
        let mut row = json!({
            "description": format!("{} usage time", volume.name), "usagetype": 6,
            "name": volume.name, "size": volume.size_bytes,
            "offeringid": volume.offering.map(|offering| inventory.offers.disks[offering].id),
        });
        finish(cloud, &mut row, (volume.account, volume.zone, volume.id), hours, window);
        rows.push(row);
    }
}

/// One machine in so many was scaled in each window.
const SCALED_EACH: usize = 5;

/// Hours of a window in which something existed.
fn hours(created: Timestamp, (start, end): (Timestamp, Timestamp)) -> Option<f64> {
    let from = created.max(start);
    let length = end.duration_since(from) + SignedDuration::from_secs(1);
    length.is_positive().then(|| length.as_secs_f64() / 3600.0)
}

/// Adds what every record has.
fn finish(
    cloud: &Cloud,
    row: &mut Value,
    (account, zone, id): (usize, usize, Uuid),
    hours: f64,
    (start, end): (Timestamp, Timestamp),
) {
    let Some(row) = row.as_object_mut() else { return };
    row.retain(|_, value| !value.is_null());
    add_owner(cloud, account, row);
    let mut add = |name: &str, value: Value| row.insert(name.to_owned(), value);
    add("accountid", json!(cloud.directory.accounts[account].id));
    add("zoneid", json!(cloud.inventory.offers.zones[zone].id));
    let hours = hours + f64::from(cloud.troubles.recounted_seconds) / 3600.0;
    add("usage", json!(format!("{hours:.2} Hrs")));
    add("rawusage", json!(format!("{hours:.6}")));
    add("usageid", json!(id));
    add("startdate", json!(dates::of_usage(cloud, start)));
    add("enddate", json!(dates::of_usage(cloud, end)));
}
