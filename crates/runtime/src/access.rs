//! Who is let in now: the principals of the moment, and who guesses at them.
//!
//! All listeners share one [`Access`]. The table in it is replaced as a whole when tokens or passwords
//! change on disk, so a request sees the old principals or the new ones and never some of each. It
//! refuses to read files: the binary does, and hands the new table over.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{AccessTable, guesses::Guesses};

/// The principals of the moment; clones share them.
#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: RwLock<Arc<AccessTable>>,
    /// Principals of whom a token or password could not be read again.
    stale: RwLock<Vec<String>>,
    guesses: Guesses,
}

impl Access {
    /// The principals until they are replaced.
    pub fn table(&self) -> Arc<AccessTable> {
        Arc::clone(&self.0.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets these in from now on, and nobody else. Whoever is connected already stays connected; HTTP
    /// asks again with each request.
    pub fn replace(&self, table: AccessTable) {
        *self.0.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// Tells whose token or password could not be read again, so that the previous one is still valid.
    pub fn set_stale(&self, principals: Vec<String>) {
        *self.0.stale.write().unwrap_or_else(PoisonError::into_inner) = principals;
    }

    /// Principals whose previous token or password is still valid because the new one cannot be read.
    pub fn stale(&self) -> Vec<String> {
        self.0.stale.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wrong credentials so far.
    pub fn guesses(&self) -> &Guesses {
        &self.0.guesses
    }

    /// Whether everybody must say who they are.
    pub fn demands_authentication(&self) -> bool {
        self.table().demands_authentication()
    }
}

impl From<AccessTable> for Access {
    fn from(table: AccessTable) -> Self {
        let table = RwLock::new(Arc::new(table));
        let (stale, guesses) = (RwLock::default(), Guesses::default());
        Self(Arc::new(Inner { table, stale, guesses }))
    }
}
