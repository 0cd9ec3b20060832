//! What a property collector has already told its client.
//!
//! Each filter remembers a stamp per object and property; the difference to the present is the next
//! update. How the present looks is not known here.

use std::collections::HashMap;

use crate::vcenter::moref::MoRef;
use crate::vcenter::selection::Selection;

/// One property collector: its filters and how far its client is.
#[derive(Debug, Default)]
pub(crate) struct PropertyCollector {
    pub(crate) filters: Vec<PropertyFilter>,
    /// The version of the last update sent; 0 before the first.
    pub(crate) version: u64,
    /// Grows when waiting calls have to give up.
    pub(crate) cancellations: u64,
}

/// One filter and what it has sent.
#[derive(Debug)]
pub(crate) struct PropertyFilter {
    pub(crate) id: String,
    pub(crate) selection: Selection,
    /// By object, then by property: the stamp of the value last sent.
    pub(crate) sent: HashMap<MoRef, HashMap<String, u64>>,
}

impl PropertyCollector {
    /// Forgets what was sent, so that everything is sent again.
    pub(crate) fn start_over(&mut self) {
        for filter in &mut self.filters {
            filter.sent.clear();
        }
    }
}
