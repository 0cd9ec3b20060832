//! Ids of users and accounts by their names: what `listEvents` lacks, and what CloudStack's own event
//! bus tells instead of names.
//!
//! All users and accounts in scope are listed with a session's first event, and again when an event
//! names somebody unknown, at most once in [`AGAIN`]: an operator's cloud has thousands of them, and few new
//! ones a day. A role that may not list them costs nothing but the ids. It refuses to guess: a user
//! name that two domains have has no id here unless the account's domain decides.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pluvio_clouds::cloudstack::{
    AccountQuery, Client, Error, NativeEvent, Page, Paging, Query, Scope, UserQuery,
};
use tokio::time::Instant;
use tracing::debug;

/// Somebody unknown is looked for at most so often.
const AGAIN: Duration = Duration::from_secs(30);
/// Most users and accounts that are remembered, at about 200 bytes each; more have no ids.
const PEOPLE_MAX: usize = 100_000;

/// What is known, shared by whoever lists and whoever maps.
#[derive(Clone, Debug, Default)]
pub(super) struct People(Option<Arc<Mutex<Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// By the domain's id, and by name.
    accounts: HashMap<String, HashMap<String, String>>,
    /// By name; each with its domain's id.
    users: HashMap<String, Vec<(String, String)>>,
    listed: Option<Instant>,
    /// Events name them, and lists do not: who was deleted.
    missing: HashSet<(String, String)>,
    /// The role may not list them, or the cloud cannot.
    is_refused: bool,
}

/// Ids that an event's names stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) user: Option<String>,
    pub(super) account: Option<String>,
}

impl People {
    /// Lists people if `is_wanted`; else nobody has an id.
    pub(super) fn new(is_wanted: bool) -> Self {
        Self(is_wanted.then(Arc::default))
    }

    /// The ids of an event's user and account, as far as they are known.
    pub(super) fn ids(&self, event: &NativeEvent) -> Ids {
        let Some(known) = self.lock() else { return Ids::default() };
        known.ids(event)
    }

    /// Forgets all: another session may have another role, and a name may be somebody else's by now.
    pub(super) fn session_begins(&self) {
        if let Some(mut known) = self.lock() {
            *known = Known::default();
        }
    }

    /// Lists people if one of `events` names somebody unknown. Never fails: ids are an addition.
    pub(super) async fn look_up<'e>(
        &self,
        client: &Client,
        scope: &Scope,
        page_rows: u32,
        events: impl Iterator<Item = &'e NativeEvent> + Clone,
    ) {
        let is_due = self.lock().is_some_and(|known| {
            let is_long_ago = known.listed.is_none_or(|listed| listed.elapsed() >= AGAIN);
            !known.is_refused && is_long_ago && events.clone().any(|event| known.is_unknown(event))
        });
        if !is_due {
            return;
        }
        let listed = list(client, scope, page_rows).await;
        let Some(mut known) = self.lock() else { return };
        match listed {
            Ok(found) => {
                let missing = std::mem::take(&mut known.missing);
                *known = Known { missing, ..found };
                let unknown: Vec<_> = events.filter(|event| known.is_unknown(event)).collect();
                let left = PEOPLE_MAX.saturating_sub(known.missing.len());
                known.missing.extend(unknown.into_iter().take(left).map(names));
            }
            Err(error) => {
                debug!(%error, "users and accounts cannot be listed: events go without their ids");
                known.is_refused = error.kind().is_some();
            }
        }
        known.listed = Some(Instant::now());
    }

    fn lock(&self) -> Option<MutexGuard<'_, Known>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn ids(&self, event: &NativeEvent) -> Ids {
        let domain = event.domain_id.as_deref().unwrap_or_default();
        let account = event
            .account
            .as_ref()
            .and_then(|account| self.accounts.get(domain)?.get(account).cloned());
        let users = event.username.as_ref().and_then(|name| self.users.get(name));
        let user = match users.map(Vec::as_slice) {
            Some([(_, only)]) => Some(only.clone()),
            Some(several) => several.iter().find(|(of, _)| of == domain).map(|(_, id)| id.clone()),
            None => None,
        };
        Ids { user, account: event.account_id.clone().or(account) }
    }

    fn is_unknown(&self, event: &NativeEvent) -> bool {
        let ids = self.ids(event);
        let lacks = |name: &Option<String>, id: Option<String>| name.is_some() && id.is_none();
        let is_unknown = lacks(&event.username, ids.user) || lacks(&event.account, ids.account);
        is_unknown && !self.missing.contains(&names(event))
    }
}

/// Whom an event names.
fn names(event: &NativeEvent) -> (String, String) {
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    (text(&event.username), format!("{}/{}", text(&event.domain_id), text(&event.account)))
}

async fn list(client: &Client, scope: &Scope, page_rows: u32) -> Result<Known, Error> {
    let mut known = Known::default();
    let query = AccountQuery { scope: scope.clone(), ..AccountQuery::default() };
    for account in all(client, &query, page_rows).await? {
        if let (Some(name), Some(domain)) = (account.name, account.domain_id) {
            known.accounts.entry(domain).or_default().insert(name, account.id);
        }
    }
    let query = UserQuery { scope: scope.clone(), ..UserQuery::default() };
    for user in all(client, &query, page_rows).await? {
        if let Some(name) = user.username {
            let domain = user.domain_id.unwrap_or_default();
            known.users.entry(name).or_default().push((domain, user.id));
        }
    }
    Ok(known)
}

/// All rows of a list that can be read, page by page.
async fn all<Q: Query>(client: &Client, query: &Q, page_rows: u32) -> Result<Vec<Q::Row>, Error> {
    let mut rows = Vec::new();
    for page in 1.. {
        let Page { rows: some, .. } = client.list(query, Paging { page, page_rows }).await?;
        let is_last = some.len() < page_rows as usize;
        rows.extend(some.into_iter().flatten());
        if is_last || rows.len() >= PEOPLE_MAX {
            break;
        }
    }
    rows.truncate(PEOPLE_MAX);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pluvio_clouds::cloudstack::Row as _;
    use serde_json::value::RawValue;

    use super::*;

    fn known() -> Known {
        let mut known = Known::default();
        for (domain, id) in [("d1", "a1"), ("d2", "a2")] {
            known.accounts.entry(domain.into()).or_default().insert("web".into(), id.into());
        }
        known.users.insert("anna".into(), vec![("d1".into(), "u1".into())]);
        let twice = vec![("d1".into(), "u2".into()), ("d2".into(), "u3".into())];
        known.users.insert("admin".into(), twice);
        known
    }

    fn ids(user: &str, domain: &str) -> (Option<String>, Option<String>) {
        let row = format!(
            r#"{{"id":"1","created":"2026-11-20T12:19:53+0100","username":"{user}","account":"web","domainid":"{domain}"}}"#
        );
        let event = NativeEvent::read(&RawValue::from_string(row).unwrap()).unwrap();
        let Ids { user, account } = known().ids(&event);
        (user, account)
    }

    #[test]
    fn a_new_session_does_not_take_a_name_for_whom_it_was_before() {
        let people = People::new(true);
        *people.lock().unwrap() = known();
        people.session_begins();
        let row = r#"{"id":"1","created":"2026-11-20T12:19:53+0100","username":"anna"}"#;
        let event = NativeEvent::read(&RawValue::from_string(row.into()).unwrap()).unwrap();
        assert_eq!(people.ids(&event), Ids::default());
    }

    #[test]
    fn a_name_that_two_domains_have_is_told_apart_by_the_domain_or_not_at_all() {
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(ids("anna", "d2"), (some("u1"), some("a2")));
        assert_eq!(ids("admin", "d2"), (some("u3"), some("a2")));
        assert_eq!(ids("admin", "d3"), (None, None));
        assert_eq!(ids("nobody", "d1"), (None, some("a1")));
    }
}
