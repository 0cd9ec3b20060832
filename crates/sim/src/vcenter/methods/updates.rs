//! Waiting for changes: filters, `WaitForUpdatesEx` and its relatives.
//!
//! A waiting call holds nothing: it sleeps on the cloud's revision, looks, and sleeps again. A
//! client that waits for the latest page is woken by the event itself, not by a clock.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Call;
use super::objects::World;
use crate::vcenter::Shared;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::moref::MoRef;
use crate::vcenter::selection::Selection;
use crate::vcenter::session::{PropertyCollector, PropertyFilter, Session};
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{leaf, reference};

/// The collector that every session has without creating it.
const DEFAULT: &str = "propertyCollector";

/// Methods of a property collector that manage filters and collectors.
pub(super) fn answer(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let mut out = String::new();
    match call.method.as_str() {
        "CreatePropertyCollector" => {
            let session = call.session(cloud)?;
            let id = session.new_id();
            reference(&mut out, "returnval", "PropertyCollector", &id);
            session.property_collectors.insert(id, PropertyCollector::default());
        }
        "CreateFilter" => {
            let selection = Selection::read(&call.parameters, "spec")?;
            let session = call.session(cloud)?;
            let id = session.new_id();
            reference(&mut out, "returnval", "PropertyFilter", &id);
            let collector = collector(session, &call.this)?;
            collector.filters.push(PropertyFilter { id, selection, sent: HashMap::new() });
            cloud.revision += 1;
        }
        "CancelWaitForUpdates" => {
            collector(call.session(cloud)?, &call.this)?.cancellations += 1;
            cloud.revision += 1;
        }
        "DestroyPropertyCollector" => {
            let removed = call.session(cloud)?.property_collectors.remove(&call.this.value);
            removed.ok_or_else(|| SoapFault::ManagedObjectNotFound(call.this.clone()))?;
            cloud.revision += 1;
        }
        _ => return Err(call.unknown()),
    }
    Ok(out)
}

/// `DestroyPropertyFilter`.
pub(super) fn destroy_filter(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    for collector in call.session(cloud)?.property_collectors.values_mut() {
        let before = collector.filters.len();
        collector.filters.retain(|filter| filter.id != call.this.value);
        if collector.filters.len() < before {
            return Ok(String::new());
        }
    }
    Err(SoapFault::ManagedObjectNotFound(call.this.clone()))
}

/// Waits for a change, for the client's patience, or for a cancellation.
pub(super) async fn wait(shared: &Shared, call: &Call) -> Result<String, SoapFault> {
    let deadline = patience(call)?.map(|patience| Instant::now() + patience);
    let mut revisions = shared.revisions();
    let cancellations = shared.with(|cloud| begin(cloud, call))?;
    loop {
        revisions.borrow_and_update();
        if let Some(update) = shared.with(|cloud| look(cloud, call, cancellations))? {
            return Ok(update);
        }
        let timeout = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = revisions.changed() => {
                changed.map_err(|_| SoapFault::RequestCanceled)?;
            }
            () = timeout => return Ok(String::new()),
            () = shared.stop.cancelled() => return Err(SoapFault::RequestCanceled),
        }
    }
}

/// How long the client is willing to wait; `None` for ever.
fn patience(call: &Call) -> Result<Option<Duration>, SoapFault> {
    if call.method == "CheckForUpdates" {
        return Ok(Some(Duration::ZERO));
    }
    let options = call.parameters.child("options");
    let text = options.and_then(|options| options.text_of("maxWaitSeconds"));
    text.map(|text| {
        text.parse::<u32>()
            .map(|seconds| Duration::from_secs(u64::from(seconds)))
            .map_err(|_| SoapFault::InvalidArgument("maxWaitSeconds"))
    })
    .transpose()
}

/// Checks the version and returns the count of cancellations so far.
fn begin(cloud: &mut Cloud, call: &Call) -> Result<u64, SoapFault> {
    call.authenticate(cloud)?;
    let collector = collector(call.session(cloud)?, &call.this)?;
    match call.parameters.text_of("version") {
        None => collector.start_over(),
        Some(version) if version == collector.version.to_string() => {}
        Some(_) => return Err(SoapFault::InvalidCollectorVersion),
    }
    Ok(collector.cancellations)
}

/// Looks once; `None` when there is nothing new.
fn look(cloud: &mut Cloud, call: &Call, cancellations: u64) -> Result<Option<String>, SoapFault> {
    let Cloud { sessions, history, inventory, .. } = cloud;
    let session = call.session_in(sessions)?;
    session.refresh_pages(history, inventory);
    // Taken out for the look, so that the rest of the session can be read meanwhile.
    let taken = session.property_collectors.remove(&call.this.value);
    let mut collector = taken.ok_or(SoapFault::RequestCanceled)?;
    let cancelled = collector.cancellations != cancellations;
    let mut update = String::new();
    if !cancelled && let Some(session) = call.cookie.as_ref().and_then(|c| cloud.sessions.get(c)) {
        let world = World { cloud, session };
        for filter in &mut collector.filters {
            difference(&world, filter, &mut update);
        }
    }
    let returned = (!update.is_empty()).then(|| {
        collector.version += 1;
        let version = collector.version;
        format!("<returnval><version>{version}</version>{update}</returnval>")
    });
    call.session(cloud)?.property_collectors.insert(call.this.value.clone(), collector);
    if cancelled { Err(SoapFault::RequestCanceled) } else { Ok(returned) }
}

/// Appends what changed for one filter and remembers it as sent.
fn difference(world: &World<'_>, filter: &mut PropertyFilter, out: &mut String) {
    // A starting point that is gone leaves with everything that was found through it.
    let objects = filter.selection.objects(world).unwrap_or_default();
    let present: HashSet<&MoRef> = objects.iter().collect();
    let mut sets = String::new();
    filter.sent.retain(|object, _| {
        let stays = present.contains(object);
        if !stays {
            sets.push_str("<objectSet><kind>leave</kind>");
            object.write(&mut sets, "obj");
            sets.push_str("</objectSet>");
        }
        stays
    });
    for object in &objects {
        let Some(paths) = filter.selection.paths(object) else { continue };
        let kind = if filter.sent.contains_key(object) { "modify" } else { "enter" };
        let sent = filter.sent.entry(object.clone()).or_default();
        let mut changes = String::new();
        for path in paths {
            if let Some(seen) = world.changed(object, &path, sent.get(&path).copied()) {
                changes.push_str("<changeSet>");
                leaf(&mut changes, "name", &path);
                leaf(&mut changes, "op", "assign");
                seen.write(&mut changes);
                changes.push_str("</changeSet>");
                sent.insert(path, seen.stamp);
            }
        }
        if kind == "enter" || !changes.is_empty() {
            sets.push_str("<objectSet>");
            leaf(&mut sets, "kind", kind);
            object.write(&mut sets, "obj");
            sets.push_str(&changes);
            sets.push_str("</objectSet>");
        }
    }
    if !sets.is_empty() {
        out.push_str("<filterSet>");
        reference(out, "filter", "PropertyFilter", &filter.id);
        out.push_str(&sets);
        out.push_str("</filterSet>");
    }
}

fn collector<'s>(
    session: &'s mut Session,
    this: &MoRef,
) -> Result<&'s mut PropertyCollector, SoapFault> {
    let collectors = &mut session.property_collectors;
    if this.value == DEFAULT {
        return Ok(collectors.entry(DEFAULT.to_owned()).or_default());
    }
    collectors.get_mut(&this.value).ok_or_else(|| SoapFault::ManagedObjectNotFound(this.clone()))
}
