//! Pages of events that are asked for before their turn: while one page is judged, the cloud works on the next,
//! and another core reads it.
//!
//! It refuses to decide what comes next, and whether an answer may be from a moment ago: the reader says
//! so by what it expects. At most [`AT_ONCE`] requests are under way, so that a catching-up takes no more of a
//! management server than two people who look at it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use pluvio_clouds::cloudstack::{Client, Error, EventPage, EventQuery, Paging};
use tokio_util::task::AbortOnDropHandle;

/// Requests under way.
const AT_ONCE: usize = 2;
/// Answers held, read or not: a page of 500 rows is some 400 kB.
const HELD_MAX: usize = 6;
/// An answer that is older is asked for anew: whoever stores records may have been held up for hours.
const AGE_MAX: Duration = Duration::from_secs(10);

/// A page that somebody wants.
type Wanted = (EventQuery, Paging);

/// Pages asked for early, and those that follow.
#[derive(Debug, Default)]
pub(super) struct Early {
    expected: VecDeque<Wanted>,
    asked: Vec<Asked>,
}

/// A page that was asked for.
#[derive(Debug)]
struct Asked {
    wanted: Wanted,
    /// With the time at which it came.
    answer: AbortOnDropHandle<(Result<EventPage, Error>, Instant)>,
}

impl Early {
    /// Says what comes next, in this order. What was asked for and is not among it is given up.
    pub(super) fn expect(&mut self, client: &Client, expected: VecDeque<Wanted>) {
        self.asked.retain(|asked| expected.contains(&asked.wanted));
        self.expected = expected;
        self.expected.retain(|wanted| self.asked.iter().all(|asked| asked.wanted != *wanted));
        self.ask(client);
    }

    /// The page, asked for now unless it was already.
    pub(super) async fn page(
        &mut self,
        client: &Client,
        query: EventQuery,
        paging: Paging,
    ) -> Result<EventPage, Error> {
        let wanted = (query, paging);
        self.expected.retain(|expected| *expected != wanted);
        let place = self.asked.iter().position(|asked| asked.wanted == wanted);
        let asked = place.map(|place| self.asked.swap_remove(place));
        if asked.is_none() {
            // Something else has begun.
            *self = Self::default();
        }
        if let Some(asked) = asked
            && let Ok((answer, came)) = asked.answer.await
            && came.elapsed() < AGE_MAX
        {
            self.ask(client);
            return answer;
        }
        client.list_events(&wanted.0, wanted.1).await
    }

    fn ask(&mut self, client: &Client) {
        let is_under_way = |asked: &&Asked| !asked.answer.is_finished();
        while self.asked.len() < HELD_MAX
            && self.asked.iter().filter(is_under_way).count() < AT_ONCE
            && let Some(wanted) = self.expected.pop_front()
        {
            let (client, (query, paging)) = (client.clone(), wanted.clone());
            let answer = async move { (client.list_events(&query, paging).await, Instant::now()) };
            let answer = AbortOnDropHandle::new(tokio::spawn(answer));
            self.asked.push(Asked { wanted, answer });
        }
    }
}
