//! Moves sinks that run: from whoever is asked, through a channel, to the task that owns the place.
//!
//! The sink's task ends its attempt as at a drain, so that a write in flight has a moment to end and
//! its answers count, and moves before it connects again. A request has a deadline that is looked at
//! last thing before the new place is put: one whose asker has given up is never carried out later.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use pluvio_log::Offset;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    SinkContext,
    seek::{Seek, SeekError, plan},
    sink_cursor::SinkCursor,
};
use crate::sought::Sought;

/// Requests of one sink that wait; more than one operator at a time is rare.
const WAITING_MAX: usize = 4;

/// Moves the sinks of a supervisor; its clones are of the same one.
#[derive(Clone, Debug, Default)]
pub struct Seeker(Arc<Mutex<BTreeMap<String, Way>>>);

/// The way to one sink.
#[derive(Clone, Debug)]
struct Way {
    context: SinkContext,
    asked: mpsc::Sender<Asked>,
    stands: Stands,
}

/// Where a sink that runs stands; negative before that is known. Newer than what was put.
pub(super) type Stands = Arc<AtomicI64>;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) seek: Seek,
    /// Not carried out after it.
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Sought, SeekError>>,
}

/// What a sink's task is asked.
#[derive(Debug)]
pub(in crate::supervise) struct Asks {
    asked: mpsc::Receiver<Asked>,
    pending: Option<Asked>,
    stands: Stands,
}

impl Seeker {
    /// Moves the sink called `name` before `deadline`, or not at all. Durable on return. What is refused
    /// anyway is refused here, so that the sink is not disturbed.
    pub async fn seek(
        &self,
        name: &str,
        seek: Seek,
        deadline: Instant,
    ) -> Result<Sought, SeekError> {
        let (answer, answered) = oneshot::channel();
        let way = self.way(name)?;
        way.plan(seek).await?;
        let sent = way.asked.try_send(Asked { seek, deadline, answer });
        sent.map_err(|_| SeekError::Stopped)?;
        answered.await.unwrap_or(Err(SeekError::Stopped))
    }

    /// What that would do. The sink is not disturbed.
    pub async fn dry_run(&self, name: &str, seek: Seek) -> Result<Sought, SeekError> {
        self.way(name)?.plan(seek).await
    }

    fn way(&self, name: &str) -> Result<Way, SeekError> {
        let ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ways.get(name).cloned().ok_or_else(|| SeekError::Unknown {
            name: name.to_owned(),
            known: ways.keys().cloned().collect(),
        })
    }

    /// A way to a new sink.
    pub(in crate::supervise) fn add(&self, context: &SinkContext) -> Asks {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let stands = Stands::new(AtomicI64::new(-1));
        let way = Way { context: context.clone(), asked: sender, stands: Arc::clone(&stands) };
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ways.insert(context.name.to_string(), way);
        Asks { asked: receiver, pending: None, stands }
    }
}

impl Way {
    async fn plan(&self, seek: Seek) -> Result<Sought, SeekError> {
        let mut place = SinkCursor::find(&self.context, None).await?;
        if let Some(next) = Offset::new(self.stands.load(Ordering::Relaxed)) {
            place.set(next);
            place.has_jumped();
        }
        let settled = place.take_settled();
        plan(&self.context, &place, &settled, seek).await
    }
}

impl Asks {
    /// Where the sink tells where it stands.
    pub(super) fn stands(&self) -> Stands {
        Arc::clone(&self.stands)
    }

    /// Returns when there is a request. Cancel safe.
    pub(super) async fn come(&mut self) {
        if self.pending.is_none() {
            match self.asked.recv().await {
                Some(asked) => self.pending = Some(asked),
                None => std::future::pending().await,
            }
        }
    }

    pub(super) fn take(&mut self) -> Option<Asked> {
        self.pending.take().or_else(|| self.asked.try_recv().ok())
    }
}
