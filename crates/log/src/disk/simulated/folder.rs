//! The names in a folder, those that are durable, and what power loss makes of the difference.
//!
//! It refuses to know what is in the files.

use std::collections::BTreeMap;

use rand::{RngExt as _, rngs::SmallRng};

use super::file::Node;

/// What a name leads to.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    File(Node),
    Folder,
}

impl Entry {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.is(other),
            (Self::Folder, Self::Folder) => true,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Folder {
    current: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Create { name: String, entry: Entry },
    Rename { from: String, to: String, entry: Entry },
    Remove { name: String, entry: Entry },
}

impl Change {
    /// Applies it to names among which an earlier change may be missing.
    fn apply(&self, names: &mut BTreeMap<String, Entry>) {
        let leads = |names: &BTreeMap<String, Entry>, name: &str, entry: &Entry| {
            names.get(name).is_some_and(|found| found.is(entry))
        };
        match self {
            Self::Create { name, entry } => {
                names.insert(name.clone(), entry.clone());
            }
            Self::Rename { from, to, entry } if leads(names, from, entry) => {
                names.remove(from);
                names.insert(to.clone(), entry.clone());
            }
            Self::Remove { name, entry } if leads(names, name, entry) => {
                names.remove(name);
            }
            Self::Rename { .. } | Self::Remove { .. } => {}
        }
    }
}

impl Folder {
    pub(super) fn names(&self) -> &BTreeMap<String, Entry> {
        &self.current
    }

    pub(super) fn create(&mut self, name: String, entry: Entry) {
        self.change(Change::Create { name, entry });
    }

    pub(super) fn rename(&mut self, from: String, to: String, entry: Entry) {
        self.change(Change::Rename { from, to, entry });
    }

    pub(super) fn remove(&mut self, name: String, entry: Entry) {
        self.change(Change::Remove { name, entry });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }

    /// Everything becomes durable.
    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// Part of it becomes durable, and nothing else ever will.
    pub(super) fn sync_in_part(&mut self, rng: &mut SmallRng) {
        for change in self.unsynced.drain(..) {
            if rng.random_bool(0.5) {
                change.apply(&mut self.durable);
            }
        }
    }

    /// Power was lost and came back.
    pub(super) fn restart(&mut self, rng: &mut SmallRng) {
        self.sync_in_part(rng);
        self.current.clone_from(&self.durable);
    }
}
