//! Lists: a page of rows, each of which is read alone.
//!
//! An empty list is `{}`, a page past the end `{"count":N}`; both are no rows. A list under another
//! name than expected is an error and not an empty one, because an empty list means that nothing
//! happened. `count` is told by a query of its own and may disagree with the rows.

mod pages;
mod row;
mod scope;

use serde_json::value::RawValue;

pub use self::pages::Gathered;
pub(super) use self::row::fields;
pub use self::row::{MalformedRow, ROW_BYTES_MAX, Row, RowFlaw};
pub use self::scope::{Projects, Scope};
use super::answer::ServerDate;
pub(super) use super::answer::{flag, text};
use super::client::{Client, Method};
use super::error::Error;
use super::params::Params;
use super::reply::Reply;

/// Which rows of a list are wanted. Without it a server silently gives its first 500 or so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The page, from 1.
    pub page: u32,
    /// Rows of a page. More than the server's `default.page.size` (500 if nobody changed it) is
    /// refused with [`FaultKind::PageTooLarge`](super::FaultKind::PageTooLarge).
    pub page_rows: u32,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// How many rows match in all, as the server says; of usage records, how many are on this page.
    pub count: Option<u64>,
    /// The rows, in the server's order, which is none to rely on.
    pub rows: Vec<Result<T, MalformedRow>>,
    /// The server's clock when it answered.
    pub server: Option<ServerDate>,
}

/// A list and what is wanted of it.
pub trait Query {
    /// What its rows are.
    type Row: Row;
    /// The command, such as `listEvents`.
    const COMMAND: &'static str;
    /// The name of the array in the answer, such as `event`.
    const OBJECT: &'static str;

    /// The parameters, without paging.
    fn params(&self) -> Params;
}

impl Client {
    /// Reads one page of a list.
    pub async fn list<Q: Query>(&self, query: &Q, paging: Paging) -> Result<Page<Q::Row>, Error> {
        // The server refuses one without the other.
        let params = query
            .params()
            .with("page", paging.page.to_string())
            .with("pagesize", paging.page_rows.to_string());
        Page::of(&self.call(Q::COMMAND, params, Method::Get).await?, Q::OBJECT)
    }
}

impl<T: Row> Page<T> {
    /// Reads the rows under a name, such as `event`, out of an answer: pure.
    pub fn of(reply: &Reply, object: &str) -> Result<Page<T>, Error> {
        let (count, rows) = rows(reply, object)?;
        let rows = rows.into_iter().map(row::read).collect();
        Ok(Page { count, rows, server: reply.server })
    }
}

/// The count and the rows under a name, unread.
pub(super) fn rows<'a>(
    reply: &'a Reply,
    object: &str,
) -> Result<(Option<u64>, Vec<&'a RawValue>), Error> {
    let fields = reply.fields();
    let rows = match fields.array(object) {
        Some(rows) => rows,
        None if fields.has(object) || fields.arrays().next().is_some() => {
            return Err(reply.lacks(format!("list `{object}`")));
        }
        None => Vec::new(),
    };
    Ok((fields.number("count"), rows))
}
