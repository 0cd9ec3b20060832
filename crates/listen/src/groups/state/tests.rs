//! Stories of a group, told event by event.

use super::*;
use crate::groups::{
    event::NotJoined,
    limits::{GROUP_MEMBERS_MAX, SYNC_TIMEOUT_MAX},
};

const SESSION: Time = Time::from_secs(10);
const REBALANCE: Time = Time::from_secs(60);

/// A group, the time, and the answers so far.
#[derive(Default)]
struct Story {
    group: Group,
    now: Time,
    tickets: u64,
    joins: BTreeMap<u64, Result<Joined, NotJoined>>,
    syncs: BTreeMap<u64, Result<Synced, ResponseError>>,
}

fn join_of(name: &str, fresh: &str, instance: Option<&str>) -> Join {
    Join {
        member: name.into(),
        is_given: false,
        fresh: fresh.into(),
        instance: instance.map(Name::from),
        client: "client".into(),
        host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::from_static(b"events"))],
        must_return: false,
        can_skip: true,
    }
}

impl Story {
    fn act(&mut self, act: impl FnOnce(&mut Group, Ticket, Time)) -> u64 {
        self.tickets += 1;
        act(&mut self.group, Ticket(self.tickets), self.now);
        self.collect();
        self.tickets
    }

    fn collect(&mut self) {
        for action in self.group.take_actions() {
            let is_second = match action {
                Action::Join(ticket, answer) => self.joins.insert(ticket.0, answer).is_some(),
                Action::Sync(ticket, answer) => self.syncs.insert(ticket.0, answer).is_some(),
            };
            assert!(!is_second, "a ticket was answered twice");
        }
    }

    /// Somebody new, who gets the name `fresh`.
    fn enters(&mut self, fresh: &str) -> u64 {
        self.act(|group, ticket, now| group.join(join_of("", fresh, None), ticket, now))
    }

    /// An instance, under the name `fresh`.
    fn starts(&mut self, fresh: &str, instance: &str) -> u64 {
        self.act(|group, ticket, now| group.join(join_of("", fresh, Some(instance)), ticket, now))
    }

    fn rejoins(&mut self, name: &str) -> u64 {
        self.act(|group, ticket, now| group.join(join_of(name, "?", None), ticket, now))
    }

    /// Somebody new comes back with the name that it was given.
    fn returns(&mut self, name: &str, instance: Option<&str>) -> u64 {
        let join = Join { is_given: true, ..join_of(name, "?", instance) };
        self.act(|group, ticket, now| group.join(join, ticket, now))
    }

    fn syncs(&mut self, name: &str, assignments: &[(&str, &'static str)]) -> u64 {
        let assigned =
            assignments.iter().map(|(n, a)| ((*n).into(), Bytes::from_static(a.as_bytes())));
        let (assigned, generation) = (assigned.collect(), self.group.generation);
        let speaker = Speaker { member: name, instance: None, generation };
        self.act(|group, ticket, now| group.sync(speaker, (None, None), assigned, ticket, now))
    }

    fn beats(&mut self, name: &str) -> Result<(), ResponseError> {
        let generation = self.group.generation;
        self.group.heartbeat(Speaker { member: name, instance: None, generation }, self.now)
    }

    fn leaves(&mut self, name: &str) -> Result<(), ResponseError> {
        let left = self.group.leave(name, None, self.now);
        self.collect();
        left
    }

    /// Time passes, and the timer rings whenever something is due.
    fn passes(&mut self, time: Time) {
        let until = self.now + time;
        while let Some(due) = self.group.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.group.tick(self.now);
            self.collect();
        }
        self.now = until;
    }

    #[track_caller]
    fn joined(&self, ticket: u64) -> (i32, &str, usize) {
        match self.joins.get(&ticket) {
            Some(Ok(joined)) => (joined.generation, &joined.leader, joined.members.len()),
            other => unreachable!("not joined: {other:?}"),
        }
    }

    fn refused(&self, ticket: u64) -> Option<ResponseError> {
        self.joins.get(&ticket)?.as_ref().err().map(|refused| refused.error)
    }

    fn assigned(&self, ticket: u64) -> Option<Result<&[u8], ResponseError>> {
        let answer = self.syncs.get(&ticket)?;
        Some(answer.as_ref().map(|synced| &*synced.assignment).map_err(|error| *error))
    }

    /// Two members, `a` leading, with their assignments.
    fn of_two() -> Self {
        let mut story = Self::default();
        story.enters("a");
        story.enters("b");
        story.rejoins("a");
        story.syncs("b", &[]);
        story.syncs("a", &[("a", "all"), ("b", "none")]);
        assert_eq!((story.group.state(), story.group.generation), ("Stable", 2));
        story
    }
}

#[test]
fn one_member_joins_leads_assigns_and_leaves() {
    let mut story = Story::default();
    let join = story.enters("a");
    assert_eq!(story.joined(join), (1, "a", 1));
    let sync = story.syncs("a", &[("a", "all")]);
    assert_eq!(story.assigned(sync), Some(Ok(&b"all"[..])));
    assert_eq!(story.beats("a"), Ok(()));
    assert_eq!(story.leaves("a"), Ok(()));
    assert_eq!((story.group.state(), story.group.due()), ("Empty", None));
    assert_eq!(story.leaves("a"), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_second_member_makes_the_first_join_again_and_waits_for_it() {
    let mut story = Story::default();
    story.enters("a");
    story.syncs("a", &[("a", "all")]);
    let b = story.enters("b");
    assert_eq!(story.joins.get(&b), None, "a must be told first");
    assert_eq!(story.beats("a"), Err(ResponseError::RebalanceInProgress));
    let a = story.rejoins("a");
    assert_eq!((story.joined(a), story.joined(b)), ((2, "a", 2), (2, "a", 0)));
    let b = story.syncs("b", &[]);
    assert_eq!(story.assigned(b), None, "the leader has not assigned");
    let a = story.syncs("a", &[("a", "one"), ("b", "two")]);
    assert_eq!(story.assigned(a), Some(Ok(&b"one"[..])));
    assert_eq!(story.assigned(b), Some(Ok(&b"two"[..])));
}

#[test]
fn a_member_that_is_not_heard_of_is_given_up_and_the_others_rebalance() {
    let mut story = Story::of_two();
    story.passes(SESSION / 2);
    assert_eq!(story.beats("b"), Ok(()));
    story.passes(SESSION / 2);
    assert_eq!(story.beats("b"), Err(ResponseError::RebalanceInProgress));
    assert_eq!(story.beats("a"), Err(ResponseError::UnknownMemberId));
    let b = story.rejoins("b");
    assert_eq!(story.joined(b), (3, "b", 1));
}

#[test]
fn when_the_leader_leaves_another_member_leads() {
    let mut story = Story::of_two();
    assert_eq!(story.leaves("a"), Ok(()));
    assert_eq!(story.beats("b"), Err(ResponseError::RebalanceInProgress));
    let b = story.rejoins("b");
    assert_eq!(story.joined(b), (3, "b", 1));
}

#[test]
fn a_member_of_an_old_generation_may_neither_sync_nor_beat_nor_commit() {
    let mut story = Story::of_two();
    let old = Speaker { member: "b", instance: None, generation: 1 };
    let now = story.now;
    assert_eq!(story.group.heartbeat(old, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(story.group.check_commit(old, now), Err(ResponseError::IllegalGeneration));
    let sync = story.act(|group, ticket, now| group.sync(old, (None, None), vec![], ticket, now));
    assert_eq!(story.assigned(sync), Some(Err(ResponseError::IllegalGeneration)));
    let stranger = Speaker { member: "", instance: None, generation: -1 };
    assert_eq!(story.group.check_commit(stranger, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(Group::default().check_commit(stranger, now), Ok(()), "nobody is in the group");
}

#[test]
fn a_newcomer_during_the_sync_sends_everybody_back_to_joining() {
    let mut story = Story::default();
    story.enters("a");
    story.enters("b");
    story.rejoins("a");
    let b = story.syncs("b", &[]);
    let c = story.enters("c");
    assert_eq!(story.assigned(b), Some(Err(ResponseError::RebalanceInProgress)));
    let (a, b) = (story.rejoins("a"), story.rejoins("b"));
    assert_eq!(story.joined(a), (3, "a", 3));
    assert_eq!((story.joined(b), story.joined(c)), ((3, "a", 0), (3, "a", 0)));
}

#[test]
fn an_answer_to_a_join_that_was_lost_is_given_again() {
    let mut story = Story::default();
    story.enters("a");
    let again = story.rejoins("a");
    assert_eq!(story.joined(again), (1, "a", 1));
    let mut story = Story::of_two();
    let follower = story.rejoins("b");
    assert_eq!(story.joined(follower), (2, "a", 0), "a follower changes nothing");
}

#[test]
fn who_does_not_join_again_in_time_is_left_behind() {
    let mut story = Story::of_two();
    let c = story.enters("c");
    let b = story.rejoins("b");
    for _ in 0..12 {
        story.passes(SESSION / 2);
        let _told = story.beats("a");
    }
    assert_eq!((story.joined(b).0, story.joined(c).0), (3, 3));
    assert_eq!(story.beats("a"), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_does_not_assign_in_time_is_given_up() {
    let mut story = Story::default();
    story.enters("a");
    story.enters("b");
    story.rejoins("a");
    let b = story.syncs("b", &[]);
    for _ in 0..12 {
        story.passes(SESSION / 2);
        let _told = story.beats("a");
    }
    assert_eq!(story.assigned(b), Some(Err(ResponseError::RebalanceInProgress)));
    let b = story.rejoins("b");
    assert_eq!(story.joined(b), (3, "b", 1));
}

#[test]
fn who_joined_and_went_away_holds_the_group_for_a_minute_and_not_for_its_half_hour() {
    let mut story = Story::default();
    let half_hour = Duration::from_secs(1800);
    let join =
        Join { session_timeout: half_hour, rebalance_timeout: half_hour, ..join_of("", "a", None) };
    story.act(|group, ticket, now| group.join(join, ticket, now));
    story.passes(SYNC_TIMEOUT_MAX);
    assert!(story.group.is_idle());
}

#[test]
fn a_newcomer_that_must_return_is_told_a_name_and_leaves_nothing_behind() {
    let mut story = Story::default();
    let ask = |fresh: &str| Join { must_return: true, ..join_of("", fresh, None) };
    let first = story.act(|group, ticket, now| group.join(ask("a"), ticket, now));
    assert_eq!(story.refused(first), Some(ResponseError::MemberIdRequired));
    assert!(story.group.is_idle() && story.group.due().is_none());
    let second = story.returns("a", None);
    assert_eq!(story.joined(second), (1, "a", 1));
    story.syncs("a", &[]);
    // Others that ask and go away are not waited for.
    story.act(|group, ticket, now| group.join(ask("b"), ticket, now));
    assert_eq!(story.beats("a"), Ok(()));
    let stranger = story.rejoins("c");
    assert_eq!(story.refused(stranger), Some(ResponseError::UnknownMemberId));
}

#[test]
fn a_group_takes_no_more_members_than_it_may_whatever_names_they_were_given() {
    let mut story = Story::default();
    for number in 0..GROUP_MEMBERS_MAX {
        story.enters(&format!("m-{number}"));
    }
    let late = story.returns("late", None);
    assert_eq!(story.refused(late), Some(ResponseError::GroupMaxSizeReached));
    let again = story.returns("m-0", None);
    assert_eq!(story.refused(again), None, "a member comes again");
    assert_eq!(story.group.members().len(), GROUP_MEMBERS_MAX);
}

#[test]
fn a_client_that_goes_while_it_waits_is_given_up_after_its_session() {
    let mut story = Story::default();
    story.enters("a");
    story.syncs("a", &[("a", "all")]);
    let b = story.enters("b");
    let now = story.now;
    story.group.abandon(Ticket(b), now);
    story.passes(SESSION / 2);
    assert_eq!(story.beats("a"), Err(ResponseError::RebalanceInProgress));
    story.passes(SESSION / 2);
    let a = story.rejoins("a");
    assert_eq!(story.joined(a), (2, "a", 1));
}

#[test]
fn an_instance_that_restarts_keeps_its_place_without_a_rebalance() {
    let mut story = Story::default();
    let first = story.starts("a-1", "a");
    assert_eq!(story.joined(first), (1, "a-1", 1));
    story.syncs("a-1", &[("a-1", "all")]);
    let second = story.starts("a-2", "a");
    let joined = story.joins.get(&second).cloned();
    let Some(Ok(joined)) = joined else { unreachable!("{joined:?}") };
    assert_eq!((joined.generation, &*joined.leader, joined.skip_assignment), (1, "a-2", true));
    let sync = story.syncs("a-2", &[]);
    assert_eq!(story.assigned(sync), Some(Ok(&b"all"[..])));
    let now = story.now;
    let old = Speaker { member: "a-1", instance: Some("a"), generation: 1 };
    assert_eq!(story.group.heartbeat(old, now), Err(ResponseError::FencedInstanceId));
    assert_eq!(story.group.leave("", Some("a"), now), Ok(()));
    assert_eq!(story.group.state(), "Empty");
}

#[test]
fn an_instance_that_sleeps_through_a_rebalance_is_still_a_member() {
    let mut story = Story::default();
    story.starts("a-1", "a");
    story.syncs("a-1", &[("a-1", "all")]);
    let b = story.enters("b");
    story.passes(SESSION - Time::from_secs(1));
    assert_eq!(story.joins.get(&b), None, "it may come back");
    story.passes(REBALANCE);
    assert_eq!(story.joined(b).2, 1, "its session is over, and b is alone");
}

#[test]
fn an_instance_belongs_to_one_member_whatever_name_was_given() {
    let mut story = Story::default();
    story.starts("a", "i");
    let second = story.returns("b", Some("i"));
    assert_eq!(story.refused(second), Some(ResponseError::FencedInstanceId));
    assert_eq!(story.group.members().len(), 1);
    let again = story.starts("c", "i");
    assert_eq!(story.joined(again), (2, "c", 1));
    assert_eq!(story.group.leave("", Some("i"), story.now), Ok(()));
}

#[test]
fn a_member_that_goes_takes_no_other_members_instance_with_it() {
    let mut story = Story::of_two();
    story.group.instances.insert("i".into(), "b".into());
    for name in ["a", "b"] {
        let member = story.group.members.get_mut(name);
        member.into_iter().for_each(|member| member.instance = Some("i".into()));
    }
    assert_eq!(story.leaves("a"), Ok(()));
    assert_eq!(story.group.instances.get("i").map(|name| &**name), Some("b"));
    assert_eq!(story.leaves("b"), Ok(()));
    assert_eq!(story.group.instances.len(), 0);
}

#[test]
fn instances_that_sleep_are_looked_at_now_and_then_even_without_a_rebalance_timeout() {
    let mut story = Story::default();
    story.enters("a");
    let join = Join { rebalance_timeout: Time::ZERO, ..join_of("", "s", Some("i")) };
    story.act(|group, ticket, now| group.join(join, ticket, now));
    story.rejoins("a");
    story.syncs("s", &[]);
    story.syncs("a", &[("a", "all")]);
    assert_eq!(story.leaves("a"), Ok(()), "the instance is left alone, and does not join");
    let mut looks = 0;
    while let Some(due) = story.group.due() {
        story.group.tick(due);
        looks += 1;
        assert!(looks <= SESSION.as_secs(), "there is no end to it");
    }
    assert_eq!(story.group.state(), "Empty");
}

#[test]
fn members_that_cannot_agree_on_a_protocol_are_refused() {
    let mut story = Story::of_two();
    let other = |change: fn(&mut Join)| {
        let mut join = join_of("", "c", None);
        change(&mut join);
        join
    };
    let wrong = [
        other(|join| join.protocols = vec![("sticky".into(), Bytes::new())]),
        other(|join| join.protocol_type = "connect".into()),
        other(|join| join.protocols.clear()),
    ];
    for join in wrong {
        let ticket = story.act(|group, ticket, now| group.join(join, ticket, now));
        assert_eq!(story.refused(ticket), Some(ResponseError::InconsistentGroupProtocol));
    }
    assert_eq!(story.beats("a"), Ok(()), "nothing happened to the others");
}

#[test]
fn a_group_takes_so_many_members_and_no_more() {
    let mut story = Story::default();
    for number in 0..GROUP_MEMBERS_MAX {
        story.enters(&format!("m{number}"));
    }
    let more = story.enters("more");
    assert_eq!(story.refused(more), Some(ResponseError::GroupMaxSizeReached));
}

#[test]
fn every_ticket_is_answered_and_time_runs_out_whatever_happens() {
    // A walk over random events; the seed is the walk's number.
    for seed in 1..200_u64 {
        let mut story = Story::default();
        let mut random = seed;
        let mut roll = |sides: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
            (random >> 33) % sides
        };
        for step in 0..60 {
            let names: Vec<Name> = story.group.members().keys().cloned().collect();
            let name = |at: u64| names.get(usize::try_from(at).unwrap_or(0)).map_or("x", |n| n);
            let at = roll(names.len().max(1) as u64);
            match roll(7) {
                0 => drop(story.enters(&format!("m{step}"))),
                1 => drop(story.starts(&format!("s{step}"), ["i", "j"][usize::from(at > 0)])),
                2 => drop(story.rejoins(name(at))),
                3 => drop(story.syncs(name(at), &[(name(0), "x")])),
                4 => drop(story.leaves(name(at))),
                5 => drop(story.beats(name(at))),
                _ => story.passes(Time::from_secs(roll(8))),
            }
        }
        story.passes(REBALANCE * 4);
        assert_eq!((story.group.state(), story.group.due()), ("Empty", None), "seed {seed}");
        let answered = story.joins.len() + story.syncs.len();
        assert!(answered > 0 && story.group.is_idle(), "seed {seed}");
    }
}
