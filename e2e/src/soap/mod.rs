//! A second, foreign client of a vCenter: makes events, ends other people's sessions.
//!
//! It speaks SOAP by pasting text together and finding text between tags. That is enough for the
//! dozen calls of a test, and it shares nothing with the client that is tested. Plain HTTP only.

mod storm;

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;

pub use storm::{PowerStorm, StormReport};

use crate::http::{Answer, Connection};

const OPEN: &str = "<soapenv:Envelope \
    xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
    xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>";
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";

/// The moids that vcsim and our simulated vCenter give their managers.
const EVENT_MANAGER: Object<'_> = Object("EventManager", "EventManager");
const PROPERTY_COLLECTOR: Object<'_> = Object("PropertyCollector", "propertyCollector");
const SESSION_MANAGER: Object<'_> = Object("SessionManager", "SessionManager");
const SERVICE_INSTANCE: Object<'_> = Object("ServiceInstance", "ServiceInstance");
const VIEW_MANAGER: Object<'_> = Object("ViewManager", "ViewManager");
const ROOT_FOLDER: &str = "group-d1";

/// A managed object: its type and its id.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(pub &'a str, pub &'a str);

/// What a vCenter calls one of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestEvent {
    /// Its key.
    pub key: i64,
    /// When the vCenter says it happened.
    pub created: Timestamp,
}

/// A session on a connection of its own.
#[derive(Debug)]
pub struct Soap {
    connection: Connection,
    cookie: String,
    session: String,
}

impl Soap {
    /// Connects and logs in.
    pub async fn login(address: SocketAddr, username: &str, password: &str) -> Result<Self> {
        let connection = Connection::open(address).await?;
        let mut soap = Self { connection, cookie: String::new(), session: String::new() };
        let login = format!("<userName>{username}</userName><password>{password}</password>");
        let answer = soap.ask("Login", SESSION_MANAGER, &login).await?;
        let cookie = answer.head.header("set-cookie").context("login gives no cookie")?;
        soap.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let key = between(&answer.text(), "<key>", "</key>").map(str::to_owned);
        soap.session = key.context("login gives no session")?;
        Ok(soap)
    }

    /// Ends the session.
    pub async fn logout(mut self) -> Result<()> {
        self.call("Logout", SESSION_MANAGER, "").await.map(|_| ())
    }

    /// Calls a method and gives the answer's text; a fault is an error.
    pub async fn call(&mut self, method: &str, on: Object<'_>, inside: &str) -> Result<String> {
        Ok(self.ask(method, on, inside).await?.text())
    }

    async fn ask(&mut self, method: &str, on: Object<'_>, inside: &str) -> Result<Answer> {
        let Object(kind, id) = on;
        let body = format!(
            "{OPEN}<{method} xmlns=\"urn:vim25\"><_this type=\"{kind}\">{id}</_this>{inside}\
             </{method}>{CLOSE}"
        );
        let headers = [
            "Content-Type: text/xml; charset=utf-8".to_owned(),
            "SOAPAction: urn:vim25/6.5".to_owned(),
            format!("Cookie: {}", self.cookie),
        ];
        let answer = self.connection.ask("POST", "/sdk", &headers, body.as_bytes()).await;
        let answer = answer.with_context(|| format!("failed to call {method}"))?;
        if answer.status() != 200 {
            bail!("{method} was answered with status {}: {}", answer.status(), answer.text());
        }
        Ok(answer)
    }

    /// The value of one property, as the text of the whole answer.
    pub async fn property(&mut self, of: Object<'_>, path: &str) -> Result<String> {
        let Object(kind, id) = of;
        let inside = format!(
            "<specSet><propSet><type>{kind}</type><pathSet>{path}</pathSet></propSet>\
             <objectSet><obj type=\"{kind}\">{id}</obj></objectSet></specSet>"
        );
        self.call("RetrieveProperties", PROPERTY_COLLECTOR, &inside).await
    }

    /// The ids of all virtual machines.
    pub async fn machines(&mut self) -> Result<Vec<String>> {
        let inside = format!(
            "<container type=\"Folder\">{ROOT_FOLDER}</container><type>VirtualMachine</type>\
             <recursive>true</recursive>"
        );
        let answer = self.call("CreateContainerView", VIEW_MANAGER, &inside).await?;
        let view = between(&answer, "type=\"ContainerView\">", "<").context("no view was made")?;
        let answer = self.property(Object("ContainerView", view), "view").await?;
        let machines = all_between(&answer, "type=\"VirtualMachine\">", "<");
        Ok(machines.map(str::to_owned).collect())
    }

    /// Switches a machine on or off: two events. `false`: the server refused, most likely because
    /// the last switch is not done yet.
    pub async fn power(&mut self, machine: &str, on: bool) -> Result<bool> {
        let method = if on { "PowerOnVM_Task" } else { "PowerOffVM_Task" };
        let answer = self.call(method, Object("VirtualMachine", machine), "").await?;
        Ok(answer.contains("type=\"Task\""))
    }

    /// Posts an `EventEx` of this type. Without an object that exists, vcsim would break the
    /// connection, so it is about the root folder.
    pub async fn post_event(&mut self, event_type: &str, message: &str) -> Result<()> {
        let inside = format!(
            "<eventToPost xsi:type=\"EventEx\"><key>0</key><chainId>0</chainId>\
             <createdTime>1970-01-01T00:00:00Z</createdTime><userName></userName>\
             <eventTypeId>{event_type}</eventTypeId><message>{message}</message>\
             <objectId>{ROOT_FOLDER}</objectId><objectType>Folder</objectType></eventToPost>"
        );
        self.call("PostEvent", EVENT_MANAGER, &inside).await.map(|_| ())
    }

    /// The newest event of all, as a collector's latest page shows it.
    pub async fn newest_event(&mut self) -> Result<NewestEvent> {
        let one = "<filter><maxCount>1</maxCount></filter>";
        let answer = self.call("CreateCollectorForEvents", EVENT_MANAGER, one).await?;
        let id = between(&answer, "type=\"EventHistoryCollector\">", "<");
        let id = id.context("no collector was made")?;
        let collector = Object("EventHistoryCollector", id);
        let page = self.property(collector, "latestPage").await?;
        self.call("DestroyCollector", collector, "").await?;
        let key = between(&page, "<key>", "</key>").and_then(|key| key.parse().ok());
        let created = between(&page, "<createdTime>", "</createdTime>");
        Ok(NewestEvent {
            key: key.context("the newest event has no key")?,
            created: created.context("the newest event has no time")?.parse()?,
        })
    }

    /// The clock of the vCenter.
    pub async fn current_time(&mut self) -> Result<Timestamp> {
        let answer = self.call("CurrentTime", SERVICE_INSTANCE, "").await?;
        let time = between(&answer, "<returnval>", "<").context("the vCenter tells no time")?;
        time.parse().with_context(|| format!("`{time}` is no time"))
    }

    /// The session's key.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Ends every session but this one and the `spared`; gives how many.
    pub async fn terminate_others(&mut self, spared: &[String]) -> Result<usize> {
        let sessions = self.property(SESSION_MANAGER, "sessionList").await?;
        let keys = all_between(&sessions, "<key>", "</key>");
        let is_spared = |key: &str| key == self.session || spared.iter().any(|other| other == key);
        let others: Vec<&str> = keys.filter(|key| !is_spared(key)).collect();
        for key in &others {
            let inside = format!("<sessionId>{key}</sessionId>");
            self.call("TerminateSession", SESSION_MANAGER, &inside).await?;
        }
        Ok(others.len())
    }
}

/// The text between the first `open` and the `close` behind it.
fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

fn all_between<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0))
}
