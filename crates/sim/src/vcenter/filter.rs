//! `EventFilterSpec`: which events a collector shows.
//!
//! An element that the emulated version does not know is refused, as a real server refuses it, so
//! that a client which sends too new a filter learns so here. Filters by alarm, scheduled task and
//! tag are refused as unsupported instead of being silently ignored.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::config::{AUDIT_SINCE, ApiVersion};
use super::events::{Event, is_a};
use super::inventory::{EntityId, Inventory, Kind};
use super::moref::MoRef;
use super::soap::SoapFault;
use super::xml::Element;

/// The first version whose filter knows `delayedInit`.
const DELAYED_INIT_SINCE: ApiVersion = ApiVersion([8, 0, 3, 0]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recursion {
    Itself,
    Children,
    All,
}

#[derive(Debug, Clone, Default)]
struct Users {
    system: bool,
    names: Vec<String>,
}

/// What a client asked to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    entity: Option<(EntityId, Recursion)>,
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
    users: Option<Users>,
    types: Vec<String>,
    categories: Vec<String>,
    chain_id: Option<i32>,
    is_audited: Option<bool>,
    audit_ids: Vec<String>,
    /// Leave out `fullFormattedMessage`.
    pub(crate) without_message: bool,
    /// The number of events that one answer may carry.
    pub(crate) count_max: Option<usize>,
    /// Do not fill the latest page when the collector is created.
    pub(crate) delayed: bool,
}

impl Filter {
    /// Reads a filter as a server of that version does.
    pub(crate) fn read(
        spec: &Element,
        inventory: &Inventory,
        version: ApiVersion,
    ) -> Result<Self, SoapFault> {
        let mut filter = Self::default();
        for part in &spec.children {
            match part.name.as_str() {
                "entity" => filter.entity = Some(read_entity(part, inventory)?),
                "time" => {
                    filter.begin = part.text_of("beginTime").map(time).transpose()?;
                    filter.end = part.text_of("endTime").map(time).transpose()?;
                }
                "userName" => {
                    filter.users = Some(Users {
                        system: part.flag("systemUser"),
                        names: part.all("userList").map(|e| e.text.trim().to_owned()).collect(),
                    });
                }
                "eventChainId" => filter.chain_id = Some(number(part, "filter.eventChainId")?),
                "disableFullMessage" => filter.without_message = spec.flag("disableFullMessage"),
                "category" => filter.categories.push(part.text.trim().to_owned()),
                "type" | "eventTypeId" => filter.types.push(part.text.trim().to_owned()),
                "maxCount" => {
                    let count: usize = number(part, "filter.maxCount")?;
                    filter.count_max = Some(count);
                }
                "delayedInit" if version >= DELAYED_INIT_SINCE => {
                    filter.delayed = spec.flag("delayedInit");
                }
                "auditable" if version >= AUDIT_SINCE => {
                    filter.is_audited = Some(spec.flag("auditable"));
                }
                "auditId" if version >= AUDIT_SINCE => {
                    filter.audit_ids.push(part.text.trim().to_owned());
                }
                "alarm" | "scheduledTask" | "tag" => {
                    return Err(SoapFault::NotSupported(
                        "The simulator has no filter by alarm, scheduledTask or tag.",
                    ));
                }
                other => {
                    return Err(SoapFault::InvalidRequest(format!(
                        "Unexpected element {other} while parsing EventFilterSpec"
                    )));
                }
            }
        }
        if spec.child("type").is_some() && spec.child("eventTypeId").is_some() {
            return Err(SoapFault::InvalidArgument("filter.type"));
        }
        Ok(filter)
    }

    /// The same, and what happened before its beginning.
    pub(crate) fn without_begin(self) -> Self {
        Self { begin: None, ..self }
    }

    /// Whether the filter lets the event through.
    pub(crate) fn matches(&self, event: &Event, inventory: &Inventory) -> bool {
        self.begin.is_none_or(|begin| event.created >= begin)
            && self.end.is_none_or(|end| event.created <= end)
            && self.chain_id.is_none_or(|chain_id| event.chain_id == chain_id)
            && self.is_audited.is_none_or(|is_audited| event.audit_id.is_some() == is_audited)
            && (self.audit_ids.is_empty()
                || event.audit_id.as_ref().is_some_and(|id| self.audit_ids.contains(id)))
            && (self.types.is_empty() || self.types.iter().any(|wanted| is_type(event, wanted)))
            && (self.categories.is_empty() || self.categories.contains(&event.category.to_string()))
            && self.users.as_ref().is_none_or(|users| users.include(&event.user))
            && self.entity.is_none_or(|(entity, how)| concerns(event, entity, how, inventory))
    }
}

impl Users {
    fn include(&self, user: &str) -> bool {
        if user.is_empty() {
            return self.system;
        }
        self.names.iter().any(|name| name.eq_ignore_ascii_case(user))
    }
}

/// An extended event goes by its type identifier, every other by its class.
fn is_type(event: &Event, wanted: &str) -> bool {
    event.type_id.as_deref() == Some(wanted) || is_a(&event.class, wanted)
}

fn concerns(event: &Event, entity: EntityId, how: Recursion, inventory: &Inventory) -> bool {
    let mut named = event.place.entities();
    match how {
        // The root with everything below also shows what is bound to nothing, such as logins.
        Recursion::All if entity == inventory.root => true,
        Recursion::All => named.any(|id| inventory.is_within(id, entity)),
        Recursion::Children => {
            named.any(|id| id == entity || inventory.get(id).parent == Some(entity))
        }
        // A folder or a pool stands for its contents.
        Recursion::Itself
            if matches!(inventory.get(entity).kind, Kind::Folder | Kind::ResourcePool) =>
        {
            named.any(|id| inventory.get(id).parent == Some(entity))
        }
        Recursion::Itself => named.any(|id| id == entity),
    }
}

fn read_entity(part: &Element, inventory: &Inventory) -> Result<(EntityId, Recursion), SoapFault> {
    let object = part.child("entity").map(MoRef::read);
    let object = object.ok_or(SoapFault::InvalidArgument("filter.entity.entity"))?;
    let id = inventory.find(&object).ok_or(SoapFault::ManagedObjectNotFound(object))?;
    let recursion = match part.text_of("recursion") {
        Some("self") => Recursion::Itself,
        Some("children") => Recursion::Children,
        Some("all") => Recursion::All,
        _ => return Err(SoapFault::InvalidArgument("filter.entity.recursion")),
    };
    Ok((id, recursion))
}

fn number<N: std::str::FromStr>(part: &Element, name: &'static str) -> Result<N, SoapFault> {
    part.text.trim().parse().map_err(|_| SoapFault::InvalidArgument(name))
}

/// A time with an offset, or without one: then it is UTC.
fn time(text: &str) -> Result<Timestamp, SoapFault> {
    text.parse::<Timestamp>()
        .or_else(|_| {
            let civil = text.parse::<DateTime>()?;
            civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        })
        .map_err(|_| SoapFault::InvalidRequest(format!("Cannot parse the dateTime {text}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::Filter;
    use crate::vcenter::config::ApiVersion;
    use crate::vcenter::events::{Draft, Event, Place, Stamp, render};
    use crate::vcenter::inventory::Inventory;
    use crate::vcenter::soap::SoapFault;
    use crate::vcenter::xml::Element;

    const NEW: ApiVersion = ApiVersion([8, 0, 3, 0]);

    fn inventory() -> Inventory {
        Inventory::build(10, &mut StdRng::seed_from_u64(1))
    }

    fn event(inventory: &Inventory, user: &'static str) -> Event {
        let machine = inventory.machines[0];
        let place = Place {
            datacenter: Some(inventory.datacenter),
            machine: Some(machine),
            ..Place::default()
        };
        let draft = Draft::new("VmPoweredOnEvent", user, String::new(), place);
        let created = "2026-11-20T10:00:00Z".parse().unwrap();
        render(draft, Stamp { key: 9, chain_id: 8, created }, inventory)
    }

    fn shows(spec: &str) -> bool {
        let inventory = inventory();
        let spec = spec.replace("VM0", &inventory.moref(inventory.machines[0]).value);
        let spec = spec.replace("VM1", &inventory.moref(inventory.machines[1]).value);
        let spec = Element::parse(&format!("<filter>{spec}</filter>")).unwrap();
        let filter = Filter::read(&spec, &inventory, NEW).unwrap();
        filter.matches(&event(&inventory, "DOM\\svc"), &inventory)
    }

    #[test]
    fn both_ends_of_a_time_filter_are_inclusive() {
        assert!(shows("<time><beginTime>2026-11-20T10:00:00Z</beginTime></time>"));
        assert!(shows("<time><endTime>2026-11-20T12:00:00+02:00</endTime></time>"));
        assert!(!shows("<time><beginTime>2026-11-20T10:00:00.000001Z</beginTime></time>"));
    }

    #[test]
    fn an_entity_filter_follows_its_recursion() {
        let with = |entity: &str, how: &str| {
            shows(&format!("<entity>{entity}<recursion>{how}</recursion></entity>"))
        };
        assert!(with("<entity type=\"VirtualMachine\">VM0</entity>", "self"));
        assert!(!with("<entity type=\"VirtualMachine\">VM1</entity>", "all"));
        assert!(with("<entity type=\"Datacenter\">datacenter-2</entity>", "all"));
        assert!(with("<entity type=\"Folder\">group-d1</entity>", "self"));
    }

    #[test]
    fn classes_users_categories_and_chains_all_have_to_match() {
        assert!(shows("<eventTypeId>VmEvent</eventTypeId><category>info</category>"));
        assert!(!shows("<eventTypeId>VmEvent</eventTypeId><category>error</category>"));
        assert!(shows(
            "<userName><systemUser>false</systemUser><userList>dom\\SVC</userList></userName>"
        ));
        assert!(!shows("<userName><systemUser>true</systemUser></userName>"));
        assert!(
            shows("<eventChainId>8</eventChainId>") && !shows("<eventChainId>9</eventChainId>")
        );
    }

    #[test]
    fn an_element_from_the_future_is_refused() {
        let spec = Element::parse("<filter><delayedInit>true</delayedInit></filter>").unwrap();
        let old = ApiVersion([7, 0, 3, 0]);
        assert!(Filter::read(&spec, &inventory(), NEW).unwrap().delayed);
        assert!(matches!(
            Filter::read(&spec, &inventory(), old),
            Err(SoapFault::InvalidRequest(_))
        ));
    }
}
