//! What the memory keeps and what it forgets, case by case.

use bytes::Bytes;
use pluvio_log::batch;

use super::{
    model::{at, piece, place},
    *,
};

#[test]
fn sequences_begin_again_behind_the_largest() {
    assert_eq!(following(i32::MAX, 1), 0);
    assert_eq!(following(i32::MAX - 2, 5), 2);
    assert_eq!(following(0, 7), 7);
}

const FIRST: Identity = Identity { id: 1, epoch: 0 };
const SECOND: Identity = Identity { id: 2, epoch: 0 };

/// Producer and sequence of each batch that is sent next.
fn due(memory: &mut Memory, newest: Identity) -> Vec<(i64, i32)> {
    let stamp = |(_, batch): (TopicPartition, Bytes)| {
        let header = batch::verify(&batch).unwrap_or_else(|error| unreachable!("{error}"));
        (header.producer_id, header.base_sequence)
    };
    memory.due(newest).into_iter().map(stamp).collect()
}

#[test]
fn another_log_is_another_memory_and_so_is_what_an_operator_wants_again() {
    let mut memory = Memory::default();
    let sent_of = |memory: &mut Memory, log, seek| {
        memory.of_log(Uuid::from_u128(log), seek);
        (memory.producer().is_some(), memory.open().count())
    };
    for (log, seek) in [(1, 0), (2, 0), (2, 1)] {
        assert_eq!(sent_of(&mut memory, log, seek), (false, 0));
        memory.produce_as(FIRST);
        memory.push(place(1), piece(&[1]));
        assert_eq!(sent_of(&mut memory, log, seek), (true, 1));
    }
}

#[test]
fn what_was_sent_to_a_partition_that_is_gone_is_forgotten_and_nothing_else_is() {
    let mut memory = Memory::default();
    let place = |partition| TopicPartition { topic: "rain".into(), partition };
    memory.push(place(0), piece(&[1, 4]));
    memory.push(place(2), piece(&[2, 3]));
    assert_eq!(memory.due(FIRST).len(), 2);
    memory.forget(|place| place.partition >= 1);
    assert_eq!(memory.open().cloned().collect::<Vec<_>>(), [place(0)]);
}

#[test]
fn what_may_be_there_goes_out_again_as_it_was_and_what_waited_behind_it_does_not() {
    let mut memory = Memory::default();
    memory.push(place(1), piece(&[1, 2]));
    memory.push(place(1), piece(&[3]));
    let sent = memory.due(FIRST);
    memory.forget_waiting();
    assert_eq!(memory.due(SECOND), sent);
    let arrived = memory.arrived(&place(1)).map(|piece| piece.offsets);
    assert_eq!(arrived, Some(vec![at(1), at(2)]));
    assert_eq!(memory.open().count(), 0);
    memory.push(place(1), piece(&[3]));
    assert_eq!(due(&mut memory, SECOND), [(1, 2)]);
}

#[test]
fn too_many_lanes_are_forgotten_and_a_new_producer_begins() {
    let mut memory = Memory::default();
    let place = |partition| TopicPartition { topic: "rain".into(), partition };
    let everywhere = || (0..).take(LANES_MAX + 1).map(place);
    memory.produce_as(FIRST);
    everywhere().for_each(|place| memory.push(place, piece(&[1])));
    assert_eq!(memory.due(FIRST).len(), LANES_MAX + 1);
    everywhere().skip(1).for_each(|place| assert!(memory.arrived(&place).is_some()));
    memory.trim();
    assert_eq!(memory.producer(), None);
    memory.push(place(1), piece(&[2]));
    assert_eq!(due(&mut memory, SECOND), [(1, 0), (2, 0)], "the first may be there");
}
