//! A listing of events, oldest first, page by page.
//!
//! There are two ways. A **collector** is a cursor that the server keeps; every vCenter has it. From API
//! 9.0 on the server also tells the events **behind a key**: nothing is kept there, so nothing goes deaf,
//! runs out or dies with the session. That way needs keys that grow with time, which is looked at when a
//! listing begins, and it is given up for the rest of the connection at the first doubt.

use jiff::Timestamp;
use pluvio_clouds::vsphere::{MoRef, NativeEvent, Page};

/// Keys beyond this are not used as a place: they begin again behind [`EVENT_KEY_MAX`], which is a year away
/// at four events a second.
pub(super) const KEYS_END_SOON: i64 = 2_000_000_000;

/// Where a listing stands.
#[derive(Clone, Debug)]
pub(super) enum Listing {
    /// The server knows.
    Collector(MoRef),
    /// Behind this key, among what happened from `begin` to `end`, both inclusive.
    ByKey { begin: Timestamp, end: Option<Timestamp>, after: i32 },
    /// Behind a page after which keys do not tell where it stands: it is begun anew with a collector.
    Lost,
    /// Behind a page that was cut on its way: the collector passed what is missing, so the listing is begun
    /// anew at the place that was reached. It holds the collector until it is given back.
    Cut(MoRef),
}

impl Listing {
    /// Whether there may be a next page of it.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::Collector(_) | Self::ByKey { .. })
    }

    /// The method that reads it.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Collector(_) => "ReadNextEvents",
            Self::ByKey { .. } | Self::Lost | Self::Cut(_) => "QueryEvents",
        }
    }

    /// The listing behind a page, whose events are put in their order.
    pub(super) fn behind(self, page: &mut Page) -> Self {
        let (begin, end, after) = match self {
            Self::Collector(collector) if page.is_cut => return Self::Cut(collector),
            Self::ByKey { begin, end, after } => (begin, end, after),
            other => return other,
        };
        let key = |listed: &Result<NativeEvent, _>| listed.as_ref().ok().and_then(|it| it.key);
        page.events.sort_by_key(key);
        let is_behind = |key: i64| (i64::from(after) + 1..KEYS_END_SOON).contains(&key);
        // What cannot be read has no key, and would be listed again and again.
        let all_behind = page.events.iter().all(|listed| key(listed).is_some_and(is_behind));
        let greatest = page.events.last().and_then(key).and_then(|key| i32::try_from(key).ok());
        match all_behind {
            true => Self::ByKey { begin, end, after: greatest.unwrap_or(after) },
            false => Self::Lost,
        }
    }
}
