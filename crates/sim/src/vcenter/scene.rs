//! Which objects a recording names, each with the last name that it had and with what it was named
//! beside.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::form::Form;

/// The classes of objects that become a part of the inventory.
const CLASSES: [&str; 13] = [
    "Folder",
    "Datacenter",
    "ClusterComputeResource",
    "ComputeResource",
    "ResourcePool",
    "HostSystem",
    "VirtualMachine",
    "Datastore",
    "Network",
    "OpaqueNetwork",
    "DistributedVirtualPortgroup",
    "VmwareDistributedVirtualSwitch",
    "DistributedVirtualSwitch",
];

/// The arguments that every event may have, in the order of [`Beside`].
const ARGUMENTS: [&str; 7] = ["datacenter", "computeResource", "host", "vm", "ds", "net", "dvs"];

/// The objects that an event names as its arguments, by their places in the scene: data center, cluster,
/// host, machine, datastore, network, switch.
pub(crate) type Beside = [Option<u32>; ARGUMENTS.len()];

/// An object that events named.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) class: &'static str,
    pub(crate) id: String,
    /// The last one.
    pub(crate) name: String,
    /// What the events that had it as an argument named, the last of each kind.
    pub(crate) beside: Beside,
}

/// Every object that was named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scene {
    pub(crate) seen: Vec<Seen>,
    places: HashMap<String, u32>,
}

impl Scene {
    /// Looks through an event; returns its arguments.
    pub(crate) fn look(&mut self, event: &Map<String, Value>, form: Form) -> Beside {
        self.look_into(event, form);
        let beside = ARGUMENTS.map(|name| {
            let argument = form.member(event, name)?.as_object()?;
            let (_, (class, id)) = named(argument, form)?;
            self.place(class, id)
        });
        for place in beside.into_iter().flatten() {
            if let Some(seen) = self.seen.get_mut(place as usize) {
                for (known, new) in seen.beside.iter_mut().zip(beside) {
                    *known = new.or(*known);
                }
            }
        }
        beside
    }

    fn look_into(&mut self, object: &Map<String, Value>, form: Form) {
        if let Some((name, (class, id))) = named(object, form) {
            self.see(class, id, name);
        }
        for value in object.values() {
            match value {
                Value::Object(inner) => self.look_into(inner, form),
                Value::Array(values) => {
                    let objects = values.iter().filter_map(Value::as_object);
                    objects.for_each(|inner| self.look_into(inner, form));
                }
                _ => {}
            }
        }
    }

    fn see(&mut self, class: &str, id: &str, name: &str) {
        let Some(class) = CLASSES.into_iter().find(|known| *known == class) else { return };
        if let Some(place) = self.places.get(id) {
            if let Some(seen) = self.seen.get_mut(*place as usize).filter(|s| s.class == class)
                && seen.name != name
            {
                name.clone_into(&mut seen.name);
            }
            return;
        }
        let Ok(place) = u32::try_from(self.seen.len()) else { return };
        self.places.insert(id.to_owned(), place);
        let (id, name) = (id.to_owned(), name.to_owned());
        self.seen.push(Seen { class, id, name, beside: Beside::default() });
    }

    fn place(&self, class: &str, id: &str) -> Option<u32> {
        let place = *self.places.get(id)?;
        self.seen.get(place as usize).filter(|seen| seen.class == class).map(|_| place)
    }
}

/// The name and the reference of an object: of a pair of both, or of a task's entity.
fn named(object: &Map<String, Value>, form: Form) -> Option<(&str, (&str, &str))> {
    let text = |name: &str| form.member(object, name).and_then(Value::as_str);
    if let Some(name) = text("entityName") {
        let entity = form.member(object, "entity")?.as_object()?;
        return Some((name, form.reference(entity)?));
    }
    let name = text("name")?;
    let mut references = object.values().filter_map(Value::as_object);
    let (first, none) = (references.next()?, references.next());
    let reference = form.reference(first).filter(|_| none.is_none())?;
    Some((name, reference)).filter(|(_, (class, id))| !class.is_empty() && !id.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use serde_json::{Value, json};

    use super::{Form, Scene};

    #[test]
    fn an_object_has_its_last_name_and_what_it_was_named_beside() {
        let mut scene = Scene::default();
        let mut look = |event: Value| scene.look(event.as_object().unwrap(), Form::Govmomi);
        let vm = |name| json!({"Name": name, "Vm": {"Type": "VirtualMachine", "Value": "vm-1"}});
        let host = json!({"Name": "h", "Host": {"Type": "HostSystem", "Value": "host-1"}});
        assert_eq!(look(json!({"Key": 1, "Host": host, "Vm": vm("old")}))[3], Some(1));
        look(json!({"Key": 2, "Vm": vm("new"), "Alarm":
            {"Name": "a", "Alarm": {"Type": "Alarm", "Value": "alarm-1"}}}));
        assert_eq!(scene.seen.len(), 2, "an alarm is no part of the inventory");
        assert_eq!((scene.seen[1].name.as_str(), scene.seen[1].beside[2]), ("new", Some(0)));
    }

    #[test]
    fn the_entity_of_a_task_is_named_too() {
        let mut scene = Scene::default();
        let event = json!({"Key": 1, "Info": {"Entity": {"Type": "Datastore", "Value": "ds-1"},
            "EntityName": "store", "Task": {"Type": "Task", "Value": "task-1"}}});
        scene.look(event.as_object().unwrap(), Form::Govmomi);
        assert_eq!((scene.seen[0].class, scene.seen[0].name.as_str()), ("Datastore", "store"));
    }
}
