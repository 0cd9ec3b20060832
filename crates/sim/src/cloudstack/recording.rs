//! A recording: the events of a real CloudStack, to happen once more.
//!
//! ```text
//!  row, time, ids ──▶ add ──▶ the row as it was written ──▶ History, when it is due
//!                      └────▶ people that it names ───────▶ Directory
//! ```
//!
//! A row is answered as it was recorded, byte for byte; only what it is found by is read out of it. Who
//! is in the cloud is known from the rows alone: a domain by its identifier, or by its path or below the
//! root where a row has none; an account by its name in its domain; a user by its name, with the account
//! that it most likely has. Identifiers that no row tells
//! are made from names. Machines, volumes and usage records are not replayed. It does not look for
//! secrets: whoever reads a log hands over what may be shown.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Deserialize;
use uuid::Uuid;

use super::directory::{ADMIN, Account, Directory, Domain, Project, Role, SYSTEM, User};
use super::history::{Level, Recorded, State};
use super::schema::event_field_since;
use super::version::Version;
use crate::error::Error;
use crate::replay::check_speed;

/// Events of a CloudStack that happen again in a simulated one.
///
/// Nothing else happens there but what faults and clients do: there is no workload.
#[derive(Debug, Clone)]
pub struct Recording {
    pub(super) rows: Vec<Recorded>,
    pub(super) people: People,
    release: Version,
    /// The offset in which the times of the last row are printed.
    offset: Offset,
    /// Where the clock begins; what was due by then is history at the start. `None`: at the time of the
    /// first event.
    pub begin: Option<Timestamp>,
    /// How many seconds of the recording a second takes: above 0, at most
    /// [`SPEED_MAX`](crate::SPEED_MAX).
    pub speed: f64,
}

/// One event as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Captured<'a> {
    /// The row of `listEvents`, as it was written.
    pub row: &'a str,
    /// When it happened.
    pub time: Timestamp,
    /// The identifier of the row's account, if the capture found it.
    pub account_id: Option<&'a str>,
    /// The identifier of the row's user, if the capture found it.
    pub user_id: Option<&'a str>,
}

/// Why an event cannot happen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unplayable {
    /// The row is no JSON object with texts where a row has them.
    #[error("its data is no row of listEvents")]
    NoRow,
    /// The row has no `id`.
    #[error("its data has no id")]
    NoId,
}

/// What is read out of a row. A number stands where a text may in old releases.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default, deserialize_with = "text")]
    id: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) level: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) state: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "text")]
    username: Option<String>,
    #[serde(default, deserialize_with = "text")]
    account: Option<String>,
    #[serde(default, deserialize_with = "text")]
    accountid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    domainid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    domain: Option<String>,
    #[serde(default, deserialize_with = "text")]
    domainpath: Option<String>,
    #[serde(default, deserialize_with = "text")]
    projectid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    project: Option<String>,
    #[serde(default, deserialize_with = "text")]
    parentid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    created: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) resourceid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) resourcetype: Option<String>,
}

/// A text, or a number as one.
fn text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl Fields {
    /// The fields of a row; none of what cannot be read.
    pub(super) fn of(row: &str) -> Self {
        serde_json::from_str(row).unwrap_or_default()
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            people: People::default(),
            release: Version::V4_9,
            offset: Offset::UTC,
            begin: None,
            speed: 1.0,
        }
    }
}

impl Recording {
    /// Adds an event behind those that are there: a recording has the order of its log.
    pub fn add(&mut self, event: Captured<'_>) -> Result<(), Unplayable> {
        let is_object = event.row.trim_start().starts_with('{');
        let fields = serde_json::from_str::<Fields>(event.row).ok().filter(|_| is_object);
        let fields = fields.ok_or(Unplayable::NoRow)?;
        let id = fields.id.clone().filter(|id| !id.is_empty()).ok_or(Unplayable::NoId)?;
        self.release = self.release.max(release_of(event.row));
        if let Some(offset) = fields.created.as_deref().and_then(offset_of) {
            self.offset = offset;
        }
        let account_id = event.account_id.or(fields.accountid.as_deref());
        let (account, user) = self.people.see(&fields, account_id, event.user_id);
        self.rows.push(Recorded {
            time: event.time,
            id: id.into(),
            parent: fields.parentid.filter(|id| id != "0").map(Into::into),
            kind: fields.kind.unwrap_or_default().into(),
            level: Level::of(fields.level.as_deref().unwrap_or_default()),
            state: State::of(fields.state.as_deref().unwrap_or_default()),
            account: u16::try_from(account).unwrap_or_default(),
            user: u16::try_from(user).unwrap_or_default(),
            row: event.row.into(),
        });
        Ok(())
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lowest release that knows every field of the rows.
    pub fn release(&self) -> Version {
        self.release
    }

    /// The time zone in which the server prints times.
    pub(super) fn zone(&self) -> TimeZone {
        TimeZone::fixed(self.offset)
    }

    /// Refuses a speed at which nothing can be played.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_speed(self.speed)
    }
}

/// The lowest release that knows every field of a row.
fn release_of(row: &str) -> Version {
    let fields: HashMap<String, serde::de::IgnoredAny> =
        serde_json::from_str(row).unwrap_or_default();
    let since = |name: &String| {
        let newest = Version::V4_22;
        event_field_since(name).unwrap_or(newest)
    };
    fields.keys().map(since).max().unwrap_or(Version::V4_9)
}

/// The offset at the end of a time: `+0100`, `+01:00` or `Z`.
fn offset_of(created: &str) -> Option<Offset> {
    if created.ends_with('Z') {
        return Some(Offset::UTC);
    }
    let at =
        created.rfind(['+', '-']).filter(|at| *at > created.find('T').unwrap_or(usize::MAX))?;
    let (sign, digits) = (created.get(at..=at)?, created.get(at + 1..)?.replace(':', ""));
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i32>().ok();
    let seconds = number(0..2)? * 3600 + number(2..4)? * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

/// Who was seen, and by which of their names they are found again.
#[derive(Debug, Clone)]
pub(super) struct People {
    pub(super) directory: Directory,
    domains_by_id: HashMap<String, usize>,
    domains_by_path: HashMap<String, usize>,
    /// By name and domain.
    accounts: HashMap<(String, usize), usize>,
    projects: HashMap<String, usize>,
    users: HashMap<String, usize>,
}

impl Default for People {
    /// The root with the cloud itself and the root admin: what is in every cloud.
    fn default() -> Self {
        let mut people = Self {
            directory: Directory {
                domains: Vec::new(),
                accounts: Vec::new(),
                users: Vec::new(),
                projects: Vec::new(),
            },
            domains_by_id: HashMap::new(),
            domains_by_path: HashMap::new(),
            accounts: HashMap::new(),
            projects: HashMap::new(),
            users: HashMap::new(),
        };
        let root = people.domain_at("ROOT");
        for name in ["system", "admin"] {
            let account = people.account(name, root, None);
            people.user(name, account, None);
        }
        for account in &mut people.directory.accounts {
            account.role = Role::Admin;
        }
        people
    }
}

impl People {
    /// The account that a row is about, and the user who did it.
    fn see(
        &mut self,
        row: &Fields,
        account_id: Option<&str>,
        user_id: Option<&str>,
    ) -> (usize, usize) {
        let domain = self.domain(row);
        let account = match (&row.projectid, &row.account) {
            (Some(id), _) => self.project(id, row.project.as_deref().unwrap_or(id), domain),
            (None, Some(name)) => self.account(name, domain, account_id),
            (None, None) => SYSTEM,
        };
        let user = match row.username.as_deref() {
            Some(name) => self.user(name, account, user_id),
            None => SYSTEM,
        };
        (account, user)
    }

    fn domain(&mut self, row: &Fields) -> usize {
        if let Some(domain) = row.domainid.as_ref().and_then(|id| self.domains_by_id.get(id)) {
            return *domain;
        }
        let name = row.domain.as_deref().unwrap_or("ROOT");
        let below = |path: &str| {
            let parts = path.split('/').filter(|part| !part.is_empty() && *part != "ROOT");
            ["ROOT"].into_iter().chain(parts).collect::<Vec<_>>().join("/")
        };
        let path = below(row.domainpath.as_deref().unwrap_or(name));
        let domain = match &row.domainid {
            Some(id) if self.is_of_another(&path, id) => self.namesake(&path, id),
            _ => self.domain_at(&path),
        };
        if let Some(id) = &row.domainid {
            self.domains_by_id.insert(id.clone(), domain);
            if let Some(domain) = self.directory.domains.get_mut(domain) {
                domain.id.clone_from(id);
            }
        }
        domain
    }

    /// Whether rows told another identifier for the domain with a path. There is one root.
    fn is_of_another(&self, path: &str, id: &str) -> bool {
        let domain = self.domains_by_path.get(path).and_then(|at| self.directory.domains.get(*at));
        domain.is_some_and(|domain| {
            domain.parent.is_some()
                && domain.id != id
                && self.domains_by_id.contains_key(&domain.id)
        })
    }

    /// A domain that has the name of another one, in place of the path that no row told.
    fn namesake(&mut self, path: &str, id: &str) -> usize {
        let domain = self.domain_at(&format!("{path}-{id}"));
        if let Some(domain) = self.directory.domains.get_mut(domain) {
            path.rsplit('/').next().unwrap_or(path).clone_into(&mut domain.name);
        }
        domain
    }

    /// The domain with a path, with those above it.
    fn domain_at(&mut self, path: &str) -> usize {
        if let Some(domain) = self.domains_by_path.get(path) {
            return *domain;
        }
        let parent = path.rsplit_once('/').map(|(above, _)| self.domain_at(above));
        let domain = self.directory.domains.len();
        self.directory.domains.push(Domain {
            id: made_of("domain", path),
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            path: path.to_owned(),
            parent,
        });
        self.domains_by_path.insert(path.to_owned(), domain);
        domain
    }

    fn account(&mut self, name: &str, domain: usize, id: Option<&str>) -> usize {
        let place = self.accounts.get(&(name.to_owned(), domain)).copied();
        let place = place.unwrap_or_else(|| {
            let (place, path) = (self.directory.accounts.len(), self.path(domain));
            let id = made_of("account", &format!("{path}/{name}"));
            let (name, role) = (name.to_owned(), Role::User);
            self.accounts.insert((name.clone(), domain), place);
            self.directory.accounts.push(Account { id, name, domain, role, project: None });
            place
        });
        if let (Some(id), Some(account)) = (id, self.directory.accounts.get_mut(place)) {
            id.clone_into(&mut account.id);
        }
        place
    }

    /// The account that holds what a project has. Its members are not known; the root admin looks after it.
    fn project(&mut self, id: &str, name: &str, domain: usize) -> usize {
        if let Some(account) = self.projects.get(id) {
            return *account;
        }
        let (account, project) = (self.directory.accounts.len(), self.directory.projects.len());
        self.directory.accounts.push(Account {
            id: made_of("project", id),
            name: format!("PrjAcct-{name}-{account}"),
            domain,
            role: Role::Project,
            project: Some(project),
        });
        let (text, name) = (id.to_owned(), name.to_owned());
        self.directory.projects.push(Project { id: text, name, account, members: vec![ADMIN] });
        self.projects.insert(id.to_owned(), account);
        account
    }

    /// A user acts for its own account as a rule, and often is called like it. What is of a project, or of no
    /// account, does not tell whose the user is, so a later row may.
    fn user(&mut self, name: &str, account: usize, id: Option<&str>) -> usize {
        let place = self.users.get(name).copied().unwrap_or_else(|| {
            let place = self.directory.users.len();
            self.directory.users.push(User::new(made_of("user", name), name, account));
            self.users.insert(name.to_owned(), place);
            place
        });
        let likelihood = self.likelihood(name, account);
        let before =
            self.directory.users.get(place).map(|user| self.likelihood(name, user.account));
        let Some(user) = self.directory.users.get_mut(place) else { return place };
        if Some(likelihood) > before {
            user.account = account;
        }
        if let Some(id) = id {
            id.clone_into(&mut user.id);
        }
        place
    }

    /// How likely it is that a user of this name is of that account.
    fn likelihood(&self, user: &str, account: usize) -> Likelihood {
        match self.directory.accounts.get(account) {
            Some(own) if own.name == user => Likelihood::CalledSo,
            Some(own) if own.role != Role::Project && account != SYSTEM => Likelihood::ActedFor,
            _ => Likelihood::None,
        }
    }

    fn path(&self, domain: usize) -> &str {
        self.directory.domains.get(domain).map_or("ROOT", |domain| &domain.path)
    }
}

/// How likely it is that a user is of an account; the greater, the likelier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    /// The account is the cloud itself or holds what a project has.
    None,
    /// The user did something that is the account's.
    ActedFor,
    /// Both have one name.
    CalledSo,
}

/// An identifier that no row told.
fn made_of(what: &str, name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{what} {name}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{Captured, Offset, Recording, Role, Unplayable, offset_of};
    use crate::cloudstack::version::Version;

    fn add(recording: &mut Recording, row: &Value) -> Result<(), Unplayable> {
        let row = row.to_string();
        let (time, account_id, user_id) = (Timestamp::UNIX_EPOCH, Some("a-1"), None);
        recording.add(Captured { row: &row, time, account_id, user_id })
    }

    #[test]
    fn people_are_those_whom_rows_name() {
        let mut recording = Recording::default();
        let web = json!({"id": "1", "username": "ops", "account": "web", "domainid": "d-2",
            "domain": "lab", "domainpath": "ROOT/engineering/lab"});
        add(&mut recording, &web).unwrap();
        let shop = json!({"id": 2, "username": "ops", "projectid": "p-1", "project": "shop",
            "domainid": "d-2", "domain": "lab"});
        add(&mut recording, &shop).unwrap();
        let directory = &recording.people.directory;
        let paths: Vec<&str> = directory.domains.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["ROOT", "ROOT/engineering", "ROOT/engineering/lab"]);
        assert_eq!(
            (directory.domains[2].id.as_str(), directory.domains[2].parent),
            ("d-2", Some(1))
        );
        let [system, admin, web, project] = &directory.accounts[..] else { unreachable!() };
        assert_eq!((system.role, admin.role, web.role), (Role::Admin, Role::Admin, Role::User));
        assert_eq!((web.id.as_str(), project.role), ("a-1", Role::Project));
        assert_eq!((directory.users[2].name.as_str(), directory.users[2].account), ("ops", 2));
        assert_eq!((&*recording.rows[1].id, recording.rows[1].account), ("2", 3));
    }

    #[test]
    fn domains_of_one_name_are_told_apart_by_their_ids() {
        let mut recording = Recording::default();
        for (id, account) in [("d-1", "ops"), ("d-2", "ops"), ("d-2", "web"), ("d-1", "web")] {
            let row = json!({"id": "1", "account": account, "domainid": id, "domain": "dev"});
            add(&mut recording, &row).unwrap();
        }
        let unnamed = json!({"id": "1", "account": "web", "domain": "dev"});
        add(&mut recording, &unnamed).unwrap();
        for root in ["d-3", "d-4"] {
            let row = json!({"id": "1", "account": "admin", "domainid": root, "domain": "ROOT"});
            add(&mut recording, &row).unwrap();
        }
        let directory = &recording.people.directory;
        let [root, one, other] = &directory.domains[..] else { unreachable!("{directory:?}") };
        assert_eq!(root.path, "ROOT");
        assert_eq!(
            (one.id.as_str(), one.name.as_str(), one.path.as_str()),
            ("d-1", "dev", "ROOT/dev")
        );
        assert_eq!((other.id.as_str(), other.name.as_str(), other.parent), ("d-2", "dev", Some(0)));
        assert_ne!(one.path, other.path, "logins name a path");
        let domains: Vec<_> = recording
            .rows
            .iter()
            .map(|row| directory.accounts[usize::from(row.account)].domain)
            .collect();
        assert_eq!(domains, [1, 2, 2, 1, 1, 0, 0]);
    }

    #[test]
    fn a_user_is_of_the_first_account_that_is_no_projects_or_of_the_one_that_is_called_like_it() {
        let row = |user: &str, of: Value| {
            let mut row = json!({"id": "1", "username": user, "domainid": "d-1", "domain": "ROOT"});
            row.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
            row
        };
        let project = json!({"projectid": "p-1", "project": "shop"});
        let (nobody, web, ops) = (json!({}), json!({"account": "web"}), json!({"account": "ops"}));
        for (rows, expected) in [
            (vec![&project, &web], "web"),
            (vec![&nobody, &project, &web, &project], "web"),
            (vec![&web, &project], "web"),
            (vec![&web, &ops], "ops"),
            (vec![&ops, &web], "ops"),
            (vec![&project, &nobody], "PrjAcct-shop-2"),
        ] {
            let mut recording = Recording::default();
            for of in &rows {
                add(&mut recording, &row("ops", (*of).clone())).unwrap();
            }
            let directory = &recording.people.directory;
            let account = directory.users[2].account;
            assert_eq!(directory.accounts[account].name, expected, "{rows:?}");
        }
        let mut recording = Recording::default();
        for user in ["admin", "system"] {
            add(&mut recording, &row(user, web.clone())).unwrap();
        }
        let accounts: Vec<_> = recording.people.directory.users.iter().map(|u| u.account).collect();
        assert_eq!(accounts, [0, 1], "those that every cloud has stay what they are");
    }

    #[test]
    fn the_release_is_the_lowest_that_knows_all_fields() {
        for (row, expected) in [
            (json!({"id": "1", "parentid": "0"}), Version::V4_9),
            (json!({"id": "1", "resourceid": "x"}), Version::V4_17),
            (json!({"id": "1", "domainpath": "ROOT"}), Version::V4_20),
            (json!({"id": "1", "unheardof": 1}), Version::V4_22),
        ] {
            let mut recording = Recording::default();
            add(&mut recording, &row).unwrap();
            assert_eq!(recording.release(), expected, "{row}");
        }
    }

    #[test]
    fn a_row_needs_an_id() {
        let mut recording = Recording::default();
        assert_eq!(add(&mut recording, &json!([])), Err(Unplayable::NoRow));
        assert_eq!(add(&mut recording, &json!({"type": "VM.START"})), Err(Unplayable::NoId));
    }

    #[test]
    fn the_time_zone_is_that_of_the_rows() {
        let seconds = |text| offset_of(text).map(Offset::seconds);
        assert_eq!(seconds("2026-11-20T12:19:53+0130"), Some(5400));
        assert_eq!(seconds("2026-11-20T12:19:53-05:00"), Some(-18000));
        assert_eq!((seconds("2026-11-20T12:19:53Z"), seconds("2026-11-20")), (Some(0), None));
    }
}
