//! The managed objects that have properties, entities and services alike.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use super::{managers, service};
use crate::vcenter::clock::xml_time;
use crate::vcenter::cloud::{Cloud, Described};
use crate::vcenter::events::{CATALOG, Entry};
use crate::vcenter::inventory::{Inventory, Kind, Property};
use crate::vcenter::moref::MoRef;
use crate::vcenter::session::{COLLECTORS_MAX, Session, View};
use crate::vcenter::xml::leaf;

/// The cloud as one session sees it.
pub(crate) struct World<'c> {
    pub(crate) cloud: &'c Cloud,
    pub(crate) session: &'c Session,
}

/// A value as it was sent: to be compared, and to be written if it differs.
pub(crate) struct Seen {
    pub(crate) stamp: u64,
    property: Property,
}

impl Seen {
    /// Appends the value as `<val>`.
    pub(crate) fn write(&self, out: &mut String) {
        self.property.write(out);
    }
}

impl World<'_> {
    /// Whether there is such an object.
    pub(crate) fn exists(&self, object: &MoRef) -> bool {
        let value = object.value.as_str();
        match object.kind.as_str() {
            "ServiceInstance" | "SessionManager" | "EventManager" | "ViewManager"
            | "SearchIndex" => value == object.kind,
            "PropertyCollector" => {
                value == "propertyCollector" || self.session.property_collectors.contains_key(value)
            }
            "EventHistoryCollector" => self.session.collectors.contains_key(value),
            "ContainerView" | "ListView" => self.session.views.contains_key(value),
            kind if managers::exists(kind, value) => true,
            _ => self.cloud.inventory.find(object).is_some(),
        }
    }

    /// The objects that a property leads to.
    pub(crate) fn links(&self, object: &MoRef, path: &str) -> Vec<MoRef> {
        let links = self.property(object, path).map(Property::into_objects).unwrap_or_default();
        links.into_iter().filter(|link| self.exists(link)).collect()
    }

    /// The value of a property with a stamp that changes when it does.
    ///
    /// `known` is the stamp that the caller has: an unchanged latest page is not rendered again.
    pub(crate) fn changed(&self, object: &MoRef, path: &str, known: Option<u64>) -> Option<Seen> {
        if path == "latestPage"
            && let Some(collector) = self.session.collectors.get(&object.value)
        {
            let stamp = collector.page_revision;
            if known == Some(stamp) {
                return None;
            }
            return self.property(object, path).map(|property| Seen { stamp, property });
        }
        let property = self.property(object, path)?;
        let mut text = String::new();
        property.write(&mut text);
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let stamp = hasher.finish();
        (known != Some(stamp)).then_some(Seen { stamp, property })
    }

    /// The value of a property; `None` when it is unset or unknown.
    pub(crate) fn property(&self, object: &MoRef, path: &str) -> Option<Property> {
        match (object.kind.as_str(), path) {
            ("ServiceInstance", "content") => {
                Some(Property::Structure("ServiceContent", service::describe(self.cloud)))
            }
            ("ServiceInstance", "serverClock") => {
                Some(Property::Plain("xsd:dateTime", xml_time(self.cloud.clock.now())))
            }
            ("SessionManager", "currentSession") => {
                Some(Property::Structure("UserSession", self.session.describe()))
            }
            ("SessionManager", "sessionList") => {
                let sessions = self.cloud.sessions.values();
                Some(Property::array("UserSession", sessions.map(Session::describe)))
            }
            ("EventManager", _) => self.event_manager(path),
            ("EventHistoryCollector", "latestPage") => self.latest_page(object),
            ("EventHistoryCollector", "filter") => {
                let collector = self.session.collectors.get(&object.value)?;
                Some(Property::Structure("EventFilterSpec", collector.spec.clone()))
            }
            ("EventHistoryCollector", "initialized") => Some(Property::flag(true)),
            ("ContainerView" | "ListView", "view") => self.view(object),
            (kind, _) if managers::exists(kind, &object.value) => {
                managers::property(self.cloud, kind, path)
            }
            _ => {
                let id = self.cloud.inventory.find(object)?;
                self.cloud.inventory.property(id, path)
            }
        }
    }

    /// The paths that exist for a class when a client asks for all.
    pub(crate) fn all_paths(class: &str) -> &'static [&'static str] {
        match class {
            "ServiceInstance" => &["serverClock", "content"],
            "SessionManager" => &["sessionList", "currentSession"],
            "EventManager" => &["description", "latestEvent", "maxCollector"],
            "EventHistoryCollector" => &["filter", "latestPage"],
            "ContainerView" | "ListView" => &["view"],
            "OptionManager"
            | "AuthorizationManager"
            | "PerformanceManager"
            | "TaskManager"
            | "ExtensionManager"
            | "CustomFieldsManager"
            | "LicenseManager" => managers::all_paths(class),
            "Folder" => Inventory::all_paths(Kind::Folder),
            "Datacenter" => Inventory::all_paths(Kind::Datacenter),
            "ClusterComputeResource" => Inventory::all_paths(Kind::Cluster),
            "ResourcePool" => Inventory::all_paths(Kind::ResourcePool),
            "HostSystem" => Inventory::all_paths(Kind::Host),
            "Datastore" => Inventory::all_paths(Kind::Datastore),
            "ComputeResource" => Inventory::STANDALONE_PATHS,
            "Network" | "OpaqueNetwork" => Inventory::NETWORK_PATHS,
            "VmwareDistributedVirtualSwitch" | "DistributedVirtualSwitch" => {
                Inventory::all_paths(Kind::Switch)
            }
            "DistributedVirtualPortgroup" => Inventory::all_paths(Kind::PortGroup),
            "VirtualMachine" => Inventory::all_paths(Kind::Machine),
            _ => &[],
        }
    }

    fn event_manager(&self, path: &str) -> Option<Property> {
        match path {
            "latestEvent" => {
                self.cloud.latest().map(|event| Property::Verbatim(event.xml.to_string()))
            }
            "maxCollector" => Some(Property::Plain("xsd:int", COLLECTORS_MAX.to_string())),
            "description" => {
                let mut out = categories();
                event_info(&self.cloud.described).write_member(&mut out, "eventInfo");
                Some(Property::Structure("EventDescription", out))
            }
            "description.eventInfo" => Some(event_info(&self.cloud.described)),
            _ => None,
        }
    }

    fn latest_page(&self, object: &MoRef) -> Option<Property> {
        let collector = self.session.collectors.get(&object.value)?;
        let without_message = collector.filter.without_message;
        let page = collector.page();
        Some(Property::Array(
            "Event",
            page.map(|event| event.content(without_message).into_owned()).collect(),
        ))
    }

    fn view(&self, object: &MoRef) -> Option<Property> {
        let inventory = &self.cloud.inventory;
        let objects = match self.session.views.get(&object.value)? {
            View::List(objects) => objects.clone(),
            View::Container { root, classes, recursive } => inventory
                .below(*root, *recursive)
                .into_iter()
                .map(|id| inventory.moref(id))
                .filter(|o| classes.is_empty() || classes.iter().any(|class| o.is_a(class)))
                .collect(),
        };
        Some(Property::Objects(objects))
    }
}

fn categories() -> String {
    ["info", "warning", "error", "user"]
        .map(|key| {
            format!(
                "<category xsi:type=\"ElementDescription\"><label>{key}</label>\
                 <summary>{key}</summary><key>{key}</key></category>"
            )
        })
        .concat()
}

/// The catalog and what was recorded beside it, whose category is the recorded one.
fn event_info(described: &[Described]) -> Property {
    let is_extended = |class: &str| matches!(class, "EventEx" | "ExtendedEvent");
    let type_of = |entry: &Entry| is_extended(entry.class).then_some(entry.title);
    let is_recorded = |entry: &&Entry| {
        let mut same = described.iter().filter(|known| known.class == entry.class);
        same.any(|known| known.type_id.as_deref() == type_of(entry))
    };
    let catalog = CATALOG.iter().filter(|entry| !is_recorded(entry)).map(|entry| {
        // What several extended events share is the class; their format begins with the identifier.
        let format = match type_of(entry) {
            Some(type_id) => format!("{type_id}|{}", entry.format),
            None => entry.format.to_owned(),
        };
        detail(entry.class, entry.title, &entry.category.to_string(), &format)
    });
    let recorded = described.iter().map(|known| {
        let (class, category) = (&known.class, known.category.to_string());
        let same = |entry: &&Entry| entry.class == class && !is_extended(entry.class);
        let entry = CATALOG.iter().find(same);
        let title = known.type_id.as_deref().or(entry.map(|entry| entry.title)).unwrap_or(class);
        let format = match &known.type_id {
            Some(type_id) => format!("{type_id}|{{message}}"),
            None => entry.map_or("{message}", |entry| entry.format).to_owned(),
        };
        detail(class, title, &category, &format)
    });
    Property::array("EventDescriptionEventDetail", catalog.chain(recorded))
}

fn detail(class: &str, title: &str, category: &str, format: &str) -> String {
    let mut out = String::new();
    leaf(&mut out, "key", class);
    leaf(&mut out, "description", title);
    leaf(&mut out, "category", category);
    for place in ["Datacenter", "ComputeResource", "Host", "Vm"] {
        leaf(&mut out, &format!("formatOn{place}"), format);
    }
    leaf(&mut out, "fullFormat", format);
    out
}
