//! What a CloudStack says of itself, for `pluvio check --connect` and for whoever resumes.
//!
//! Each question may be refused by the account's role; then nothing is said about it.

use std::fmt;

use jiff::SignedDuration;
use pluvio_clouds::cloudstack::{
    Client, EventQuery, Method, Paging, Params, Query as _, Reply, Scope, UsageQuery,
};
use serde::Deserialize;
use tracing::debug;

use super::{
    Error,
    lists::{List, Lists as _},
    session::Session,
    span::{Span, at},
};

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 86_400;

/// What a probe found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    version: Option<String>,
    role: Option<String>,
    domains: Option<u64>,
    /// Where events were asked for.
    events_last_hour: Option<u64>,
    /// Whether usage records can be listed, where they were asked for.
    lists_usage: bool,
    /// 0: never.
    purge_s: Option<i64>,
    /// The cloud's clock minus ours, if it tells it.
    skew: Option<SignedDuration>,
    /// Events of the last hour that are the account's own.
    own_events: Option<u64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloudStack {}", self.version.as_deref().unwrap_or("of an unknown version"))?;
        if let Some(role) = &self.role {
            write!(f, ", {role}")?;
            if let Some(domains) = self.domains {
                write!(f, " of {domains} {}", if domains == 1 { "domain" } else { "domains" })?;
            }
        }
        if let Some(events) = self.events_last_hour {
            write!(f, "; {events} events in the last hour")?;
        }
        if self.lists_usage {
            write!(f, "; usage records can be listed")?;
        }
        match self.purge_s {
            Some(0) => write!(f, "; no purge")?,
            Some(seconds) => write!(f, "; purge after {} d", seconds / DAY_S)?,
            None => {}
        }
        match self.skew {
            Some(skew) => write!(f, "; clock {:+} s", skew.as_secs())?,
            None => write!(f, "; tells no clock")?,
        }
        match self.own_events {
            Some(own) if self.events_last_hour.is_none_or(|events| own <= events) => {
                write!(f, "; listall works")
            }
            Some(_) => write!(f, "; listall hides events"),
            None => Ok(()),
        }
    }
}

/// Looks around where usage is read: the role must allow that, and events as far as there are ticks.
pub(super) async fn look_for_usage(
    session: &mut Session,
    reads_records: bool,
    may_list: bool,
) -> Result<Found, Error> {
    if reads_records {
        let now = session.now().as_second();
        let query = UsageQuery {
            dates: session.dates(),
            scope: session.scope(false),
            ..UsageQuery::between(at(now - 2 * DAY_S), at(now))
        };
        let one = Paging { page: 1, page_rows: 1 };
        let asked = session.client.list_usage_records(&query, one).await;
        asked.map_err(|error| session.refused(UsageQuery::COMMAND, error))?;
    }
    let found = if may_list {
        look(session).await?
    } else {
        Found {
            version: session.version.clone(),
            role: role(&session.client).await,
            domains: domains(&session.client).await,
            events_last_hour: None,
            lists_usage: false,
            purge_s: None,
            skew: skew(session),
            own_events: None,
        }
    };
    Ok(Found { lists_usage: reads_records, ..found })
}

fn skew(session: &Session) -> Option<SignedDuration> {
    Some(session.clock()?.duration_since(jiff::Timestamp::now()))
}

/// Looks around.
pub(super) async fn look(session: &mut Session) -> Result<Found, Error> {
    let now = session.now();
    let span = Span { from: now.as_second() - HOUR_S, to: now.as_second() };
    let one = Paging { page: 1, page_rows: 1 };
    let mut events = 0;
    let mut holds_all = false;
    for projects in [true, false] {
        let answer = session.page(List { projects, archived: false }, span, one).await?;
        let count = if answer.rows.is_empty() { 0 } else { answer.count };
        holds_all |= projects && answer.rows.iter().flatten().any(|row| row.project_id.is_none());
        events = if holds_all { count.max(events) } else { events + count };
    }
    let own = EventQuery {
        scope: Scope { list_all: false, ..Scope::default() },
        start: Some(span.start()),
        end: Some(span.end()),
        dates: session.dates(),
        ..EventQuery::default()
    };
    let client = &session.client;
    let own = told(client.list_events(&own, one).await.map_err(Into::into));
    Ok(Found {
        version: session.version.clone(),
        role: role(client).await,
        domains: domains(client).await,
        events_last_hour: Some(events),
        lists_usage: false,
        purge_s: purge_s(client).await,
        skew: skew(session),
        own_events: own.map(|page| if page.rows.is_empty() { 0 } else { page.count.unwrap_or(0) }),
    })
}

/// After how long the cloud forgets events; 0 for never. Only a root administrator learns it.
pub(super) async fn purge_s(client: &Client) -> Option<i64> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        configuration: Vec<Setting>,
    }
    #[derive(Deserialize)]
    struct Setting {
        name: String,
        value: Option<String>,
    }
    const NAME: &str = "event.purge.delay";
    let answer: Answer = ask(client, "listConfigurations", &[("name", NAME)]).await?;
    let setting = answer.configuration.into_iter().find(|setting| setting.name == NAME)?;
    let days: i64 = setting.value?.trim().parse().ok()?;
    (0..10_000).contains(&days).then_some(days * DAY_S)
}

/// The caller's own account is the only one that is listed without `listall`.
async fn role(client: &Client) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        account: Vec<Account>,
    }
    #[derive(Deserialize)]
    struct Account {
        rolename: Option<String>,
        accounttype: Option<i64>,
    }
    let answer: Answer = ask(client, "listAccounts", &[]).await?;
    let [account] = answer.account.as_slice() else { return None };
    let by_type = match account.accounttype {
        Some(0) => Some("user"),
        Some(1) => Some("root admin"),
        Some(2) => Some("domain admin"),
        _ => None,
    };
    by_type.map(str::to_owned).or_else(|| account.rolename.clone())
}

async fn domains(client: &Client) -> Option<u64> {
    #[derive(Deserialize)]
    struct Answer {
        count: u64,
    }
    let answer: Answer = ask(client, "listDomains", &[("listall", "true")]).await?;
    Some(answer.count)
}

async fn ask<T: for<'de> Deserialize<'de>>(
    client: &Client,
    command: &str,
    params: &[(&str, &str)],
) -> Option<T> {
    let params =
        params.iter().fold(Params::new(), |params, (name, value)| params.with(name, *value));
    let params = params.with("page", "1").with("pagesize", "10");
    let reply: Reply = told(client.call(command, params, Method::Get).await.map_err(Into::into))?;
    serde_json::from_str(reply.object().get()).ok()
}

fn told<T>(answer: Result<T, Error>) -> Option<T> {
    answer.inspect_err(|error| debug!(%error, "the cloud does not tell")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_says_only_what_it_learned() {
        let found = Found {
            version: Some("4.20.1".into()),
            role: Some("root admin".into()),
            domains: Some(3),
            events_last_hour: Some(412),
            lists_usage: false,
            purge_s: Some(15 * DAY_S),
            skew: Some(SignedDuration::from_secs(2)),
            own_events: Some(7),
        };
        assert_eq!(
            found.to_string(),
            "CloudStack 4.20.1, root admin of 3 domains; 412 events in the last hour; \
             purge after 15 d; clock +2 s; listall works"
        );
        let less = Found { role: None, purge_s: None, own_events: None, version: None, ..found };
        assert_eq!(
            less.to_string(),
            "CloudStack of an unknown version; 412 events in the last hour; clock +2 s"
        );
        let usage = Found { events_last_hour: None, lists_usage: true, ..less };
        assert_eq!(
            usage.to_string(),
            "CloudStack of an unknown version; usage records can be listed; clock +2 s"
        );
    }
}
