//! How the table says what a command takes and answers, and how `listApis` prints that.
//!
//! The words are those of `ApiDiscoveryServiceImpl` (4.9 to 4.22): a parameter's type is its
//! `CommandType` in lower case, a field's the simple name of its Java class in lower case.

mod responses;

use serde_json::{Map, Value, json};

use crate::cloudstack::version::Version;

/// The length of a parameter's value that the server takes unless a command says otherwise
/// (`Parameter.length`).
const LENGTH_MAX: u16 = 255;

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Date,
    Integer,
    /// Values with commas between them.
    List,
    Long,
    /// `name[0].key=value`.
    Map,
    String,
    Uuid,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::List => "list",
            Self::Long => "long",
            Self::Map => "map",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }
}

/// What a command answers rows of, or a parameter identifies: one for each class of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    Account,
    AffinityGroup,
    Api,
    ApiLimit,
    Capabilities,
    Configuration,
    DiskOffering,
    Domain,
    Event,
    EventType,
    Host,
    IpForwardingRule,
    Job,
    KeyPair,
    Machine,
    Network,
    NetworkOffering,
    PortForwardingRule,
    Project,
    PublicAddress,
    SecurityGroup,
    /// What `listApis` relates rules to: the commands that add them, which answer a group.
    SecurityGroupRule,
    ServiceOffering,
    Snapshot,
    /// Nothing but that it went well; relates to no other command.
    Success,
    Tag,
    Template,
    UsageRecord,
    UsageType,
    User,
    Volume,
    Vpc,
    Zone,
}

/// One parameter of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// What its value identifies; `None` if its value is no identifier.
    pub(crate) of: Option<Entity>,
    /// The first simulated release that knows it, and the release that the server names.
    pub(crate) since: Option<(Version, &'static str)>,
    text: &'static str,
}

impl Parameter {
    pub(crate) const fn new(name: &'static str, kind: Kind, text: &'static str) -> Self {
        Self { name, kind, required: false, of: None, since: None, text }
    }

    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) const fn of(self, entity: Entity) -> Self {
        Self { of: Some(entity), ..self }
    }

    pub(crate) const fn since(self, version: Version, text: &'static str) -> Self {
        Self { since: Some((version, text)), ..self }
    }

    /// Whether a release knows it.
    pub(crate) fn is_known(&self, version: Version) -> bool {
        self.since.is_none_or(|(since, _)| since <= version)
    }

    /// As `listApis` tells it; `related` are the commands that answer what it identifies.
    pub(crate) fn told(&self, related: Option<String>) -> Value {
        let mut told = json!({
            "name": self.name, "description": self.text, "type": self.kind.name(),
            "length": LENGTH_MAX, "required": self.required,
        });
        if let Some((_, since)) = self.since {
            told["since"] = json!(since);
        }
        if let Some(related) = related {
            told["related"] = json!(related);
        }
        told
    }
}

/// One member of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    /// The members of each object in a list.
    inner: Fields,
    since: Version,
    until: Version,
}

/// Members of an answer, in groups that answers share.
pub(crate) type Fields = &'static [&'static [Field]];

impl Field {
    pub(crate) const fn new(name: &'static str, kind: &'static str, text: &'static str) -> Self {
        Self { name, kind, text, inner: &[], since: Version::V4_9, until: Version::V4_22 }
    }

    pub(crate) const fn of(self, inner: Fields) -> Self {
        Self { inner, ..self }
    }

    pub(crate) const fn since(self, since: Version) -> Self {
        Self { since, ..self }
    }

    pub(crate) const fn until(self, until: Version) -> Self {
        Self { until, ..self }
    }

    fn told(&self, version: Version) -> Value {
        let mut told = Map::new();
        told.insert("name".to_owned(), json!(self.name));
        told.insert("description".to_owned(), json!(self.text));
        told.insert("type".to_owned(), json!(self.kind));
        if !self.inner.is_empty() {
            told.insert("response".to_owned(), fields_told(self.inner, version));
        }
        Value::Object(told)
    }
}

/// The first release whose answer may have a member, if one may.
fn since(fields: Fields, name: &str) -> Option<Version> {
    fields.iter().copied().flatten().find(|field| field.name == name).map(|field| field.since)
}

/// The members that a release's answer may have, as `listApis` tells them.
pub(crate) fn fields_told(fields: Fields, version: Version) -> Value {
    let known = fields.iter().copied().flatten();
    let known = known.filter(|field| (field.since..=field.until).contains(&version));
    known.map(|field| field.told(version)).collect()
}

/// The first release whose events may have a field of that name, if one may.
pub(crate) fn event_field_since(name: &str) -> Option<Version> {
    since(Entity::Event.fields(), name)
}
