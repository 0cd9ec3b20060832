//! Users, for their ids: events name them by name only. Their keys, which the server sends along, are
//! not kept.

use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::error::Error;
use super::super::list::{self, Page, Paging, Query, Row, RowFlaw, Scope};
use super::super::params::Params;

/// Which users are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Whose; users belong to no project.
    pub scope: Scope,
    /// Only this one.
    pub id: Option<String>,
    /// Only with this name.
    pub username: Option<String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its name: unique in its domain only.
    pub username: Option<String>,
    /// The account's name.
    pub account: Option<String>,
    /// The account's id.
    pub account_id: Option<String>,
    /// The domain's id.
    pub domain_id: Option<String>,
    /// Its state, such as `enabled`.
    pub state: Option<String>,
}

impl Client {
    /// One page of users.
    pub async fn list_users(&self, query: &UserQuery, paging: Paging) -> Result<Page<User>, Error> {
        self.list(query, paging).await
    }
}

impl Query for UserQuery {
    type Row = User;
    const COMMAND: &'static str = "listUsers";
    const OBJECT: &'static str = "user";

    fn params(&self) -> Params {
        self.scope
            .add_without_projects(Params::new())
            .with_some("id", self.id.as_deref())
            .with_some("username", self.username.as_deref())
    }
}

impl Row for User {
    fn read(raw: &RawValue) -> Result<User, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        Ok(User {
            id: text("id").ok_or(RowFlaw::Lacks("id"))?,
            username: text("username"),
            account: text("account"),
            account_id: text("accountid"),
            domain_id: text("domainid"),
            state: text("state"),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}
