//! Accounts, for their ids: events name them by name only.

use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::error::Error;
use super::super::list::{self, Page, Paging, Query, Row, RowFlaw, Scope};
use super::super::params::Params;

/// Which accounts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountQuery {
    /// Whose; accounts belong to no project.
    pub scope: Scope,
    /// Only this one.
    pub id: Option<String>,
    /// Only with this name.
    pub name: Option<String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name: unique in its domain only.
    pub name: Option<String>,
    /// The domain's id.
    pub domain_id: Option<String>,
    /// The domain's name.
    pub domain: Option<String>,
    /// Its state, such as `enabled`.
    pub state: Option<String>,
}

impl Client {
    /// One page of accounts.
    pub async fn list_accounts(
        &self,
        query: &AccountQuery,
        paging: Paging,
    ) -> Result<Page<Account>, Error> {
        self.list(query, paging).await
    }
}

impl Query for AccountQuery {
    type Row = Account;
    const COMMAND: &'static str = "listAccounts";
    const OBJECT: &'static str = "account";

    fn params(&self) -> Params {
        self.scope
            .add_without_projects(Params::new())
            .with_some("id", self.id.as_deref())
            .with_some("name", self.name.as_deref())
    }
}

impl Row for Account {
    fn read(raw: &RawValue) -> Result<Account, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        Ok(Account {
            id: text("id").ok_or(RowFlaw::Lacks("id"))?,
            name: text("name"),
            domain_id: text("domainid"),
            domain: text("domain"),
            state: text("state"),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}
