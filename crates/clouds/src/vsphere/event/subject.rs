//! What an event is about.

use super::MoRef;
use crate::vsphere::xml::Node;

/// The arguments that every event may carry, the most specific first.
const ARGUMENTS: &[&str] =
    &["vm", "host", "computeResource", "ds", "net", "dvs", "tgw", "datacenter"];

pub(super) fn of(event: Node<'_>) -> Option<MoRef> {
    let argument = |name: &&str| event.child(name).and_then(reference_in);
    ARGUMENTS
        .iter()
        .find_map(argument)
        .or_else(|| named_object(event))
        .or_else(|| event.child("managedObject").and_then(reference))
        .or_else(|| event.child("entity").and_then(reference_in))
        .or_else(|| event.child("info").and_then(|info| info.child("entity")).and_then(reference))
}

/// An argument holds a name and one reference, whose element is not always named as the argument.
fn reference_in(argument: Node<'_>) -> Option<MoRef> {
    argument.children().find_map(reference)
}

fn reference(node: Node<'_>) -> Option<MoRef> {
    let value = node.text();
    let complete = !node.kind().is_empty() && !value.is_empty();
    complete.then(|| MoRef::new(node.kind(), value))
}

/// `EventEx` names its object in two texts.
fn named_object(event: Node<'_>) -> Option<MoRef> {
    let kind = event.child_text("objectType").filter(|kind| !kind.is_empty())?;
    let value = event.child_text("objectId").filter(|value| !value.is_empty())?;
    Some(MoRef::new(kind, value))
}
