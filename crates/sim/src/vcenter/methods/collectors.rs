//! The event manager's queries and the event history collectors.

use std::sync::Arc;

use super::Call;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::config::ApiVersion;
use crate::vcenter::events::Event;
use crate::vcenter::filter::Filter;
use crate::vcenter::session::{COLLECTORS_MAX, Collector, PAGE_EVENTS_MAX};
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{Element, reference};

/// The first version that pages events by their ids.
const VIEW_SINCE: ApiVersion = ApiVersion([9, 0, 0, 0]);

/// Methods of the event manager.
pub(super) fn manager(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    match call.method.as_str() {
        "CreateCollectorForEvents" => create(cloud, call),
        "QueryEvents" => query(cloud, call),
        _ => Err(call.unknown()),
    }
}

/// Methods of one collector.
pub(super) fn collector(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let Cloud { sessions, history, inventory, troubles, .. } = cloud;
    let session = call.session_in(sessions)?;
    let collector = session.collector(&call.this)?;
    match call.method.as_str() {
        "ReadNextEvents" => {
            let max = troubles.page(count(call)?.min(PAGE_EVENTS_MAX));
            let events = collector.read_next(history, inventory, max);
            Ok(page(&events, collector.filter.without_message))
        }
        "ReadPreviousEvents" => {
            let max = troubles.page(count(call)?.min(PAGE_EVENTS_MAX));
            let events = collector.read_previous(history, inventory, max);
            Ok(page(&events, collector.filter.without_message))
        }
        "SetCollectorPageSize" => {
            let size = count(call)?;
            if size > PAGE_EVENTS_MAX {
                return Err(SoapFault::InvalidArgument("maxCount"));
            }
            collector.set_page_size(size, history, inventory);
            Ok(String::new())
        }
        "RewindCollector" => {
            collector.rewind(history);
            Ok(String::new())
        }
        "ResetCollector" => {
            collector.reset(history, inventory);
            Ok(String::new())
        }
        "DestroyCollector" => {
            session.collectors.remove(&call.this.value);
            cloud.revision += 1;
            Ok(String::new())
        }
        _ => Err(call.unknown()),
    }
}

fn create(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let filter = filter(cloud, call)?;
    let mut collector = Collector::new(filter, &cloud.history, &cloud.inventory)?;
    for part in &call.required("filter")?.children {
        part.write(&mut collector.spec);
    }
    let session = call.session(cloud)?;
    if session.collectors.len() >= COLLECTORS_MAX {
        return Err(SoapFault::InvalidState("Too many event collectors in this session."));
    }
    let id = session.new_id();
    let mut out = String::new();
    reference(&mut out, "returnval", "EventHistoryCollector", &id);
    session.collectors.insert(id, collector);
    Ok(out)
}

fn filter(cloud: &Cloud, call: &Call) -> Result<Filter, SoapFault> {
    let spec = call.required("filter")?;
    let filter = Filter::read(spec, &cloud.inventory, cloud.api_version)?;
    Ok(if cloud.troubles.begin_ignored { filter.without_begin() } else { filter })
}

/// One look at the newest events, or at those behind an id, without a collector.
fn query(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let mut filter = filter(cloud, call)?;
    if let Some(view) = call.parameters.child("eventViewSpec") {
        return query_by_id(cloud, &filter, view);
    }
    filter.count_max.get_or_insert(PAGE_EVENTS_MAX);
    let without_message = filter.without_message;
    filter.delayed = false;
    let collector = Collector::new(filter, &cloud.history, &cloud.inventory)?;
    let mut out = String::new();
    for event in collector.page() {
        event.write(&mut out, "returnval", without_message);
    }
    Ok(out)
}

/// `EventManagerViewByStartId`: the events behind an id, which is no part of the answer. The reference does
/// not tell their order; they come by their ids, away from the start.
fn query_by_id(cloud: &mut Cloud, filter: &Filter, view: &Element) -> Result<String, SoapFault> {
    if cloud.api_version < VIEW_SINCE {
        return Err(SoapFault::InvalidRequest(
            "Unexpected element eventViewSpec while parsing QueryEvents".to_owned(),
        ));
    }
    if view.class.as_deref() != Some("EventManagerViewByStartId") {
        return Err(SoapFault::InvalidArgument("eventViewSpec"));
    }
    let id = view.text_of("startEventId").and_then(|id| id.parse::<i32>().ok());
    let id = id.filter(|id| *id >= 0);
    let id = id.ok_or(SoapFault::InvalidArgument("eventViewSpec.startEventId"))?;
    let max = match filter.count_max {
        None => PAGE_EVENTS_MAX,
        Some(count @ 1..=PAGE_EVENTS_MAX) => count,
        Some(_) => return Err(SoapFault::InvalidArgument("filter.maxCount")),
    };
    let Cloud { history, inventory, troubles, .. } = cloud;
    let events = history.by_key(id, view.flag("isForward"));
    let events = events.filter(|event| filter.matches(event, inventory)).take(troubles.page(max));
    let events: Vec<_> = events.map(Arc::clone).collect();
    Ok(page(&events, filter.without_message))
}

fn count(call: &Call) -> Result<usize, SoapFault> {
    let text = call.parameters.text_of("maxCount").unwrap_or_default();
    match text.parse::<i32>().map(usize::try_from) {
        Ok(Ok(count @ 1..)) => Ok(count),
        _ => Err(SoapFault::InvalidArgument("maxCount")),
    }
}

fn page(events: &[Arc<Event>], without_message: bool) -> String {
    let bytes: usize = events.iter().map(|event| event.xml.len() + 24).sum();
    let mut out = String::with_capacity(bytes);
    for event in events {
        event.write(&mut out, "returnval", without_message);
    }
    out
}
