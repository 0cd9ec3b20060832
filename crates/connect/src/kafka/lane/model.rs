//! The memory against a broker that loses requests, loses answers, moves and forgets, and a supervisor
//! that hands over the same records in other batches, and loses some to retention meanwhile: each record
//! is there once, in order, or was not asked for again because nothing says that it is there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pluvio_log::{
    Offset,
    batch::{self, Builder, Compression},
};
use proptest::prelude::*;

use super::*;

const PARTITIONS: i64 = 3;
const RECORDS: i64 = 60;

pub(super) fn at(offset: i64) -> Offset {
    Offset::new(offset).unwrap_or_default()
}

pub(super) fn place(offset: i64) -> TopicPartition {
    // Not in turn: some partitions get many in a row.
    TopicPartition { topic: "rain".into(), partition: ((offset * offset / 7) % PARTITIONS) as i32 }
}

/// A piece of these records; what is in them is their offset.
pub(super) fn piece(offsets: &[i64]) -> Piece {
    let mut builder = Builder::new(0, 0);
    for (delta, offset) in (0..).zip(offsets) {
        let mut body = Vec::new();
        batch::body(&mut body, None, &offset.to_be_bytes(), &[]);
        builder.push(delta, 0, &body);
    }
    let batch = builder.finish(Compression::None).encoded;
    Piece { offsets: offsets.iter().map(|offset| at(*offset)).collect(), batch, largest: 8 }
}

/// What a broker does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Luck {
    Takes,
    LosesRequest,
    LosesAnswer,
    /// "Not leader": nothing is appended.
    Refuses,
    /// It has forgotten all producers.
    Forgets,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Arrived,
    TooLarge,
    Sequence,
    None,
}

/// One partition of a broker, as Kafka checks sequences: the last five batches are known again.
#[derive(Default)]
struct Partition {
    log: Vec<i64>,
    producers: BTreeMap<i64, Vec<(i32, i32)>>,
    /// It takes no batch with a multiple of this in it; 0 for none.
    poison: i64,
}

impl Partition {
    fn produce(&mut self, batch: &Bytes, luck: Luck) -> Answer {
        let header = batch::verify(batch).unwrap_or_else(|error| unreachable!("{error}"));
        match luck {
            Luck::LosesRequest | Luck::Refuses => return Answer::None,
            Luck::Forgets => {
                self.producers.clear();
                return Answer::Sequence;
            }
            _ => {}
        }
        let decoded = batch::decode(batch, 1 << 20).unwrap_or_else(|error| unreachable!("{error}"));
        let values: Vec<i64> = decoded.iter().map(value).collect();
        if self.poison > 0 && values.iter().any(|value| value % self.poison == 0) {
            return Answer::TooLarge;
        }
        let lost = luck == Luck::LosesAnswer;
        let answer = |answer| if lost { Answer::None } else { answer };
        let last = (header.base_sequence + header.count - 1) & i32::MAX;
        let known = self.producers.entry(header.producer_id).or_default();
        if known.contains(&(header.base_sequence, last)) {
            return answer(Answer::Arrived);
        }
        let is_next = known
            .last()
            .is_none_or(|(_, end)| header.base_sequence == (end.wrapping_add(1)) & i32::MAX);
        if !is_next {
            return answer(Answer::Sequence);
        }
        known.push((header.base_sequence, last));
        if known.len() > 5 {
            known.remove(0);
        }
        self.log.extend(values);
        answer(Answer::Arrived)
    }
}

fn value(record: &batch::Decoded) -> i64 {
    let value = record.value.as_deref().and_then(|bytes| bytes.try_into().ok());
    value.map_or(-1, i64::from_be_bytes)
}

/// What one write has come to.
#[derive(Debug, PartialEq)]
enum Written {
    All,
    /// A piece was refused, and not said for which record.
    Halves,
    /// The connection ended.
    Broken,
}

struct World {
    memory: Memory,
    partitions: BTreeMap<TopicPartition, Partition>,
    producers: i64,
    luck: std::vec::IntoIter<Luck>,
    poison: i64,
    /// What the supervisor was told.
    taken: BTreeSet<i64>,
    buried: BTreeSet<i64>,
}

impl World {
    /// As the sink connects.
    fn connect(&mut self) -> Written {
        self.memory.forget_waiting();
        let sent = self.send(true);
        // What is refused now comes again in its turn.
        if sent == Written::Broken { sent } else { Written::All }
    }

    /// As the sink writes; `piece_max` records in a piece.
    fn write(&mut self, batch: &[i64], piece_max: usize) -> Written {
        let mut drafts: BTreeMap<TopicPartition, Vec<i64>> = BTreeMap::new();
        for offset in batch {
            drafts.entry(place(*offset)).or_default().push(*offset);
        }
        for (place, offsets) in drafts {
            offsets.chunks(piece_max).for_each(|it| self.memory.push(place.clone(), piece(it)));
        }
        self.send(false)
    }

    fn send(&mut self, is_connecting: bool) -> Written {
        let newest = self.memory.producer().unwrap_or_else(|| {
            self.producers += 1;
            let producer = Identity { id: self.producers, epoch: 0 };
            self.memory.produce_as(producer);
            producer
        });
        let mut written = Written::All;
        loop {
            let due = self.memory.due(newest);
            if due.is_empty() {
                return written;
            }
            let mut has_failed = false;
            for (place, batch) in due {
                let luck = self.luck.next().unwrap_or(Luck::Takes);
                let partition = self.partitions.entry(place.clone()).or_default();
                partition.poison = self.poison;
                let offsets = |piece: &Piece| piece.offsets.iter().map(|it| it.get()).collect();
                let offsets = |piece: Option<Piece>| piece.as_ref().map_or(Vec::new(), offsets);
                match partition.produce(&batch, luck) {
                    Answer::Arrived if is_connecting => {
                        let piece = self.memory.arrived(&place);
                        piece.into_iter().for_each(|piece| self.memory.found(piece));
                    }
                    Answer::Arrived => self.taken.extend(offsets(self.memory.arrived(&place))),
                    Answer::TooLarge => match offsets(self.memory.rejected(&place))[..] {
                        [only] if !is_connecting => _ = self.buried.insert(only),
                        _ => written = Written::Halves,
                    },
                    Answer::Sequence => {
                        self.memory.lost(&place);
                        has_failed = true;
                    }
                    Answer::None => has_failed = true,
                }
            }
            if has_failed {
                return Written::Broken;
            }
        }
    }

    /// The supervisor asks what connecting has shown.
    fn ask(&mut self) {
        self.taken.extend(self.memory.take_found().into_iter().map(Offset::get));
    }

    fn is_settled(&self, offset: i64) -> bool {
        self.taken.contains(&offset) || self.buried.contains(&offset)
    }
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        6 => Just(Luck::Takes),
        2 => Just(Luck::LosesRequest),
        3 => Just(Luck::LosesAnswer),
        1 => Just(Luck::Refuses),
    ]
}

/// How a play goes.
#[derive(Clone, Debug)]
struct Script {
    luck: Vec<Luck>,
    /// Records of a batch.
    sizes: Vec<usize>,
    piece_max: usize,
    poison: i64,
    /// With each connection retention takes so many records more of those that have no answer.
    takes: Vec<i64>,
}

/// Plays the supervisor: after a failure it hands over another number of records from the same place, if
/// they are there. Gives the world, and what a gap event tells of.
fn play(script: Script) -> (World, BTreeSet<i64>) {
    let Script { luck, sizes, piece_max, poison, takes } = script;
    let mut world = World {
        memory: Memory::default(),
        partitions: BTreeMap::new(),
        producers: 0,
        luck: luck.into_iter(),
        poison,
        taken: BTreeSet::new(),
        buried: BTreeSet::new(),
    };
    let (mut lost, mut next) = (BTreeSet::new(), 0);
    let (mut sizes, mut takes) = (sizes.into_iter().cycle(), takes.into_iter());
    'connections: while next < RECORDS {
        if world.connect() == Written::Broken {
            continue;
        }
        world.ask();
        let start = (next + takes.next().unwrap_or(0)).min(RECORDS);
        lost.extend((next..start).filter(|offset| !world.is_settled(*offset)));
        next = start;
        while next < RECORDS {
            let end = RECORDS.min(next + sizes.next().unwrap_or(1) as i64);
            let mut parts = vec![(next..end).collect::<Vec<_>>()];
            while let Some(mut part) = parts.pop() {
                part.retain(|offset| !world.is_settled(*offset));
                if part.is_empty() {
                    continue;
                }
                match world.write(&part, piece_max) {
                    Written::All => {}
                    Written::Halves => {
                        part.retain(|offset| !world.is_settled(*offset));
                        assert!(part.len() > 1, "a record is told by itself");
                        let second = part.split_off(part.len() / 2);
                        parts.extend([second, part]);
                    }
                    Written::Broken => continue 'connections,
                }
            }
            next = end;
        }
    }
    (world, lost)
}

fn script() -> impl Strategy<Value = Script> {
    let luck = prop::collection::vec(luck(), 0..200);
    let sizes = prop::collection::vec(1..20_usize, 1..12);
    let takes = prop::collection::vec(prop_oneof![3 => Just(0), 1 => 0..20_i64], 0..20);
    (luck, sizes, 1..8_usize, 0..20_i64, takes).prop_map(
        |(luck, sizes, piece_max, poison, takes)| Script { luck, sizes, piece_max, poison, takes },
    )
}

proptest! {
    #[test]
    fn every_record_is_there_once_and_in_order_or_known_to_be_lost_whatever_is_lost_on_the_way(
        script in script(),
    ) {
        let (world, lost) = play(script);
        let mut there = BTreeSet::new();
        for (place_of, partition) in &world.partitions {
            prop_assert!(partition.log.is_sorted_by(|a, b| a < b), "{:?}", partition.log);
            prop_assert!(partition.log.iter().all(|offset| place(*offset) == *place_of));
            there.extend(partition.log.iter().copied());
        }
        prop_assert_eq!(&there, &world.taken);
        prop_assert!(there.is_disjoint(&lost) && world.buried.is_disjoint(&lost));
        prop_assert!(there.is_disjoint(&world.buried));
        there.extend(world.buried.into_iter().chain(lost));
        prop_assert_eq!(there, (0..RECORDS).collect());
    }

    #[test]
    fn a_broker_that_forgets_its_producers_loses_nothing(
        mut script in script(),
        forgets in prop::collection::vec(0..100_usize, 1..4),
    ) {
        for at in forgets {
            script.luck.insert(at.min(script.luck.len()), Luck::Forgets);
        }
        let (world, lost) = play(script);
        let mut there = world.buried;
        there.extend(world.partitions.values().flat_map(|partition| partition.log.iter().copied()));
        prop_assert!(there.is_disjoint(&lost));
        there.extend(lost);
        prop_assert_eq!(there, (0..RECORDS).collect());
    }
}
