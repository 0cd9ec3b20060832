//! Renders an event's XML, once.
//!
//! The order of elements is the protocol's: the fields of every event, then those of its class.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Draft, Event, Place, Tail};
use crate::vcenter::clock::xml_time;
use crate::vcenter::inventory::{EntityId, Inventory};
use crate::vcenter::xml::{close, leaf, open};

/// What recording adds to a draft.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) key: i32,
    pub(crate) chain_id: i32,
    pub(crate) created: Timestamp,
}

/// Turns a draft into an event of the history.
pub(crate) fn render(draft: Draft, stamp: Stamp, inventory: &Inventory) -> Event {
    let mut out = String::with_capacity(1024);
    let created = xml_time(stamp.created);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        " xsi:type=\"{}\"><key>{}</key><chainId>{}</chainId><createdTime>{created}</createdTime>",
        draft.class, stamp.key, stamp.chain_id,
    );
    leaf(&mut out, "userName", &draft.user);
    write_place(&mut out, &draft.place, inventory);
    let start = out.len();
    if let Some(message) = &draft.message {
        leaf(&mut out, "fullFormattedMessage", message);
    }
    let message = start..out.len();
    if let Some(audit_id) = &draft.audit_id {
        leaf(&mut out, "auditId", audit_id);
    }
    match &draft.tail {
        Tail::Fields(fields) => out.push_str(fields),
        Tail::Task { description_id, entity } => {
            write_task(&mut out, description_id, *entity, &draft.user, stamp, inventory);
        }
    }
    Event {
        key: stamp.key,
        chain_id: stamp.chain_id,
        created: stamp.created,
        class: draft.class,
        type_id: draft.type_id,
        category: draft.category,
        user: draft.user,
        audit_id: draft.audit_id,
        place: draft.place,
        xml: out.into_boxed_str(),
        message,
    }
}

fn write_place(out: &mut String, place: &Place, inventory: &Inventory) {
    let arguments = [
        ("datacenter", "datacenter", place.datacenter),
        ("computeResource", "computeResource", place.cluster),
        ("host", "host", place.host),
        ("vm", "vm", place.machine),
        ("ds", "datastore", place.datastore),
        ("net", "network", place.network),
        ("dvs", "dvs", place.switch),
    ];
    for (outer, inner, id) in arguments {
        if let Some(id) = id {
            argument(out, outer, inner, id, inventory);
        }
    }
}

/// Appends an event argument: the name and the reference of an entity.
pub(crate) fn argument(
    out: &mut String,
    outer: &str,
    inner: &str,
    id: EntityId,
    inventory: &Inventory,
) {
    open(out, outer);
    leaf(out, "name", &inventory.get(id).name);
    inventory.moref(id).write(out, inner);
    close(out, outer);
}

fn write_task(
    out: &mut String,
    description_id: &str,
    entity: EntityId,
    user: &str,
    stamp: Stamp,
    inventory: &Inventory,
) {
    let task = format!("task-{}", stamp.key);
    let name = description_id.rsplit('.').next().unwrap_or_default();
    out.push_str("<info>");
    leaf(out, "key", &task);
    let _ = write!(out, "<task type=\"Task\">{task}</task>");
    leaf(out, "name", &format!("{}_Task", capitalized(name)));
    leaf(out, "descriptionId", description_id);
    inventory.moref(entity).write(out, "entity");
    leaf(out, "entityName", &inventory.get(entity).name);
    leaf(out, "state", "queued");
    leaf(out, "cancelled", "false");
    leaf(out, "cancelable", "true");
    out.push_str("<reason xsi:type=\"TaskReasonUser\">");
    leaf(out, "userName", user);
    out.push_str("</reason>");
    leaf(out, "queueTime", &xml_time(stamp.created));
    leaf(out, "eventChainId", &stamp.chain_id.to_string());
    out.push_str("</info>");
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{Stamp, render};
    use crate::vcenter::events::{Draft, Place, Tail};
    use crate::vcenter::inventory::Inventory;
    use crate::vcenter::xml::Element;

    fn stamp() -> Stamp {
        Stamp { key: 7, chain_id: 5, created: Timestamp::UNIX_EPOCH }
    }

    fn parsed(draft: Draft, inventory: &Inventory, without_message: bool) -> Element {
        let mut out = String::new();
        render(draft, stamp(), inventory).write(&mut out, "returnval", without_message);
        let out = out.replacen(
            "<returnval",
            "<returnval xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"",
            1,
        );
        Element::parse(&out).unwrap_or_default()
    }

    #[test]
    fn fields_come_in_the_order_of_the_protocol() {
        let inventory = Inventory::build(3, &mut StdRng::seed_from_u64(1));
        let machine = inventory.machines[0];
        let place = Place { machine: Some(machine), ..Place::default() };
        let draft =
            Draft::new("VmPoweredOnEvent", "root", "on & up".to_owned(), place).machine_fields("");
        let event = parsed(draft.clone(), &inventory, false);
        let names: Vec<_> = event.children.iter().map(|child| child.name.as_str()).collect();
        let expected =
            ["key", "chainId", "createdTime", "userName", "vm", "fullFormattedMessage", "template"];
        assert_eq!(names, expected);
        assert_eq!(event.class.as_deref(), Some("VmPoweredOnEvent"));
        assert_eq!(event.text_of("createdTime"), Some("1970-01-01T00:00:00.000000Z"));
        assert!(parsed(draft, &inventory, true).child("fullFormattedMessage").is_none());
    }

    #[test]
    fn a_task_repeats_the_stamp() {
        let inventory = Inventory::build(3, &mut StdRng::seed_from_u64(1));
        let machine = inventory.machines[0];
        let mut draft = Draft::new("TaskEvent", "root", String::new(), Place::default());
        draft.tail =
            Tail::Task { description_id: "VirtualMachine.createSnapshot", entity: machine };
        let event = parsed(draft, &inventory, false);
        let info = event.child("info").cloned().unwrap_or_default();
        assert_eq!(info.text_of("name"), Some("CreateSnapshot_Task"));
        assert_eq!(info.text_of("eventChainId"), Some("5"));
    }
}
