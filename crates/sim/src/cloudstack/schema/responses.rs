//! The members of the answers, as they are really answered here: fewer than a real server's, and
//! none that it has not.

use super::{Entity, Field, Fields};
use crate::cloudstack::version::Version;

const fn boolean(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "boolean", text)
}

const fn date(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "date", text)
}

const fn integer(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "integer", text)
}

const fn list(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "list", text)
}

const fn long(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "long", text)
}

const fn set(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "set", text)
}

const fn string(name: &'static str, text: &'static str) -> Field {
    Field::new(name, "string", text)
}

const ID: Field = string("id", "the identifier");
const NAME: Field = string("name", "the name");
const CREATED: Field = date("created", "when it was made");
const DISPLAY_TEXT: Field = string("displaytext", "the text that people see");
const HYPERVISOR: Field = string("hypervisor", "the hypervisor");
const STATE: Field = string("state", "the state");
const TAGS: Field = set("tags", "tags that users gave it");

const ACCOUNT: Field = string("account", "the account that owns it");
const DOMAIN: &[Field] = &[
    string("domainid", "the domain of its owner"),
    string("domain", "the name of the domain of its owner"),
];

const OWNER: &[Field] = &[
    ACCOUNT,
    string("projectid", "the project that owns it"),
    string("project", "the name of the project that owns it"),
];

const ZONE_OF: &[Field] =
    &[string("zoneid", "the zone that it is in"), string("zonename", "the name of the zone")];

const EVENT: Fields = &[
    OWNER,
    DOMAIN,
    &[
        ID,
        string("username", "the user who caused it"),
        string("type", "the type"),
        string("level", "INFO, WARN or ERROR"),
        string("description", "what happened, in words"),
        string("domainpath", "the path of the domain").since(Version::V4_20),
        string("resourceid", "what it is about").since(Version::V4_17),
        string("resourcetype", "the kind of thing that it is about").since(Version::V4_17),
        string("resourcename", "the name of what it is about").since(Version::V4_17),
        date("created", "when it was recorded"),
        Field::new("state", "state", "where in its operation it stands"),
        string("parentid", "the first event of its operation"),
        boolean("archived", "whether it was archived").since(Version::V4_20),
    ],
];

const EVENT_TYPE: Fields = &[&[string("name", "the type")]];

const NIC: Fields = &[&[
    ID,
    string("networkid", "its network"),
    string("networkname", "the name of its network"),
    string("netmask", "the mask of its network"),
    string("gateway", "the way out of its network"),
    string("ipaddress", "its address"),
    string("traffictype", "the kind of traffic"),
    string("type", "the kind of network"),
    boolean("isdefault", "whether it is the machine's first"),
    string("deviceid", "its place in the machine"),
    string("macaddress", "its hardware address"),
    list("secondaryip", "its other addresses"),
    string("broadcasturi", "its VLAN"),
]];

const RULE: Fields = &[&[
    string("ruleid", "the identifier"),
    string("protocol", "the protocol; all for any"),
    integer("startport", "the first port"),
    integer("endport", "the last port"),
    integer("icmptype", "the type of message"),
    integer("icmpcode", "the code of message"),
    string("cidr", "the addresses at the other end"),
    string("securitygroupname", "the group at the other end"),
    string("account", "the account of that group"),
    TAGS,
]];

const GROUP_NAMES: &[Field] = &[ID, NAME, string("description", "what it is for")];

const GROUP_MEMBERS: &[Field] = &[TAGS, set("virtualmachineids", "machines that are in it")];

const GROUP: Fields = &[
    GROUP_NAMES,
    OWNER,
    DOMAIN,
    GROUP_MEMBERS,
    &[
        string("domainpath", "the path of the domain").since(Version::V4_20),
        set("ingressrule", "what may come in").of(RULE),
        set("egressrule", "what may go out; anything if there is no rule").of(RULE),
        integer("virtualmachinecount", "how many machines are in it"),
    ],
];

const GROUP_OF_MACHINE: Fields = &[
    GROUP_NAMES,
    OWNER,
    GROUP_MEMBERS,
    &[
        set("ingressrule", "empty here; lists of groups tell"),
        set("egressrule", "empty here; lists of groups tell"),
    ],
];

const MACHINE: Fields = &[
    OWNER,
    DOMAIN,
    ZONE_OF,
    &[
        ID,
        string("name", "the name of the host"),
        string("displayname", "the name that people see"),
        CREATED,
        STATE,
        boolean("haenable", "whether it starts again after its host failed"),
        string("templateid", "the template that it was made from"),
        string("templatename", "the name of the template"),
        string("templatedisplaytext", "the text of the template"),
        boolean("passwordenabled", "whether its password can be reset"),
        string("serviceofferingid", "its size"),
        string("serviceofferingname", "the name of its size"),
        integer("cpunumber", "virtual CPUs"),
        integer("cpuspeed", "MHz of each"),
        integer("memory", "MiB of memory"),
        string("guestosid", "the operating system"),
        string("osdisplayname", "the name of the operating system"),
        string("ostypeid", "the operating system once more"),
        long("rootdeviceid", "the place of its first disk"),
        string("rootdevicetype", "the kind of its first disk"),
        set("securitygroup", "the security groups that it is in").of(GROUP_OF_MACHINE),
        HYPERVISOR,
        string("instancename", "its name on the host"),
        Field::new("details", "map", "settings of the machine"),
        set("affinitygroup", "the affinity groups that it is in"),
        boolean("displayvm", "whether users see it"),
        boolean("isdynamicallyscalable", "whether it may grow while it runs"),
        TAGS,
        string("cpuused", "the share of its CPUs in use"),
        long("networkkbsread", "KiB received"),
        long("networkkbswrite", "KiB sent"),
        string("hostid", "the host that it runs on; told to root admins"),
        string("hostname", "the name of that host"),
        set("nic", "its network cards").of(NIC),
    ],
];

const VOLUME: Fields = &[
    OWNER,
    DOMAIN,
    ZONE_OF,
    &[
        ID,
        NAME,
        string("type", "ROOT or DATADISK"),
        long("deviceid", "its place in the machine"),
        string("virtualmachineid", "the machine that it is attached to"),
        string("vmname", "the name of that machine"),
        string("vmdisplayname", "the name that people see of that machine"),
        string("vmstate", "the state of that machine"),
        long("size", "bytes"),
        CREATED,
        STATE,
        string("storagetype", "shared or local"),
        string("provisioningtype", "thin, sparse or fat"),
        HYPERVISOR,
        string("diskofferingid", "the offering of a data disk"),
        string("diskofferingname", "the name of that offering"),
        string("diskofferingdisplaytext", "the text of that offering"),
        string("serviceofferingid", "the size of the machine of a root disk"),
        string("serviceofferingname", "the name of that size"),
        string("serviceofferingdisplaytext", "the text of that size"),
        string("storage", "the storage that it lies on"),
        date("attached", "when it was attached"),
        boolean("destroyed", "whether it was destroyed"),
        boolean("isextractable", "whether it can be downloaded"),
        TAGS,
        boolean("displayvolume", "whether users see it"),
    ],
];

const SERVICE: &[Field] = &[string("name", "the name of the service")];

const NETWORK: Fields = &[
    OWNER,
    DOMAIN,
    ZONE_OF,
    &[
        ID,
        NAME,
        DISPLAY_TEXT,
        string("broadcasturi", "its VLAN"),
        boolean("subdomainaccess", "whether domains below may use it"),
        string("broadcastdomaintype", "how it is kept apart from others"),
        string("traffictype", "the kind of traffic"),
        string("gateway", "the way out"),
        string("netmask", "the mask"),
        string("cidr", "the addresses"),
        string("networkofferingid", "the offering that it was made from"),
        string("networkofferingname", "the name of the offering"),
        string("networkofferingdisplaytext", "the text of the offering"),
        boolean("networkofferingconservemode", "whether services share addresses"),
        string("networkofferingavailability", "whether the offering is required"),
        boolean("issystem", "whether the cloud itself uses it"),
        STATE,
        string("related", "the network that it belongs with"),
        string("dns1", "its first name server"),
        string("type", "Isolated, Shared or L2"),
        string("acltype", "whether an account or a domain uses it"),
        list("service", "what it offers").of(&[SERVICE]),
        string("networkdomain", "the domain of its hosts' names"),
        boolean("restartrequired", "whether it needs a restart"),
        boolean("specifyipranges", "whether its addresses are given"),
        boolean("canusefordeploy", "whether machines can be deployed in it"),
        boolean("ispersistent", "whether it stays without machines"),
        TAGS,
        boolean("strechedl2subnet", "whether it reaches over zones"),
        boolean("displaynetwork", "whether users see it"),
        CREATED,
    ],
];

const ZONE: Fields = &[&[
    ID,
    NAME,
    string("dns1", "the first name server of machines"),
    string("internaldns1", "the first name server of the cloud's own machines"),
    string("guestcidraddress", "addresses of new networks"),
    string("networktype", "Basic or Advanced"),
    boolean("securitygroupsenabled", "whether machines are in security groups"),
    string("allocationstate", "Enabled or Disabled"),
    string("zonetoken", "a word that stands for it"),
    string("dhcpprovider", "what gives machines their addresses"),
    boolean("localstorageenabled", "whether disks may lie on hosts"),
    TAGS,
]];

const SERVICE_OFFERING: Fields = &[&[
    ID,
    NAME,
    DISPLAY_TEXT,
    integer("cpunumber", "virtual CPUs"),
    integer("cpuspeed", "MHz of each"),
    integer("memory", "MiB of memory"),
    CREATED,
    string("storagetype", "shared or local"),
    string("provisioningtype", "thin, sparse or fat"),
    boolean("offerha", "whether machines start again after their host failed"),
    boolean("limitcpuuse", "whether machines get no more than that"),
    boolean("isvolatile", "whether a reboot makes the root disk anew"),
    boolean("issystem", "whether the cloud itself uses it"),
    boolean("defaultuse", "whether the cloud's own machines use it by default"),
    boolean("iscustomized", "whether the order says the size"),
    string("cacheMode", "how disks are cached"),
]];

const DISK_OFFERING: Fields = &[&[
    ID,
    NAME,
    DISPLAY_TEXT,
    long("disksize", "GiB"),
    string("storagetype", "shared or local"),
    CREATED,
    string("provisioningtype", "thin, sparse or fat"),
    boolean("iscustomized", "whether the order says the size"),
    boolean("displayoffering", "whether users see it"),
]];

const TEMPLATE: Fields = &[
    DOMAIN,
    ZONE_OF,
    &[
        ID,
        NAME,
        DISPLAY_TEXT,
        ACCOUNT,
        boolean("ispublic", "whether every account may use it"),
        CREATED,
        boolean("isready", "whether it can be used"),
        boolean("passwordenabled", "whether passwords can be reset"),
        Field::new("format", "imageformat", "the format of the image"),
        boolean("isfeatured", "whether it is recommended"),
        boolean("crossZones", "whether it is in every zone"),
        string("ostypeid", "the operating system"),
        string("ostypename", "the name of the operating system"),
        string("status", "how far it has come"),
        long("size", "bytes"),
        string("templatetype", "who made it"),
        HYPERVISOR,
        boolean("isextractable", "whether it can be downloaded"),
        boolean("sshkeyenabled", "whether keys can be set"),
        TAGS,
    ],
];

const PROVIDER: &[Field] = &[string("name", "the name of the provider")];

const NETWORK_OFFERING: Fields = &[&[
    ID,
    NAME,
    DISPLAY_TEXT,
    CREATED,
    string("traffictype", "the kind of traffic"),
    boolean("isdefault", "whether it came with the cloud"),
    boolean("specifyvlan", "whether the order says the VLAN"),
    boolean("conservemode", "whether services share addresses"),
    boolean("specifyipranges", "whether the order says the addresses"),
    string("availability", "whether it is required"),
    integer("networkrate", "Mbit/s"),
    STATE,
    string("serviceofferingid", "the size of its routers"),
    string("guestiptype", "Isolated, Shared or L2"),
    list("service", "what it offers").of(&[SERVICE, &[PROVIDERS]]),
    boolean("forvpc", "whether it is for tiers of VPCs"),
]];

const PROVIDERS: Field = list("provider", "what provides the service").of(&[PROVIDER]);

const CONFIGURATION: Fields = &[&[
    string("category", "the group of settings"),
    NAME,
    string("value", "the value"),
    string("description", "what it decides"),
    boolean("isdynamic", "whether it counts without a restart"),
]];

const HOST: Fields = &[
    ZONE_OF,
    &[
        ID,
        NAME,
        Field::new("state", "status", "the state"),
        Field::new("type", "type", "the kind of host"),
        string("ipaddress", "its address"),
        HYPERVISOR,
        integer("cpunumber", "CPUs"),
        long("cpuspeed", "MHz of each"),
        long("memorytotal", "bytes of memory"),
        string("resourcestate", "whether it takes machines"),
        CREATED,
    ],
];

const DOMAIN_ROW: Fields = &[&[
    ID,
    NAME,
    integer("level", "how far below the root"),
    boolean("haschild", "whether there are domains below it"),
    string("path", "the path from the root"),
    STATE,
    string("parentdomainid", "the domain above it"),
    string("parentdomainname", "the name of the domain above it"),
]];

const USER: Fields = &[
    DOMAIN,
    &[
        ID,
        string("username", "the name that the user logs in with"),
        string("firstname", "the first name"),
        string("lastname", "the last name"),
        string("email", "the address of the user's mail"),
        STATE,
        string("account", "the account"),
        string("accountid", "the identifier of the account"),
        integer("accounttype", "the kind of account, by its number"),
        string("rolename", "the name of the role"),
        boolean("iscallerchilddomain", "whether the caller's domain lies above"),
        boolean("isdefault", "whether it came with the cloud"),
    ],
];

const ACCOUNT_ROW: Fields = &[
    DOMAIN,
    &[
        ID,
        NAME,
        integer("accounttype", "the kind of account, by its number"),
        string("roletype", "the kind of role"),
        string("rolename", "the name of the role"),
        string("domainpath", "the path of the domain"),
        STATE,
        list("user", "its users").of(USER),
        boolean("isdefault", "whether it came with the cloud"),
        list("groups", "groups that it is in"),
    ],
];

const PROJECT: Fields = &[
    DOMAIN,
    &[
        ID,
        NAME,
        DISPLAY_TEXT,
        string("account", "the account that leads it"),
        STATE,
        string("projectaccountname", "the account that holds what it owns"),
        TAGS,
    ],
];

const CAPABILITIES: Fields = &[&[
    boolean("securitygroupsenabled", "whether a zone has security groups"),
    boolean("dynamicrolesenabled", "whether roles can be changed"),
    string("cloudstackversion", "the release"),
    boolean("userpublictemplateenabled", "whether users may publish templates"),
    string("supportELB", "whether there is elastic load balancing"),
    boolean("projectinviterequired", "whether members must be invited"),
    boolean("allowusercreateprojects", "whether users may make projects"),
    long("customdiskofferingminsize", "GiB that a disk has at least"),
    long("customdiskofferingmaxsize", "GiB that a disk has at most"),
    boolean("regionsecondaryenabled", "whether a region shares its storage"),
    boolean("kvmsnapshotenabled", "whether disks of KVM have snapshots"),
    boolean("allowuserviewdestroyedvm", "whether users see destroyed machines"),
    boolean("allowuserexpungerecovervm", "whether users may remove machines for good"),
]];

const API_FIELDS: &[Field] =
    &[NAME, string("description", "what it is, in words"), string("type", "the type")];

const PARAMETER_FIELDS: &[Field] = &[
    integer("length", "characters that a value may have"),
    boolean("required", "whether it must be given"),
    string("since", "the release that brought it"),
    string("related", "commands that answer what it identifies"),
];

/// What lies below is of the same form, and told no more (`ApiResponseResponse`).
const INNER: &[Field] = &[set("response", "the members of each object")];

const API: Fields = &[&[
    NAME,
    string("description", "what it does, in words"),
    boolean("isasync", "whether it answers with a job"),
    string("related", "other commands that answer the same"),
    set("params", "what it takes").of(&[API_FIELDS, PARAMETER_FIELDS]),
    set("response", "what it answers").of(&[API_FIELDS, INNER]),
]];

const API_LIMIT: Fields = &[&[
    string("accountid", "the identifier of the account"),
    string("account", "the account"),
    integer("apiIssued", "calls in this interval"),
    integer("apiAllowed", "calls that are left in it"),
    long("expireAfter", "seconds until the next one"),
]];

const USAGE_RECORD: Fields = &[
    OWNER,
    DOMAIN,
    &[
        string("accountid", "the identifier of the account"),
        string("zoneid", "the zone that it was used in"),
        string("description", "what was used, in words"),
        string("usage", "how much, with its unit"),
        integer("usagetype", "the kind of usage, by its number"),
        string("rawusage", "how much, without its unit"),
        string("usageid", "what was used"),
        string("virtualmachineid", "the machine that was used"),
        string("name", "the name of what was used"),
        string("offeringid", "the offering of what was used"),
        string("templateid", "the template of the machine"),
        long("cpunumber", "virtual CPUs"),
        long("cpuspeed", "MHz of each"),
        long("memory", "MiB of memory"),
        string("type", "the hypervisor"),
        long("size", "bytes"),
        string("startdate", "the first second"),
        string("enddate", "the last second"),
    ],
];

const USAGE_TYPE: Fields = &[&[
    integer("usagetypeid", "the number").until(Version::V4_17),
    integer("id", "the number").since(Version::V4_20),
    string("name", "the name").since(Version::V4_20),
    string("description", "the name in words"),
]];

const JOB: Fields = &[&[
    string("accountid", "the identifier of the account that started it"),
    string("account", "the account that started it"),
    string("userid", "the user who started it"),
    string("cmd", "the class of the command"),
    integer("jobstatus", "0 while it runs, 1 if it went well, 2 if not"),
    integer("jobprocstatus", "how far it has come"),
    integer("jobresultcode", "0, or the code of the error"),
    string("jobresulttype", "object or text"),
    Field::new("jobresult", "responseobject", "what the command answers, or the error"),
    string("jobinstancetype", "the kind of thing that it is about"),
    string("jobinstanceid", "what it is about"),
    date("created", "when it was started"),
    date("completed", "when it ended"),
    string("jobid", "the identifier"),
]];

const SUCCESS: Fields = &[&[boolean("success", "whether it went well")]];

impl Entity {
    /// The members of an answer about it; none of what there never is here.
    pub(crate) fn fields(self) -> Fields {
        match self {
            Self::Account => ACCOUNT_ROW,
            Self::Api => API,
            Self::ApiLimit => API_LIMIT,
            Self::Capabilities => CAPABILITIES,
            Self::Configuration => CONFIGURATION,
            Self::DiskOffering => DISK_OFFERING,
            Self::Domain => DOMAIN_ROW,
            Self::Event => EVENT,
            Self::EventType => EVENT_TYPE,
            Self::Host => HOST,
            Self::Job => JOB,
            Self::Machine => MACHINE,
            Self::Network => NETWORK,
            Self::NetworkOffering => NETWORK_OFFERING,
            Self::Project => PROJECT,
            Self::SecurityGroup | Self::SecurityGroupRule => GROUP,
            Self::ServiceOffering => SERVICE_OFFERING,
            Self::Success => SUCCESS,
            Self::Template => TEMPLATE,
            Self::UsageRecord => USAGE_RECORD,
            Self::UsageType => USAGE_TYPE,
            Self::User => USER,
            Self::Volume => VOLUME,
            Self::Zone => ZONE,
            Self::AffinityGroup
            | Self::IpForwardingRule
            | Self::KeyPair
            | Self::PortForwardingRule
            | Self::PublicAddress
            | Self::Snapshot
            | Self::Tag
            | Self::Vpc => &[],
        }
    }
}
