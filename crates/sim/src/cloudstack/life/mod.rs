//! What can happen in the cloud: operations, and those that are under way.
//!
//! The chain of an operation is what binds its events: they name the first one as their parent.
//!
//! It refuses to do a step; that takes the whole [cloud](super::cloud), and is [`work`](super::work)'s.

mod describe;
mod ops;

pub(crate) use describe::describe;
pub(crate) use ops::{OTHER_TYPES, Op, TRAILS, Trail, trail_of};

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Nothing,
    Machine(usize),
    /// A volume, and the machine that it comes to or leaves.
    Volume(usize, Option<usize>),
    Network(usize),
    SecurityGroup(usize),
    /// Rules of a security group, from the first to before the end.
    Rules {
        group: usize,
        first: usize,
        end: usize,
    },
}

/// An operation under way.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) op: Op,
    pub(crate) subject: Subject,
    /// The number under which events name the subject; 0 for none.
    pub(crate) resource: u32,
    pub(crate) account: usize,
    pub(crate) user: usize,
    pub(crate) fails: bool,
    /// The job that waits for it.
    pub(crate) job: Option<usize>,
    /// The second management server runs it.
    pub(crate) second_server: bool,
    /// One more than the number of its first event; 0 before that.
    pub(crate) parent: u32,
    /// Steps done.
    pub(crate) done: usize,
}

impl Chain {
    pub(crate) fn new(op: Op, subject: Subject, account: usize, user: usize) -> Self {
        Self {
            op,
            subject,
            resource: 0,
            account,
            user,
            fails: false,
            job: None,
            second_server: false,
            parent: 0,
            done: 0,
        }
    }
}

/// Operations that wait for their next step, by the time at which it is due.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    waiting: BTreeMap<(Timestamp, u64), Chain>,
    added: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, due: Timestamp, chain: Chain) {
        self.added += 1;
        self.waiting.insert((due, self.added), chain);
    }

    /// The next operation whose step is due, and when it was.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Chain)> {
        let entry = self.waiting.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((due, _), chain) = entry.remove_entry();
        Some((due, chain))
    }

    /// The operation whose step is due next, even if it is not yet.
    pub(crate) fn pop_next(&mut self) -> Option<Chain> {
        self.waiting.pop_first().map(|(_, chain)| chain)
    }
}
