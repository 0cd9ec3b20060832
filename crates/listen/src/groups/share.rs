//! What one space of groups may take of what all spaces share, and what each holds of the offsets.
//!
//! ```text
//!  ├─ those who see everything ─┤├─ all other principals together ─┤├─ a little for each of them ─┤
//! ```
//!
//! The first part is nobody else's. Of the second, a principal may take so much and no more; and what is
//! below its own little reserve is not counted there, so that a principal always has that, however many
//! others have taken all that they may.
//!
//! It refuses to look at groups: who holds what is told to it, change by change.

use std::{collections::BTreeMap, sync::Arc};

use metrics::{Gauge, gauge};
use pluvio_runtime::LineLimit;

use super::offsets::SHARED;
use crate::groups::{
    limits::{
        GROUPS_BYTES_MAX, GROUPS_BYTES_MAX_OWN, GROUPS_BYTES_MAX_OWN_TOTAL,
        GROUPS_BYTES_RESERVED_OWN, GROUPS_MAX, GROUPS_MAX_OWN, GROUPS_MAX_OWN_TOTAL,
        GROUPS_RESERVED_OWN, OFFSETS_BYTES_MAX, OFFSETS_BYTES_MAX_OWN, OFFSETS_BYTES_MAX_OWN_TOTAL,
        OFFSETS_BYTES_RESERVED_OWN,
    },
    meter,
};

/// How something that all spaces share is divided among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Most that those who see everything hold.
    pub(super) shared_max: usize,
    /// Most that another principal holds.
    pub(super) own_max: usize,
    /// What each of these can always hold.
    pub(super) own_reserved: usize,
    /// Most that all of these hold beyond what is reserved for each.
    pub(super) own_total_max: usize,
}

/// What is held of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// In the space itself.
    pub(super) own: usize,
    /// In all spaces but the one of those who see everything, beyond what is reserved for each.
    pub(super) beyond: usize,
}

/// Groups.
pub(super) const GROUPS: Share = Share {
    shared_max: GROUPS_MAX,
    own_max: GROUPS_MAX_OWN,
    own_reserved: GROUPS_RESERVED_OWN,
    own_total_max: GROUPS_MAX_OWN_TOTAL,
};

/// Bytes of what members say.
pub(super) const MEMBERS: Share = Share {
    shared_max: GROUPS_BYTES_MAX,
    own_max: GROUPS_BYTES_MAX_OWN,
    own_reserved: GROUPS_BYTES_RESERVED_OWN,
    own_total_max: GROUPS_BYTES_MAX_OWN_TOTAL,
};

/// Bytes of committed offsets.
pub(super) const OFFSETS: Share = Share {
    shared_max: OFFSETS_BYTES_MAX,
    own_max: OFFSETS_BYTES_MAX_OWN,
    own_reserved: OFFSETS_BYTES_RESERVED_OWN,
    own_total_max: OFFSETS_BYTES_MAX_OWN_TOTAL,
};

impl Share {
    /// Most that `space` may hold.
    pub(super) fn max(&self, space: &str) -> usize {
        if space == SHARED { self.shared_max } else { self.own_max }
    }

    /// What counts among all principals with spaces of their own when one of them holds `own`.
    pub(super) fn beyond(&self, own: usize) -> usize {
        own.saturating_sub(self.own_reserved)
    }

    /// Whether `space` may hold `more`.
    pub(super) fn admits(&self, space: &str, usage: Usage, more: usize) -> bool {
        let own = usage.own + more;
        let added = self.beyond(own) - self.beyond(usage.own);
        let is_room = added == 0 || usage.beyond + added <= self.own_total_max;
        own <= self.max(space) && (space == SHARED || is_room)
    }
}

/// All spaces that have been met, each with what it holds of the offsets. As many as there are
/// principals, and so they are kept when they hold nothing any more.
#[derive(Default)]
pub(super) struct Spaces {
    spaces: BTreeMap<Arc<str>, Space>,
    /// See [`Usage::beyond`].
    beyond: usize,
}

struct Space {
    bytes: usize,
    gauge: Gauge,
    /// Groups and members that were refused for want of room.
    refused_groups: LineLimit,
    /// Commits that were refused for want of room.
    refused_offsets: LineLimit,
}

impl Space {
    fn new(name: &str) -> Self {
        // Those who see everything have no name in common, and no principal can be called that.
        let gauge = |metric: &'static str| match name {
            SHARED => gauge!(metric),
            name => gauge!(metric, "principal" => name.to_owned()),
        };
        gauge(meter::OFFSETS_BYTES_MAX).set(OFFSETS.max(name) as f64);
        Self {
            bytes: 0,
            gauge: gauge(meter::OFFSETS_BYTES),
            refused_groups: LineLimit::default(),
            refused_offsets: LineLimit::default(),
        }
    }
}

impl Spaces {
    fn of(&mut self, space: &str) -> &mut Space {
        self.spaces.entry(space.into()).or_insert_with(|| Space::new(space))
    }

    /// Bytes of offsets in `space`.
    pub(super) fn bytes(&self, space: &str) -> usize {
        self.spaces.get(space).map_or(0, |space| space.bytes)
    }

    /// Counts `bytes` more in `space`, if they may be; whether they may.
    pub(super) fn reserve(&mut self, space: &str, bytes: usize) -> bool {
        let usage = Usage { own: self.bytes(space), beyond: self.beyond };
        // What makes it no larger is always taken.
        let is_admitted = bytes == 0 || OFFSETS.admits(space, usage, bytes);
        if is_admitted {
            self.add(space, bytes);
        }
        is_admitted
    }

    /// Counts `bytes` more in `space`, however many there are.
    pub(super) fn add(&mut self, space: &str, bytes: usize) {
        self.set(space, self.bytes(space) + bytes);
    }

    /// Counts `bytes` less in `space`.
    pub(super) fn give_back(&mut self, space: &str, bytes: usize) {
        self.set(space, self.bytes(space).saturating_sub(bytes));
    }

    fn set(&mut self, name: &str, bytes: usize) {
        let space = self.of(name);
        let before = std::mem::replace(&mut space.bytes, bytes);
        space.gauge.set(bytes as f64);
        if name != SHARED {
            self.beyond = self.beyond + OFFSETS.beyond(bytes) - OFFSETS.beyond(before);
        }
    }

    /// A group or a member of `space` was refused; how many since the last line, if one is due.
    pub(super) fn refused_group(&mut self, space: &str) -> Option<u64> {
        self.of(space).refused_groups.count()
    }

    /// A commit of `space` was refused; how many since the last line, if one is due.
    pub(super) fn refused_offsets(&mut self, space: &str) -> Option<u64> {
        self.of(space).refused_offsets.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as much as there is, in pieces of `piece`.
    fn fill(spaces: &mut Spaces, space: &str, piece: usize) -> usize {
        while spaces.reserve(space, piece) {}
        spaces.bytes(space)
    }

    #[test]
    fn tenants_that_take_all_they_can_leave_the_operators_theirs_and_each_other_tenant_a_little() {
        let mut spaces = Spaces::default();
        let tenants = 3 * OFFSETS_BYTES_MAX_OWN_TOTAL / OFFSETS_BYTES_MAX_OWN;
        let taken =
            (0..tenants).map(|tenant| fill(&mut spaces, &format!("greedy-{tenant}"), 1 << 10));
        assert!(taken.max() <= Some(OFFSETS_BYTES_MAX_OWN));
        assert_eq!(fill(&mut spaces, "late", 1 << 10), OFFSETS_BYTES_RESERVED_OWN);
        assert_eq!(fill(&mut spaces, SHARED, 1 << 10), OFFSETS_BYTES_MAX);
    }

    #[test]
    fn operators_that_take_all_they_can_leave_a_tenant_its_own() {
        let mut spaces = Spaces::default();
        fill(&mut spaces, SHARED, 1 << 10);
        assert_eq!(fill(&mut spaces, "acme", 1 << 10), OFFSETS_BYTES_MAX_OWN);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_by_others() {
        let mut spaces = Spaces::default();
        let tenants = OFFSETS_BYTES_MAX_OWN_TOTAL / OFFSETS_BYTES_MAX_OWN + 1;
        (0..tenants).for_each(|tenant| {
            fill(&mut spaces, &tenant.to_string(), 1 << 10);
        });
        assert_eq!(fill(&mut spaces, "late", 1 << 10), OFFSETS_BYTES_RESERVED_OWN);
        let all = spaces.bytes("0");
        spaces.give_back("0", all);
        assert_eq!(fill(&mut spaces, "late", 1 << 10), all);
    }

    #[test]
    fn all_spaces_together_fit_into_the_table_with_hundreds_of_tenants() {
        let tenants = 500 * OFFSETS_BYTES_RESERVED_OWN;
        let all = OFFSETS_BYTES_MAX + OFFSETS_BYTES_MAX_OWN_TOTAL + tenants;
        assert!(all <= pluvio_log::Table::BYTES_MAX);
    }

    #[test]
    fn a_space_that_holds_too_much_from_before_may_not_grow_and_may_shrink() {
        let mut spaces = Spaces::default();
        spaces.add("acme", 2 * OFFSETS_BYTES_MAX_OWN);
        assert!(!spaces.reserve("acme", 1) && spaces.reserve("acme", 0));
        spaces.give_back("acme", OFFSETS_BYTES_MAX_OWN + 1);
        assert!(spaces.reserve("acme", 1) && !spaces.reserve("acme", 1));
    }
}
