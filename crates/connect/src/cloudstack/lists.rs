//! What a reader asks of a cloud, and nothing else of it: pages of `listEvents`.
//!
//! The session answers from a CloudStack; tests answer from a list in memory.

use std::future::Future;

use jiff::Timestamp;
use pluvio_clouds::cloudstack::Paging;

use super::{Error, order::Row, span::Span};

/// Which of a cloud's lists. An event is in one or more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// `projectid=-1`: events of projects; from new servers, those beside all others.
    pub(super) projects: bool,
    /// Events that somebody archived, instead of those that nobody did.
    pub(super) archived: bool,
}

/// One page.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// How many rows the list has, as the server says; counted apart from the rows.
    pub(super) count: u64,
    pub(super) rows: Vec<Row>,
}

/// A page that will be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) list: List,
    pub(super) span: Span,
    pub(super) paging: Paging,
}

/// A cloud that can be asked.
pub(super) trait Lists: Send {
    /// The server's time.
    fn now(&self) -> Timestamp;

    /// The same, if the server itself told it.
    fn clock(&self) -> Option<Timestamp>;

    /// The latest time at which an event can have happened by now: later than [`now`](Self::now) where the
    /// server does not tell it.
    fn latest(&self) -> Timestamp;

    /// Whether archived events can be listed.
    fn knows_archived(&self) -> bool;

    /// Most rows of a page.
    fn page_rows(&self) -> u32;

    /// By how many seconds a span as it is written may lie apart from time itself, because the
    /// server reads wall clocks; 0 where it reads offsets.
    fn slack_s(&self) -> i64;

    /// Says which pages come next, most likely in this order: they may be asked for before their turn, so
    /// only what is as good seconds before.
    fn expect(&mut self, _pages: &[Expected]) {}

    /// One page, newest rows first, in no order inside.
    fn page(
        &mut self,
        list: List,
        span: Span,
        paging: Paging,
    ) -> impl Future<Output = Result<Answer, Error>> + Send;
}
