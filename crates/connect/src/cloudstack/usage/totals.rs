//! What there is, as fluent-plugin-cloudstack adds it up. Pure.
//!
//! | key | value |
//! |---|---|
//! | `vm_sum` | machines that are listed, in any state |
//! | `memory_sum` | their memory, in bytes |
//! | `cpu_sum` | their processors |
//! | `root_volume_sum`, `data_volume_sum` | bytes of `ROOT` and `DATADISK` volumes, but those in state `Expunging` |
//! | service offering's name | its machines |
//! | disk offering's name, `_` for each space | its data volumes |
//!
//! In this order; offerings in the order in which they are met, then those of earlier ticks that
//! nothing uses any more, as 0. All names share one object. The plugin lets an offering called
//! `vm_sum` overwrite the total and adds up a service and a disk offering of one name; here the
//! total stays, then the service offering, and what would collide gets ` (service offering)` or
//! ` (disk offering)` behind its name, and the tick a flaw: a bill can be wrong in no other way.

use std::collections::BTreeSet;

use pluvio_clouds::cloudstack::{VirtualMachine, Volume};
use serde_json::{Map, Value};

const FIXED: [&str; 5] = ["vm_sum", "memory_sum", "cpu_sum", "root_volume_sum", "data_volume_sum"];
const MIB: u64 = 1 << 20;

/// One tick's totals.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) json: String,
    /// Names that would have collided.
    pub(super) flaw: Option<String>,
    /// Offerings that are used.
    pub(super) there: Vec<String>,
    /// Offerings that were, and are told as 0.
    pub(super) gone: BTreeSet<String>,
}

/// Adds up. `seen`: offerings of earlier ticks.
pub(super) fn add_up(machines: &[VirtualMachine], volumes: &[Volume], seen: &[String]) -> Totals {
    let sum = |amounts: &mut dyn Iterator<Item = u64>| amounts.fold(0, u64::saturating_add);
    let volumes = || volumes.iter().filter(|volume| volume.state.as_deref() != Some("Expunging"));
    let of_type = |kind: &'static str| {
        volumes().filter(move |volume| volume.volume_type.as_deref() == Some(kind))
    };
    let bytes = |kind| sum(&mut of_type(kind).filter_map(|volume| volume.size_bytes));
    let memory_mib = sum(&mut machines.iter().filter_map(|machine| machine.memory_mib));
    let values = [
        machines.len() as u64,
        memory_mib.saturating_mul(MIB),
        sum(&mut machines.iter().filter_map(|machine| machine.cpu_number)),
        bytes("ROOT"),
        bytes("DATADISK"),
    ];
    let mut totals: Map<String, Value> =
        FIXED.into_iter().map(str::to_owned).zip(values.map(Value::from)).collect();
    let services = machines.iter().filter_map(|machine| machine.service_offering_name.as_deref());
    let services = counted(services.map(str::to_owned));
    let disks = of_type("DATADISK").filter_map(|volume| volume.disk_offering_name.as_deref());
    let disks = counted(disks.map(|name| name.replace(' ', "_")));
    let (mut there, mut flaws) = (Vec::new(), Vec::new());
    for (offerings, kind) in [(services, "service"), (disks, "disk")] {
        for (name, count) in offerings {
            let is_taken = totals.contains_key(&name);
            let key = if is_taken { format!("{name} ({kind} offering)") } else { name.clone() };
            if is_taken {
                flaws.push(format!("the {kind} offering `{name}` is told as `{key}`"));
            }
            totals.insert(key.clone(), count.into());
            there.push(key);
        }
    }
    let gone: BTreeSet<String> =
        seen.iter().filter(|name| !totals.contains_key(*name)).cloned().collect();
    totals.extend(gone.iter().map(|name| (name.clone(), 0.into())));
    let flaw = Some(flaws.join("; ")).filter(|flaw| !flaw.is_empty());
    Totals { json: Value::Object(totals).to_string(), flaw, there, gone }
}

/// How often each name comes, in the order in which they come first.
fn counted(names: impl Iterator<Item = String>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_clouds::cloudstack::Row;
    use serde_json::value::RawValue;

    use super::*;

    fn rows<T: Row>(rows: &[&str]) -> Vec<T> {
        let read =
            |row: &&str| T::read(&RawValue::from_string((*row).to_owned()).unwrap()).unwrap();
        rows.iter().map(read).collect()
    }

    fn totals(machines: &[&str], volumes: &[&str], seen: &[&str]) -> Totals {
        let seen: Vec<String> = seen.iter().map(|name| (*name).to_owned()).collect();
        add_up(&rows(machines), &rows(volumes), &seen)
    }

    const MACHINE: &str = r#"{"id":"1","state":"Stopped","cpunumber":1,"memory":512,"serviceofferingname":"Small Instance"}"#;

    #[test]
    fn a_tick_is_that_of_the_plugin_byte_for_byte() {
        let root = r#"{"id":"2","type":"ROOT","state":"Ready","size":1400}"#;
        let expunging = r#"{"id":"3","type":"DATADISK","state":"Expunging","size":9}"#;
        assert_eq!(
            totals(&[MACHINE], &[root, expunging], &[]).json,
            r#"{"vm_sum":1,"memory_sum":536870912,"cpu_sum":1,"root_volume_sum":1400,"data_volume_sum":0,"Small Instance":1}"#
        );
    }

    #[test]
    fn a_disk_offerings_spaces_become_underscores_and_what_is_gone_is_told_as_0() {
        let disk = r#"{"id":"3","type":"DATADISK","size":"42949672960","diskofferingname":"Data disk 40GB"}"#;
        let nameless = r#"{"id":"4","type":"DATADISK","size":1}"#;
        let totals = totals(&[], &[disk, disk, nameless], &["t1.micro", "Data_disk_40GB"]);
        assert_eq!(
            totals.json,
            r#"{"vm_sum":0,"memory_sum":0,"cpu_sum":0,"root_volume_sum":0,"data_volume_sum":85899345921,"Data_disk_40GB":2,"t1.micro":0}"#
        );
        assert_eq!(totals.there, ["Data_disk_40GB"]);
        assert_eq!(totals.gone, ["t1.micro".to_owned()].into());
    }

    #[test]
    fn an_offering_cannot_change_a_total_or_another_offering() {
        let machine = |name: &str| format!(r#"{{"id":"1","serviceofferingname":"{name}"}}"#);
        let disk = r#"{"id":"3","type":"DATADISK","diskofferingname":"Large"}"#;
        let totals = totals(&[&machine("vm_sum"), &machine("Large")], &[disk], &[]);
        assert!(
            totals
                .json
                .ends_with(r#""vm_sum (service offering)":1,"Large":1,"Large (disk offering)":1}"#)
        );
        assert!(totals.json.starts_with(r#"{"vm_sum":2,"#));
        assert!(totals.flaw.unwrap().starts_with("the service offering `vm_sum` is told as"));
    }
}
