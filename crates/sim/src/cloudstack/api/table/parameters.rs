//! The parameters of the commands: those that are read here, with the types that the real commands
//! give them. What is not named here is not read, as the real server fills no field without an
//! annotation.

use crate::cloudstack::schema::{Entity, Kind, Parameter};
use crate::cloudstack::version::Version;

/// Parameters in groups that commands share.
pub(crate) type Parameters = &'static [&'static [Parameter]];

const fn boolean(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Boolean, text)
}

const fn date(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Date, text)
}

const fn integer(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Integer, text)
}

const fn list(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::List, text)
}

const fn long(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Long, text)
}

const fn map(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Map, text)
}

const fn string(name: &'static str, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::String, text)
}

const fn uuid(name: &'static str, of: Entity, text: &'static str) -> Parameter {
    Parameter::new(name, Kind::Uuid, text).of(of)
}

const fn id(of: Entity) -> Parameter {
    uuid("id", of, "the identifier")
}

const fn ids(of: Entity) -> Parameter {
    list("ids", "identifiers, with commas between them").of(of)
}

const fn zone() -> Parameter {
    uuid("zoneid", Entity::Zone, "the zone")
}

const NAME: Parameter = string("name", "the name");

/// Any list (`BaseListCmd`).
pub(super) const PAGE: &[Parameter] = &[
    string("keyword", "a part of the name, in any case"),
    integer("page", "the number of the page, from 1; needs pagesize"),
    integer("pagesize", "rows per page; needs page"),
];

/// Lists of what belongs to domains (`BaseListDomainResourcesCmd`).
pub(super) const DOMAIN: &[Parameter] = &[
    uuid("domainid", Entity::Domain, "only what belongs to this domain"),
    boolean("isrecursive", "also what belongs to domains below domainid"),
    boolean("listall", "all that the caller may see, not only its own"),
];

/// Lists of what belongs to accounts and projects (`BaseListProjectAndAccountResourcesCmd`).
pub(super) const OWNER: &[Parameter] = &[
    string("account", "only what belongs to this account; goes with domainid"),
    uuid("projectid", Entity::Project, "only what belongs to this project; -1 for any project"),
];

/// Whom a new object shall belong to.
pub(super) const FOR_WHOM: &[Parameter] = &[
    string("account", "the account that shall own it; goes with domainid"),
    uuid("domainid", Entity::Domain, "the domain of the account"),
    uuid("projectid", Entity::Project, "the project that shall own it"),
];

pub(super) const LIST_EVENTS: &[Parameter] = &[
    id(Entity::Event),
    string("type", "the type, as VM.START"),
    string("level", "INFO, WARN or ERROR"),
    date("startdate", "not before this time"),
    date("enddate", "not after this time"),
    integer("entrytime", "seconds for which it has not gone on"),
    integer("duration", "seconds for which it went on"),
    uuid("startid", Entity::Event, "the first event of an operation, with those that followed"),
    string("resourceid", "what it is about; needs resourcetype").since(Version::V4_17, "4.17.0"),
    string("resourcetype", "the kind of thing that it is about").since(Version::V4_17, "4.17.0"),
    boolean("archived", "archived events instead of the others").since(Version::V4_20, "4.19.0"),
    string("state", "where in its operation it stands").since(Version::V4_22, "4.21.0"),
];

pub(super) const SOME_EVENTS: &[Parameter] = &[
    ids(Entity::Event),
    string("type", "the type, as VM.START"),
    date("startdate", "not before this time"),
    date("enddate", "not after this time"),
];

pub(super) const LIST_MACHINES: &[Parameter] = &[
    id(Entity::Machine),
    ids(Entity::Machine).since(Version::V4_9, "4.4"),
    NAME,
    string("state", "the state, as Running"),
    zone(),
    string("hypervisor", "the hypervisor, as KVM"),
];

pub(super) const LIST_VOLUMES: &[Parameter] = &[
    id(Entity::Volume),
    ids(Entity::Volume).since(Version::V4_9, "4.9"),
    NAME,
    string("type", "ROOT or DATADISK"),
    string("state", "the state, as Ready"),
    zone(),
    uuid("virtualmachineid", Entity::Machine, "the machine that it is attached to"),
];

pub(super) const LIST_NETWORKS: &[Parameter] =
    &[id(Entity::Network), string("type", "Isolated, Shared or L2"), zone()];

pub(super) const LIST_ZONES: &[Parameter] =
    &[id(Entity::Zone), NAME, string("networktype", "Basic or Advanced")];

pub(super) const LIST_SERVICE_OFFERINGS: &[Parameter] = &[id(Entity::ServiceOffering), NAME];

pub(super) const LIST_DISK_OFFERINGS: &[Parameter] = &[id(Entity::DiskOffering), NAME];

pub(super) const LIST_NETWORK_OFFERINGS: &[Parameter] = &[
    id(Entity::NetworkOffering),
    NAME,
    string("guestiptype", "Isolated, Shared or L2"),
    string("traffictype", "the kind of traffic, as Guest"),
    string("state", "Enabled or Disabled"),
];

pub(super) const LIST_TEMPLATES: &[Parameter] = &[
    string("templatefilter", "featured, self, executable, community or all").required(),
    id(Entity::Template),
    ids(Entity::Template).since(Version::V4_9, "4.9"),
    NAME,
    zone(),
    string("hypervisor", "the hypervisor, as KVM"),
];

pub(super) const LIST_SETTINGS: &[Parameter] = &[NAME];

pub(super) const LIST_HOSTS: &[Parameter] = &[
    id(Entity::Host),
    NAME,
    string("state", "the state, as Up"),
    string("type", "the kind of host, as Routing"),
    zone(),
    string("hypervisor", "the hypervisor, as KVM"),
];

pub(super) const LIST_DOMAINS: &[Parameter] =
    &[id(Entity::Domain), NAME, boolean("listall", "all that the caller may see")];

pub(super) const LIST_ACCOUNTS: &[Parameter] =
    &[id(Entity::Account), NAME, string("state", "enabled, disabled or locked")];

pub(super) const LIST_USERS: &[Parameter] = &[
    id(Entity::User),
    string("account", "only users of this account; goes with domainid"),
    string("username", "the name that the user logs in with"),
    string("state", "enabled or disabled"),
];

pub(super) const LIST_PROJECTS: &[Parameter] = &[
    id(Entity::Project),
    NAME,
    string("state", "Active or Suspended"),
    boolean("listall", "all that the caller may see, not only its own"),
];

pub(super) const LIST_APIS: &[Parameter] = &[string("name", "the name of one command")];

pub(super) const LIST_USAGE: &[Parameter] = &[
    date("startdate", "the first day").required(),
    date("enddate", "the last day").required(),
    long("type", "the kind of usage, by its number"),
    uuid("domainid", Entity::Domain, "only what belongs to this domain"),
    boolean("isrecursive", "also what belongs to domains below domainid"),
];

pub(super) const QUERY_JOB: &[Parameter] =
    &[uuid("jobid", Entity::Job, "the identifier of the job").required()];

pub(super) const LIST_JOBS: &[Parameter] =
    &[string("account", "only jobs of this account; goes with domainid")];

/// The real command also takes a volume or a snapshot in place of the template from 4.21 on.
pub(super) const DEPLOY: &[Parameter] = &[
    zone().required(),
    uuid("serviceofferingid", Entity::ServiceOffering, "how large it shall be").required(),
    uuid("templateid", Entity::Template, "what it shall start from").required(),
    string("name", "the host's name, unique in its network"),
    string("displayname", "the name that people see"),
    list("networkids", "its networks; not in basic zones").of(Entity::Network),
    map("iptonetworklist", "addresses by network; not together with networkids"),
    list("securitygroupids", "its security groups; only in basic zones").of(Entity::SecurityGroup),
    list("securitygroupnames", "names of its security groups, in place of securitygroupids"),
    map("details", "CPUs and memory of an offering that leaves them open"),
    boolean("startvm", "whether it starts at once; it does by default"),
];

pub(super) const ONE_MACHINE: &[Parameter] = &[id(Entity::Machine).required()];

pub(super) const STOP: &[Parameter] =
    &[id(Entity::Machine).required(), boolean("forced", "whether to cut the power")];

pub(super) const DESTROY: &[Parameter] =
    &[id(Entity::Machine).required(), boolean("expunge", "whether to remove it at once")];

/// The real command also takes a snapshot in place of the offering and the zone.
pub(super) const CREATE_VOLUME: &[Parameter] = &[
    NAME.required(),
    uuid("diskofferingid", Entity::DiskOffering, "how large it shall be").required(),
    zone().required(),
    long("size", "GiB, if the offering leaves it open"),
];

pub(super) const ATTACH_VOLUME: &[Parameter] = &[
    id(Entity::Volume).required(),
    uuid("virtualmachineid", Entity::Machine, "the machine that gets it").required(),
];

pub(super) const ONE_VOLUME: &[Parameter] = &[id(Entity::Volume).required()];

pub(super) const CREATE_NETWORK: &[Parameter] = &[
    NAME.required(),
    uuid("networkofferingid", Entity::NetworkOffering, "what it shall offer").required(),
    zone().required(),
    string("displaytext", "the text that people see"),
];

pub(super) const ONE_NETWORK: &[Parameter] = &[id(Entity::Network).required()];

pub(super) const LIST_GROUPS: &[Parameter] = &[
    id(Entity::SecurityGroup),
    string("securitygroupname", "the name"),
    uuid("virtualmachineid", Entity::Machine, "a machine that is in it"),
];

pub(super) const CREATE_GROUP: &[Parameter] =
    &[NAME.required(), string("description", "what it is for")];

pub(super) const DELETE_GROUP: &[Parameter] =
    &[id(Entity::SecurityGroup), string("name", "the name, in place of the identifier")];

pub(super) const AUTHORIZE: &[Parameter] = &[
    uuid("securitygroupid", Entity::SecurityGroup, "the group that gets the rules"),
    string("securitygroupname", "the name of the group, in place of its identifier"),
    string("protocol", "tcp, udp, icmp, all, or a number; all by default"),
    integer("startport", "the first port"),
    integer("endport", "the last port"),
    integer("icmptype", "the type of message, -1 for any"),
    integer("icmpcode", "the code of message, -1 for any"),
    list("cidrlist", "the addresses at the other end"),
    map("usersecuritygrouplist", "groups at the other end, each with its account"),
];

pub(super) const REVOKE: &[Parameter] =
    &[uuid("id", Entity::SecurityGroupRule, "the identifier of the rule").required()];
