//! The memory against a broker that loses requests, loses answers, moves and forgets, and a supervisor
//! that hands over the same records in other batches: each record is there once, in order.

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

fn at(offset: i64) -> Offset {
    Offset::new(offset).unwrap_or_default()
}

fn place(offset: i64) -> Place {
    // Not in turn: some partitions get many in a row.
    Place { topic: "rain".into(), partition: ((offset * offset / 7) % PARTITIONS) as i32 }
}

/// A piece of these records; what is in them is their offset.
fn piece(offsets: &[i64]) -> Piece {
    let mut builder = Builder::new(0, 0);
    for (delta, offset) in (0..).zip(offsets) {
        let mut body = Vec::new();
        batch::body(&mut body, None, &offset.to_be_bytes(), &[]);
        builder.push(delta, 0, &body);
    }
    let batch = builder.finish(Compression::None).encoded;
    Piece::new(offsets.iter().map(|offset| at(*offset)).collect(), batch, 8)
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
enum Written {
    Acked,
    Halves,
    Buried(Vec<i64>),
    Again,
}

struct World {
    memory: Memory,
    partitions: BTreeMap<Place, Partition>,
    producers: i64,
    luck: std::vec::IntoIter<Luck>,
    poison: i64,
}

impl World {
    /// As the sink does it; `piece_max` records in a piece.
    fn write(&mut self, batch: &[i64], piece_max: usize) -> Written {
        if self.memory.lacks_producer() {
            self.producers += 1;
            self.memory.produce_as(Identity { id: self.producers, epoch: 0 });
        }
        self.memory.settle(at(batch[0]));
        // What an earlier batch left open; what is refused of it is refused again below.
        if self.send().is_none() {
            return Written::Again;
        }
        let known = self.memory.known();
        let mut drafts: BTreeMap<Place, Vec<i64>> = BTreeMap::new();
        for offset in batch.iter().filter(|offset| !known.contains(&at(**offset))) {
            drafts.entry(place(*offset)).or_default().push(*offset);
        }
        for (place, offsets) in drafts {
            offsets.chunks(piece_max).for_each(|it| self.memory.push(place.clone(), piece(it)));
        }
        match self.send() {
            None => Written::Again,
            Some((true, _)) => Written::Halves,
            Some((false, buried)) if buried.is_empty() => Written::Acked,
            Some((false, buried)) => Written::Buried(buried),
        }
    }

    /// Whether a piece was refused, and which records were; `None`: something failed.
    fn send(&mut self) -> Option<(bool, Vec<i64>)> {
        let (mut is_piece, mut buried) = (false, Vec::new());
        loop {
            let due = self.memory.due();
            if due.is_empty() {
                return Some((is_piece, buried));
            }
            let mut has_failed = false;
            for (place, batch) in due {
                let luck = self.luck.next().unwrap_or(Luck::Takes);
                let partition = self.partitions.entry(place.clone()).or_default();
                partition.poison = self.poison;
                match partition.produce(&batch, luck) {
                    Answer::Arrived => self.memory.arrived(&place),
                    Answer::TooLarge => match self.memory.rejected(&place) {
                        Some(piece) if piece.offsets.len() == 1 => {
                            buried.extend(piece.offsets.iter().map(|offset| offset.get()));
                        }
                        _ => is_piece = true,
                    },
                    Answer::Sequence => {
                        self.memory.lost(&place);
                        has_failed = true;
                    }
                    Answer::None => has_failed = true,
                }
            }
            if has_failed {
                return None;
            }
        }
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

/// Plays the supervisor: after a failure it hands over another number of records from the same place.
fn play(
    luck: Vec<Luck>,
    sizes: Vec<usize>,
    piece_max: usize,
    poison: i64,
) -> (BTreeMap<Place, Partition>, BTreeSet<i64>) {
    let memory = Memory { log: None, ..Memory::default() };
    let mut world =
        World { memory, partitions: BTreeMap::new(), producers: 0, luck: luck.into_iter(), poison };
    let (mut next, mut sizes, mut buried) = (0, sizes.into_iter().cycle(), BTreeSet::new());
    while next < RECORDS {
        let size = sizes.next().unwrap_or(1) as i64;
        let mut parts = vec![(next..RECORDS.min(next + size)).collect::<Vec<_>>()];
        while let Some(part) = parts.pop() {
            match world.write(&part, piece_max) {
                Written::Acked => next = part.last().map_or(next, |last| last + 1),
                Written::Buried(those) => {
                    buried.extend(those);
                    next = part.last().map_or(next, |last| last + 1);
                }
                Written::Halves if part.len() == 1 => unreachable!("a record is told by itself"),
                Written::Halves => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.push(second.to_vec());
                    parts.push(first.to_vec());
                }
                // A new connection, and a new batch.
                Written::Again => break,
            }
        }
    }
    (world.partitions, buried)
}

proptest! {
    #[test]
    fn every_record_is_there_once_and_in_order_whatever_is_lost_on_the_way(
        luck in prop::collection::vec(luck(), 0..200),
        sizes in prop::collection::vec(1..20_usize, 1..12),
        piece_max in 1..8_usize,
        poison in 0..20_i64,
    ) {
        let (partitions, buried) = play(luck, sizes, piece_max, poison);
        let mut all = BTreeSet::new();
        for (place_of, partition) in &partitions {
            prop_assert!(partition.log.is_sorted_by(|a, b| a < b), "{:?}", partition.log);
            prop_assert!(partition.log.iter().all(|offset| place(*offset) == *place_of));
            all.extend(partition.log.iter().copied());
        }
        prop_assert!(all.is_disjoint(&buried));
        all.extend(buried);
        prop_assert_eq!(all, (0..RECORDS).collect());
    }

    #[test]
    fn a_broker_that_forgets_its_producers_loses_nothing(
        mut luck in prop::collection::vec(luck(), 0..100),
        forgets in prop::collection::vec(0..100_usize, 1..4),
        sizes in prop::collection::vec(1..20_usize, 1..12),
    ) {
        for at in forgets {
            luck.insert(at.min(luck.len()), Luck::Forgets);
        }
        let (partitions, _) = play(luck, sizes, 4, 0);
        let all: BTreeSet<i64> =
            partitions.values().flat_map(|partition| partition.log.iter().copied()).collect();
        prop_assert_eq!(all, (0..RECORDS).collect());
    }
}

#[test]
fn sequences_begin_again_behind_the_largest() {
    assert_eq!(following(i32::MAX, 1), 0);
    assert_eq!(following(i32::MAX - 2, 5), 2);
    assert_eq!(following(0, 7), 7);
}

#[test]
fn another_log_is_another_memory_and_so_is_what_an_operator_wants_again() {
    let mut memory = Memory::default();
    memory.of_log(Uuid::from_u128(1), 0);
    memory.produce_as(Identity { id: 1, epoch: 0 });
    memory.push(place(1), piece(&[1]));
    memory.of_log(Uuid::from_u128(1), 0);
    assert_eq!(memory.known(), [at(1)]);
    memory.of_log(Uuid::from_u128(2), 0);
    assert!(memory.known().is_empty() && memory.lacks_producer());
    memory.produce_as(Identity { id: 2, epoch: 0 });
    memory.push(place(1), piece(&[1]));
    memory.of_log(Uuid::from_u128(2), 1);
    assert!(memory.known().is_empty() && memory.lacks_producer());
}

#[test]
fn what_was_open_for_a_partition_that_is_gone_is_encoded_again_and_nothing_else_is() {
    let mut memory = Memory::default();
    memory.produce_as(Identity { id: 1, epoch: 0 });
    let place = |partition| Place { topic: "rain".into(), partition };
    memory.push(place(0), piece(&[1, 4]));
    memory.push(place(2), piece(&[2, 3]));
    memory.forget(|place| place.partition >= 1);
    assert_eq!(memory.known(), [at(1), at(4)]);
    assert_eq!(memory.open().cloned().collect::<Vec<_>>(), [place(0)]);
}
