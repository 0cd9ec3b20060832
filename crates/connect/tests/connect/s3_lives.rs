//! A sink of S3 through lives of any kind: cut at any put, killed, written to late, and with a log that is put
//! back from a copy and goes on otherwise. Everything is the real one, but for the server and the supervisor.

use std::collections::BTreeSet;

use pluvio_connect::s3::S3;
use pluvio_log::Offset;
use pluvio_runtime::{Answers, Delivered, Moves, Outcome, Standing, Writer as _};
use proptest::prelude::*;

use crate::{
    hand::{connected, records_of, standing},
    s3_bucket::{Bucket, Conditions, Fate},
};

/// How long the stream is.
const EVENTS: i64 = 40;

/// Batches of any size from the cursor on, and an end.
#[derive(Clone, Debug)]
struct Life {
    batches: Vec<usize>,
    /// Of the puts of objects.
    fates: Vec<Fate>,
    /// Whether a put without an answer ends the process, and not the connection alone.
    dies: bool,
    /// How far Pluvio's own cursor, put now and then, is behind.
    behind: i64,
    /// The log ends here before it, and other events come behind that; `None`: it is as it was.
    set_back: Option<i64>,
}

/// What is on this side of the bucket.
struct World {
    bucket: Bucket,
    log: Vec<Delivered>,
    /// Pluvio's own cursor.
    own: i64,
    /// How often the log was set back.
    lives: u64,
    /// The end of the largest batch that began somewhere. What was in one is stored, so that the same
    /// batch is never smaller again.
    offered: (i64, i64),
    acknowledged: BTreeSet<(i64, String)>,
}

impl World {
    async fn new(conditions: Conditions) -> Self {
        let bucket = Bucket::new(conditions).await;
        let (log, acknowledged) = (events(0, 0).await, BTreeSet::new());
        Self { bucket, log, own: 0, lives: 0, offered: (0, 0), acknowledged }
    }

    fn standing(&self) -> Standing {
        let end = Offset::new(EVENTS).unwrap();
        let moves = Moves { last: self.lives, before: None };
        Standing { end, moves, ..standing(1, self.own) }
    }

    /// The log is put back from a copy, and other events come.
    async fn is_set_back(&mut self, end: i64, sink: &S3) {
        self.log.truncate(usize::try_from(end).unwrap());
        // The supervisor finds that the bucket has more than the log, and decides.
        let end_of_copy = Offset::new(end).unwrap();
        self.own = self.own.min(end);
        connected(sink, Standing { end: end_of_copy, ..self.standing() }).await;
        self.lives += 1;
        self.log.extend(events(end, self.lives).await);
        self.offered = (0, 0);
    }

    async fn lives(&mut self, life: &Life) {
        let mut sink = self.bucket.sink();
        if let Some(end) = life.set_back {
            self.is_set_back(end, &sink).await;
        }
        self.bucket.will(&life.fates);
        let (mut writer, cursor) = connected(&sink, self.standing()).await;
        let mut next = cursor.unwrap_or(self.own);
        for size in &life.batches {
            let mut end = next + i64::try_from(*size).unwrap();
            if self.offered.0 == next {
                end = end.max(self.offered.1);
            }
            self.offered = (next, end.min(EVENTS));
            let range = [next, self.offered.1].map(|place| usize::try_from(place).unwrap());
            let batch = &self.log[range[0]..range[1]];
            if batch.is_empty() {
                return;
            }
            match writer.write(batch, &Answers::default()).await {
                Outcome::AckedTo(last) => {
                    let taken = batch.iter().take_while(|record| record.offset() <= last);
                    self.acknowledged.extend(taken.map(named));
                    next = last.get() + 1;
                    self.own = (next - life.behind).max(self.own);
                }
                Outcome::NotConnected(_) => {
                    if life.dies {
                        sink = self.bucket.sink();
                    }
                    let again = connected(&sink, self.standing()).await;
                    writer = again.0;
                    next = again.1.unwrap_or(self.own);
                }
                outcome => unreachable!("{outcome:?}"),
            }
        }
    }

    /// All these lives, and one in which all is well. Gives the events in the bucket.
    async fn after(&mut self, lives: &[Life]) -> Vec<(i64, String)> {
        let all_well =
            Life { batches: vec![7; 40], fates: vec![], dies: false, behind: 0, set_back: None };
        for life in lives.iter().chain([&all_well]) {
            self.lives(life).await;
        }
        self.bucket.settles();
        self.bucket.events()
    }
}

/// The rest of a stream from an offset on, as it is in this life of the log.
async fn events(from: i64, life: u64) -> Vec<Delivered> {
    records_of(from..=EVENTS - 1, move |_| Some(life.to_string())).await
}

fn named(record: &Delivered) -> (i64, String) {
    let subject = record.event().and_then(|event| event.subject()).unwrap_or_default();
    (record.offset().get(), subject.to_owned())
}

fn lives(set_back: impl Strategy<Value = Option<i64>>) -> impl Strategy<Value = Vec<Life>> {
    let fate = prop_oneof![
        2 => Just(Fate::Answered),
        1 => Just(Fate::Unanswered),
        1 => Just(Fate::Lost),
        2 => (0..20_usize).prop_map(Fate::Late),
    ];
    let batches = proptest::collection::vec(1..9_usize, 1..6);
    let fates = proptest::collection::vec(fate, 0..6);
    let life = (batches, fates, any::<bool>(), 0..20_i64, set_back);
    let life = life.prop_map(|(batches, fates, dies, behind, set_back)| Life {
        batches,
        fates,
        dies,
        behind,
        set_back,
    });
    proptest::collection::vec(life, 1..8)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_ends_it_and_however_late_a_put_happens_each_event_is_in_one_object(
        lives in lives(Just(None)),
        is_heeded in any::<bool>(),
    ) {
        let conditions = if is_heeded { Conditions::Heeded } else { Conditions::Ignored };
        let all = run(async { World::new(conditions).await.after(&lives).await });
        prop_assert_eq!(all, (0..EVENTS).map(|id| (id, "0".to_owned())).collect::<Vec<_>>());
    }

    #[test]
    fn however_often_the_log_is_set_back_what_was_acknowledged_stays_in_the_bucket(
        mut lives in lives(proptest::option::of(0..EVENTS)),
        is_heeded in any::<bool>(),
    ) {
        let conditions = if is_heeded { Conditions::Heeded } else { Conditions::Ignored };
        if !is_heeded {
            // Such a server lets a late put take the place of another object.
            for fate in lives.iter_mut().flat_map(|life| &mut life.fates) {
                *fate = if let Fate::Late(_) = fate { Fate::Lost } else { *fate };
            }
        }
        let (all, world) = run(async {
            let mut world = World::new(conditions).await;
            (world.after(&lives).await, world)
        });
        let all: BTreeSet<_> = all.into_iter().collect();
        let missing: Vec<_> = world.acknowledged.difference(&all).collect();
        prop_assert!(missing.is_empty(), "{:?}", missing);
        let log: BTreeSet<_> = world.log.iter().map(named).collect();
        prop_assert!(log.is_subset(&all), "{:?}", log.difference(&all).collect::<Vec<_>>());
    }
}
