//! `PostEvent`: events that clients put into the history.
//!
//! A real vCenter takes `EventEx` and `ExtendedEvent` from outside; other classes are refused. Key,
//! chain, time and user are the server's to decide, whatever the client sent.

use std::borrow::Cow;

use super::Call;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::config::AUDIT_SINCE;
use crate::vcenter::events::{Category, Draft, Place};
use crate::vcenter::inventory::{Inventory, Kind};
use crate::vcenter::moref::MoRef;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{Element, leaf};

/// Fields of every event; those of the class come after them.
const BASE_FIELDS: [&str; 15] = [
    "key",
    "chainId",
    "createdTime",
    "userName",
    "datacenter",
    "computeResource",
    "host",
    "vm",
    "ds",
    "net",
    "dvs",
    "tgw",
    "fullFormattedMessage",
    "changeTag",
    "auditId",
];

/// Records the posted event.
pub(super) fn post(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let user = call.session(cloud)?.user.clone();
    let event = call.required("eventToPost")?;
    let class = match event.class.as_deref() {
        Some("EventEx") => "EventEx",
        Some("ExtendedEvent") => "ExtendedEvent",
        _ => return Err(SoapFault::InvalidEvent),
    };
    let type_id = event.text_of("eventTypeId").ok_or(SoapFault::InvalidArgument("eventTypeId"))?;
    let message = event.text_of("fullFormattedMessage").or_else(|| event.text_of("message"));
    let message = message.unwrap_or_default().to_owned();
    let mut fields = String::new();
    for field in event.children.iter().filter(|f| !BASE_FIELDS.contains(&f.name.as_str())) {
        field.write(&mut fields);
    }
    let place = read_place(event, &cloud.inventory);
    let mut draft = Draft::new(class, Cow::Owned(user), message, place).fields(fields);
    draft.type_id = Some(Cow::Owned(type_id.to_owned()));
    let audit_id = event.text_of("auditId").filter(|_| cloud.api_version >= AUDIT_SINCE);
    draft.audit_id = audit_id.map(str::to_owned);
    draft.category = match event.text_of("severity") {
        Some("error") => Category::Error,
        Some("warning") => Category::Warning,
        Some("user") => Category::User,
        _ => Category::Info,
    };
    cloud.record(draft);
    Ok(String::new())
}

/// `LogUserEvent`: a user's own words about an entity.
pub(super) fn log_user_event(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let user = call.session(cloud)?.user.clone();
    let entity = MoRef::read(call.required("entity")?);
    if cloud.inventory.find(&entity).is_none() {
        return Err(SoapFault::ManagedObjectNotFound(entity));
    }
    let message = call.required("msg")?.text.clone();
    let place = place_of([entity], &cloud.inventory);
    let mut fields = String::new();
    leaf(&mut fields, "message", &message);
    cloud.record(Draft::new("GeneralUserEvent", Cow::Owned(user), message, place).fields(fields));
    Ok(String::new())
}

/// `RetrieveArgumentDescription`: what arguments an extended event has, of which none is registered here.
pub(super) fn arguments(call: &Call) -> Result<String, SoapFault> {
    call.required("eventTypeId").map(|_| String::new())
}

/// Finds the entities that the posted event names, as arguments or as its object.
fn read_place(event: &Element, inventory: &Inventory) -> Place {
    let arguments = event.children.iter().flat_map(|field| &field.children);
    let named = arguments.filter(|inner| inner.kind.is_some()).map(MoRef::read);
    let object = event
        .text_of("objectType")
        .zip(event.text_of("objectId"))
        .map(|(kind, value)| MoRef::new(kind, value));
    place_of(named.chain(object), inventory)
}

fn place_of(objects: impl IntoIterator<Item = MoRef>, inventory: &Inventory) -> Place {
    let mut place = Place::default();
    for id in objects.into_iter().filter_map(|object| inventory.find(&object)) {
        let slot = match inventory.get(id).kind {
            Kind::Datacenter => &mut place.datacenter,
            Kind::Cluster => &mut place.cluster,
            Kind::Host => &mut place.host,
            Kind::Machine => &mut place.machine,
            Kind::Datastore => &mut place.datastore,
            Kind::PortGroup => &mut place.network,
            Kind::Switch => &mut place.switch,
            Kind::Folder | Kind::ResourcePool => continue,
        };
        *slot = Some(id);
    }
    place
}
