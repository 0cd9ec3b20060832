//! Ids of users and accounts by their names: what `listEvents` lacks, and what CloudStack's own event
//! bus tells instead of names.
//!
//! All users and accounts in scope are listed with a session's first event, and again when an event
//! names somebody unknown, at most once in [`AGAIN`]: an operator's cloud has thousands of them, and few new
//! ones a day. A role that may not list them costs nothing but the ids.
//!
//! It refuses to guess. A user name says whose it is together with its domain, and an event tells the domain of
//! an account, which need not be the user's: an admin acts on what is another domain's. So a name means the user
//! of the event's domain if there is one. If there is none, and only one other domain has the name, it means that
//! user, where the lists were asked after the event, or after the name was seen with this domain; not later than
//! [`TRUSTED`] ago, and not before an account or a user was made since. Otherwise it has no id. Whom it cannot
//! tell apart: an admin from a namesake in the domain that the admin acts on, who is there or was deleted.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use pluvio_clouds::cloudstack::{
    AccountQuery, Client, Error, NativeEvent, Page, Paging, Query, Scope, UserQuery,
};
use tokio::time::Instant;
use tracing::debug;

/// Somebody unknown is looked for at most so often.
const AGAIN: Duration = Duration::from_secs(30);
/// So long it is believed that a domain has no user of a name that another one has.
const TRUSTED: Duration = Duration::from_secs(300);
/// Events after which somebody may be there who was not.
const MADE: [&str; 2] = ["ACCOUNT.CREATE", "USER.CREATE"];
/// Most users and accounts that are remembered, at about 200 bytes each; more have no ids.
const PEOPLE_MAX: usize = 100_000;

/// What is known, shared by whoever lists and whoever maps.
#[derive(Clone, Debug, Default)]
pub(super) struct People(Option<Arc<Mutex<Known>>>);

/// By the domain's id, and by name.
type Accounts = HashMap<String, HashMap<String, String>>;
/// By name; each with its domain's id.
type Users = HashMap<String, Vec<(String, String)>>;

/// What the lists told.
#[derive(Debug, Default)]
struct Listed {
    accounts: Accounts,
    users: Users,
}

#[derive(Debug, Default)]
struct Known {
    accounts: Accounts,
    users: Users,
    /// When the lists were asked last.
    asked: Option<Instant>,
    /// When they answered last.
    told: Option<Instant>,
    /// What happened up to then had happened when they were asked last: it is of nobody who was made since.
    told_up_to: Option<Timestamp>,
    /// The newest event of somebody's being made.
    made: Option<Timestamp>,
    /// User names with domains that have no such user, though another one has.
    elsewhere: HashSet<(String, String)>,
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

    /// Lists people if one of `events` names somebody unknown. `before`: a time that is over by any clock. Never
    /// fails: ids are an addition.
    pub(super) async fn look_up<'e>(
        &self,
        client: &Client,
        scope: &Scope,
        page_rows: u32,
        before: Timestamp,
        events: impl Iterator<Item = &'e NativeEvent> + Clone,
    ) {
        let is_due = self.lock().is_some_and(|mut known| known.is_due(events.clone()));
        if !is_due {
            return;
        }
        let listed = list(client, scope, page_rows).await;
        let Some(mut known) = self.lock() else { return };
        match listed {
            Ok(found) => known.learn(found, before, events),
            Err(error) => {
                debug!(%error, "users and accounts cannot be listed: events go without their ids");
                known.is_refused = error.kind().is_some();
            }
        }
        known.asked = Some(Instant::now());
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
        Ids { user: self.user(event), account: event.account_id.clone().or(account) }
    }

    fn user(&self, event: &NativeEvent) -> Option<String> {
        let users = self.users.get(event.username.as_ref()?)?;
        if let Some(own) = self.own_user(event) {
            return Some(own.to_owned());
        }
        let is_told = self.told_up_to.is_some_and(|told| event.created.at <= told);
        match users.as_slice() {
            [(_, only)] if is_told || self.elsewhere.contains(&user_name(event)) => {
                Some(only.clone())
            }
            _ => None,
        }
    }

    /// The user of that name in the event's domain.
    fn own_user(&self, event: &NativeEvent) -> Option<&str> {
        let domain = event.domain_id.as_deref().unwrap_or_default();
        let users = self.users.get(event.username.as_ref()?)?;
        users.iter().find(|(of, _)| of == domain).map(|(_, id)| id.as_str())
    }

    fn is_unknown(&self, event: &NativeEvent) -> bool {
        let ids = self.ids(event);
        let lacks = |name: &Option<String>, id: Option<String>| name.is_some() && id.is_none();
        let is_unknown = lacks(&event.username, ids.user) || lacks(&event.account, ids.account);
        is_unknown && !self.missing.contains(&names(event))
    }

    /// Whether the lists are to be asked, because of these events.
    fn is_due<'e>(&mut self, mut events: impl Iterator<Item = &'e NativeEvent> + Clone) -> bool {
        let is_making =
            |event: &&NativeEvent| event.event_type.as_deref().is_some_and(|it| MADE.contains(&it));
        let made = events.clone().filter(is_making).map(|event| event.created.at).max();
        let is_news = made > self.made.max(self.told_up_to);
        self.made = self.made.max(made);
        if is_news || self.told.is_some_and(|told| told.elapsed() >= TRUSTED) {
            self.elsewhere.clear();
        }
        let is_long_ago = self.asked.is_none_or(|asked| asked.elapsed() >= AGAIN);
        !self.is_refused && is_long_ago && events.any(|event| self.is_unknown(event))
    }

    /// Takes over what the lists told after `before`, and after `events` were seen.
    fn learn<'e>(
        &mut self,
        found: Listed,
        before: Timestamp,
        events: impl Iterator<Item = &'e NativeEvent> + Clone,
    ) {
        (self.accounts, self.users) = (found.accounts, found.users);
        self.told = Some(Instant::now());
        let newest = events.clone().map(|event| event.created.at).max();
        self.told_up_to = self.told_up_to.max(newest).max(Some(before));
        for event in events {
            let is_elsewhere = self.own_user(event).is_none()
                && event.username.as_ref().is_some_and(|name| self.users.contains_key(name));
            if is_elsewhere && self.elsewhere.len() < PEOPLE_MAX {
                self.elsewhere.insert(user_name(event));
            }
            if self.is_unknown(event) && self.missing.len() < PEOPLE_MAX {
                self.missing.insert(names(event));
            }
        }
    }
}

/// The user whom an event names, and the domain that it tells.
fn user_name(event: &NativeEvent) -> (String, String) {
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    (text(&event.username), text(&event.domain_id))
}

/// Whom an event names.
fn names(event: &NativeEvent) -> (String, String) {
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    (text(&event.username), format!("{}/{}", text(&event.domain_id), text(&event.account)))
}

async fn list(client: &Client, scope: &Scope, page_rows: u32) -> Result<Listed, Error> {
    let mut known = Listed::default();
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

    fn listed(users: &[(&str, &str, &str)]) -> Listed {
        let mut listed = Listed::default();
        for (domain, id) in [("d1", "a1"), ("d2", "a2")] {
            listed.accounts.entry(domain.into()).or_default().insert("web".into(), id.into());
        }
        for (name, domain, id) in users {
            let users = listed.users.entry((*name).into()).or_default();
            users.push(((*domain).into(), (*id).into()));
        }
        listed
    }

    const USERS: [(&str, &str, &str); 3] =
        [("anna", "d1", "u1"), ("admin", "d1", "u2"), ("admin", "d2", "u3")];

    /// Of a user, with a domain, in that minute.
    fn event(kind: &str, user: &str, domain: &str, minute: u32) -> NativeEvent {
        let row = format!(
            r#"{{"id":"1","type":"{kind}","created":"2026-11-20T12:{minute:02}:53+0100","username":"{user}","account":"web","domainid":"{domain}"}}"#
        );
        NativeEvent::read(&RawValue::from_string(row).unwrap()).unwrap()
    }

    fn start(user: &str, domain: &str, minute: u32) -> NativeEvent {
        event("VM.START", user, domain, minute)
    }

    /// Lists were asked, when these events were seen.
    fn known(events: &[NativeEvent]) -> Known {
        let mut known = Known::default();
        known.learn(listed(&USERS), Timestamp::MIN, events.iter());
        known
    }

    fn some(id: &str) -> Option<String> {
        Some(id.to_owned())
    }

    #[test]
    fn a_new_session_does_not_take_a_name_for_whom_it_was_before() {
        let people = People::new(true);
        let event = start("anna", "d1", 1);
        *people.lock().unwrap() = known(&[]);
        assert_eq!(people.ids(&event).user, some("u1"));
        people.session_begins();
        assert_eq!(people.ids(&event), Ids::default());
    }

    #[test]
    fn a_name_that_two_domains_have_is_told_apart_by_the_domain_or_not_at_all() {
        let ids = |user: &str, domain: &str| {
            let event = start(user, domain, 1);
            let Ids { user, account } = known(std::slice::from_ref(&event)).ids(&event);
            (user, account)
        };
        assert_eq!(ids("anna", "d2"), (some("u1"), some("a2")));
        assert_eq!(ids("admin", "d2"), (some("u3"), some("a2")));
        assert_eq!(ids("admin", "d3"), (None, None));
        assert_eq!(ids("nobody", "d1"), (None, some("a1")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_appears_with_another_domain_has_no_id_before_the_lists_were_asked_again() {
        let mut known = known(&[start("anna", "d1", 1)]);
        known.asked = Some(Instant::now());
        let others = [start("anna", "d2", 2)];
        assert_eq!(known.ids(&others[0]).user, None);
        assert!(!known.is_due(others.iter()), "asked a moment ago");
        tokio::time::advance(AGAIN).await;
        assert!(known.is_due(others.iter()));
        let namesakes = [&USERS[..], &[("anna", "d2", "u4")]].concat();
        known.learn(listed(&namesakes), Timestamp::MIN, others.iter());
        assert_eq!(known.ids(&others[0]).user, some("u4"));
        assert_eq!(known.ids(&start("anna", "d1", 3)).user, some("u1"));
        assert!(!known.is_due(others.iter()), "nobody is unknown");
    }

    #[test]
    fn a_past_that_is_longer_than_one_page_has_its_ids_by_lists_that_were_asked_after_it() {
        let (page, next) = (start("anna", "d1", 1), start("anna", "d2", 3));
        let mut known = Known::default();
        known.learn(listed(&USERS), start("anna", "d1", 4).created.at, [page].iter());
        assert_eq!(known.ids(&next).user, some("u1"));
        assert_eq!(known.ids(&start("anna", "d2", 5)).user, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_acts_in_another_domain_is_looked_for_again_only_after_a_while_or_when_somebody_is_made()
     {
        let mut known = known(&[start("anna", "d2", 1)]);
        tokio::time::advance(AGAIN).await;
        let others = [start("anna", "d2", 2)];
        assert!(!known.is_due(others.iter()));
        assert_eq!(known.ids(&others[0]).user, some("u1"));

        let made = [event("USER.CREATE", "admin", "d2", 3), start("anna", "d2", 4)];
        assert!(known.is_due(made.iter()));
        assert_eq!(known.ids(&made[1]).user, None);
        known.learn(listed(&USERS), Timestamp::MIN, made.iter());
        assert!(!known.is_due(made.iter()), "it was seen before");
        assert_eq!(known.ids(&start("anna", "d2", 5)).user, some("u1"));

        tokio::time::advance(TRUSTED).await;
        assert!(known.is_due([start("anna", "d2", 6)].iter()));
    }
}
