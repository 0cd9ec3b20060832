//! What a server can do: its commands with their parameters, its version, its types of events.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Client, Method};
use super::error::Error;
use super::list;
use super::params::Params;
use super::reply::Reply;

/// The commands that the account's role may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apis {
    commands: BTreeMap<String, Api>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its name as the server writes it, such as `listEvents`.
    pub name: String,
    /// The version it came with.
    pub since: Option<String>,
    /// Whether it answers with a job.
    pub is_async: bool,
    /// Its parameters' names, in lower case.
    pub params: BTreeSet<String>,
}

/// What a server tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The version, such as `4.22.0.0`.
    pub version: Option<String>,
    /// In how many seconds calls are counted, where they are limited.
    pub api_limit_interval_s: Option<u64>,
    /// How many calls an account has in that time.
    pub api_limit_calls: Option<u64>,
}

impl Client {
    /// The commands that this account may call, or the one with this name; the server refuses a
    /// name that it does not know with 530 (`ListApisCmd`), as
    /// [`FaultKind::Internal`](super::FaultKind::Internal). All of them take megabytes: ask by name,
    /// once per connection.
    pub async fn list_apis(&self, name: Option<&str>) -> Result<Apis, Error> {
        let params = Params::new().with_some("name", name);
        Apis::of(&self.call("listApis", params, Method::Get).await?)
    }

    /// Version and limits.
    pub async fn list_capabilities(&self) -> Result<Capabilities, Error> {
        Capabilities::of(&self.call("listCapabilities", Params::new(), Method::Get).await?)
    }

    /// The names of all types of events.
    pub async fn list_event_types(&self) -> Result<Vec<String>, Error> {
        let reply = self.call("listEventTypes", Params::new(), Method::Get).await?;
        let (_, rows) = list::rows(&reply, "eventtype")?;
        Ok(rows.into_iter().filter_map(|row| list::fields(row).ok()?.text("name")).collect())
    }
}

impl Apis {
    /// Reads an answer to `listApis`: pure.
    pub fn of(reply: &Reply) -> Result<Apis, Error> {
        let (_, rows) = list::rows(reply, "api")?;
        let apis = rows.into_iter().filter_map(|row| {
            let fields = list::fields(row).ok()?;
            let name = fields.text("name")?;
            let params = fields.array("params").unwrap_or_default();
            let params = params.into_iter().filter_map(|param| list::fields(param).ok());
            let api = Api {
                since: fields.text("since"),
                is_async: fields.flag("isasync").unwrap_or(false),
                params: params.filter_map(|it| Some(it.text("name")?.to_lowercase())).collect(),
                name,
            };
            Some((api.name.to_lowercase(), api))
        });
        Ok(Apis { commands: apis.collect() })
    }

    /// A command by its name, in any case.
    pub fn command(&self, name: &str) -> Option<&Api> {
        self.commands.get(&name.to_lowercase())
    }

    /// Whether a command exists and has this parameter.
    pub fn knows(&self, command: &str, param: &str) -> bool {
        self.command(command).is_some_and(|api| api.params.contains(&param.to_lowercase()))
    }

    /// All commands, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Api> {
        self.commands.values()
    }
}

impl Capabilities {
    /// Reads an answer to `listCapabilities`: pure.
    pub fn of(reply: &Reply) -> Result<Capabilities, Error> {
        let fields = reply.fields();
        let fields = fields.object("capability").ok_or_else(|| reply.lacks("`capability`"))?;
        Ok(Capabilities {
            version: fields.text("cloudstackversion"),
            api_limit_interval_s: fields.number("apilimitinterval"),
            api_limit_calls: fields.number("apilimitmax"),
        })
    }
}
