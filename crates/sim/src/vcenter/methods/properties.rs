//! The property collector: reading properties, in one answer or in several.

use std::collections::VecDeque;

use super::known::has_property;
use super::objects::World;
use super::{Call, updates};
use crate::vcenter::cloud::Cloud;
use crate::vcenter::moref::MoRef;
use crate::vcenter::selection::Selection;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{close, leaf, open};

/// Objects in one answer when the client sets no limit.
const OBJECTS_PER_ANSWER: usize = 1000;

/// Methods of a property collector that need no waiting.
pub(super) fn answer(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    match call.method.as_str() {
        "RetrieveProperties" => {
            let parts = contents(cloud, call, "returnval")?;
            Ok(parts.into_iter().collect())
        }
        "RetrievePropertiesEx" => {
            let parts = contents(cloud, call, "objects")?;
            let options = call.parameters.child("options");
            let max = options.and_then(|options| options.text_of("maxObjects"));
            let max = max.and_then(|text| text.parse().ok()).filter(|max| *max > 0);
            result(cloud, call, parts.into(), max.unwrap_or(OBJECTS_PER_ANSWER))
        }
        "ContinueRetrievePropertiesEx" => {
            let token = call.parameters.text_of("token").unwrap_or_default();
            let parts = call.session(cloud)?.unfetched.remove(token);
            let parts = parts.ok_or(SoapFault::InvalidArgument("token"))?;
            result(cloud, call, parts, OBJECTS_PER_ANSWER)
        }
        "CancelRetrievePropertiesEx" => {
            let token = call.parameters.text_of("token").unwrap_or_default();
            let removed = call.session(cloud)?.unfetched.remove(token);
            removed.map(|_| String::new()).ok_or(SoapFault::InvalidArgument("token"))
        }
        _ => updates::answer(cloud, call),
    }
}

/// The selected objects with their properties, one string for each.
fn contents(cloud: &mut Cloud, call: &Call, element: &str) -> Result<Vec<String>, SoapFault> {
    let selection = Selection::read(&call.parameters, "specSet")?;
    let Cloud { sessions, history, inventory, .. } = cloud;
    call.session_in(sessions)?.refresh_pages(history, inventory);
    let session = call.cookie.as_ref().and_then(|cookie| cloud.sessions.get(cookie));
    let session = session.ok_or_else(|| SoapFault::NotAuthenticated(call.this.clone()))?;
    let world = World { cloud, session };
    let objects = selection.objects(&world)?;
    let contents = objects.iter().map(|object| content(&world, &selection, object, element));
    Ok(contents.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// `Fetch`: one property of the object that is called, as pyVmomi asks for each. Nothing if it is unset.
pub(super) fn fetch(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    let path = call.required("prop")?.text.trim();
    let Cloud { sessions, history, inventory, .. } = cloud;
    call.session_in(sessions)?.refresh_pages(history, inventory);
    let session = call.cookie.as_ref().and_then(|cookie| cloud.sessions.get(cookie));
    let session = session.ok_or_else(|| SoapFault::NotAuthenticated(call.this.clone()))?;
    let world = World { cloud, session };
    if !world.exists(&call.this) {
        return Err(SoapFault::ManagedObjectNotFound(call.this.clone()));
    }
    if !has_property(&call.this, path) {
        return Err(SoapFault::InvalidProperty(path.to_owned()));
    }
    let mut out = String::new();
    if let Some(property) = world.property(&call.this, path) {
        property.write_returned(&mut out);
    }
    Ok(out)
}

fn content(
    world: &World<'_>,
    selection: &Selection,
    object: &MoRef,
    element: &str,
) -> Result<Option<String>, SoapFault> {
    let Some(paths) = selection.paths(object) else { return Ok(None) };
    if let Some(unknown) = paths.iter().find(|path| !has_property(object, path)) {
        return Err(SoapFault::InvalidProperty(unknown.clone()));
    }
    let mut out = String::new();
    open(&mut out, element);
    object.write(&mut out, "obj");
    for path in &paths {
        if let Some(value) = world.property(object, path) {
            out.push_str("<propSet>");
            leaf(&mut out, "name", path);
            value.write(&mut out);
            out.push_str("</propSet>");
        }
    }
    close(&mut out, element);
    Ok(Some(out))
}

/// One answer, and a token if there is more.
fn result(
    cloud: &mut Cloud,
    call: &Call,
    mut parts: VecDeque<String>,
    max: usize,
) -> Result<String, SoapFault> {
    if parts.is_empty() {
        return Ok(String::new());
    }
    let rest = parts.split_off(parts.len().min(max));
    let mut out = String::from("<returnval>");
    if !rest.is_empty() {
        let session = call.session(cloud)?;
        let token = session.new_id();
        leaf(&mut out, "token", &token);
        session.unfetched.insert(token, rest);
    }
    out.extend(parts);
    out.push_str("</returnval>");
    Ok(out)
}
