//! One group as a state machine: events and the time in, answers out.
//!
//! ```text
//!            first member                 all joined, or time is up        leader's assignment
//!   Empty ───────────────▶ Preparing ─────────────────────────▶ Completing ──────────────▶ Stable
//!     ▲                      │  ▲  ▲                                │                        │
//!     └── nobody is left ────┘  │  └── somebody comes, goes, ───────┘                        │
//!                               │      or does not sync                                      │
//!                               └────────── somebody comes, goes, or changes ────────────────┘
//! ```
//!
//! Joins and syncs wait: each has a [`Ticket`], which is answered exactly once by an [`Action`].
//! Time is what the caller says it is; [`Group::due`] tells when to call [`Group::tick`].
//!
//! It refuses to do I/O, to know the clock, to hold offsets, and the delays by which Kafka waits for
//! more members before a first rebalance, and for newcomers that were told a name: with one partition a
//! stream there is nothing to spread, and strangers could make everybody wait.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{
    event::{Action, Join, Joined, Member, Name, NotJoined, Speaker, Synced, Ticket, Time, said},
    vote,
};
use crate::groups::limits::{
    GROUP_MEMBERS_MAX, MEMBER_OVERHEAD_BYTES, REBALANCE_TIMEOUT_MIN, SYNC_TIMEOUT_MAX,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// Members join until then.
    Preparing(Time),
    /// Members sync until then.
    Completing(Time),
    Stable,
}

/// A group's members and where they stand.
#[derive(Debug, Default)]
pub(crate) struct Group {
    state: State,
    generation: i32,
    protocol_type: Option<Name>,
    protocol: Option<Name>,
    leader: Option<Name>,
    members: BTreeMap<Name, Member>,
    instances: BTreeMap<Name, Name>,
    /// When the last member left.
    emptied: Option<Time>,
    actions: Vec<Action>,
}

impl Group {
    /// Somebody joins, or joins again.
    pub(crate) fn join(&mut self, join: Join, ticket: Ticket, now: Time) {
        if let Some(error) = self.objection(&join) {
            self.refuse(ticket, error, join.member);
        } else if !join.member.is_empty() {
            match self.comes_back(&join) {
                false => self.join_again(join, ticket, now),
                true if self.is_taken(&join) => {
                    self.refuse(ticket, ResponseError::FencedInstanceId, join.member);
                }
                true => self.enter(join.member.clone(), join, ticket, now),
            }
        } else if let Some(instance) = &join.instance {
            match self.instances.get(instance).cloned() {
                Some(before) => self.replace(&before, join, ticket, now),
                None => self.enter(join.fresh.clone(), join, ticket, now),
            }
        } else if join.must_return {
            self.refuse(ticket, ResponseError::MemberIdRequired, join.fresh);
        } else {
            self.enter(join.fresh.clone(), join, ticket, now);
        }
    }

    /// Whether it is somebody new with the name that it was told.
    fn comes_back(&self, join: &Join) -> bool {
        join.is_given && !self.members.contains_key(&join.member)
    }

    /// Whether the instance that joins is another member already. Names are given to somebody
    /// without an instance only, so that none can be taken over in this way.
    fn is_taken(&self, join: &Join) -> bool {
        join.instance.as_ref().is_some_and(|instance| self.instances.contains_key(instance))
    }

    /// What speaks against it, whatever the state.
    fn objection(&self, join: &Join) -> Option<ResponseError> {
        let others = self.members.iter().filter(|(name, member)| {
            **name != join.member && (join.instance.is_none() || member.instance != join.instance)
        });
        let is_stranger = self.protocol_type.as_ref().is_some_and(|t| *t != join.protocol_type);
        let others: Vec<_> = others.map(|(_, member)| &member.protocols).collect();
        if join.protocol_type.is_empty()
            || join.protocols.is_empty()
            || (is_stranger && !self.members.is_empty())
            || !vote::has_common(&join.protocols, &others)
        {
            return Some(ResponseError::InconsistentGroupProtocol);
        }
        let is_new = (join.member.is_empty() || self.comes_back(join))
            && join.instance.as_ref().is_none_or(|instance| !self.instances.contains_key(instance));
        let is_full = self.members.len() >= GROUP_MEMBERS_MAX;
        (is_new && is_full).then_some(ResponseError::GroupMaxSizeReached)
    }

    fn enter(&mut self, name: Name, join: Join, ticket: Ticket, now: Time) {
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), name.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        self.leader.get_or_insert_with(|| name.clone());
        let member = Member {
            instance: join.instance,
            client: join.client,
            host: join.host,
            assignment: Bytes::new(),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            until: now + join.session_timeout,
            joining: Some(ticket),
            syncing: None,
        };
        self.members.insert(name, member);
        self.rebalance(now);
    }

    fn join_again(&mut self, join: Join, ticket: Ticket, now: Time) {
        let name = join.member.clone();
        if let Err(error) = self.check_identity(&name, join.instance.as_deref()) {
            return self.refuse(ticket, error, name);
        }
        let is_leader = self.leader.as_ref() == Some(&name);
        let is_changed = self.members.get(&name).is_none_or(|m| m.protocols != join.protocols);
        match self.state {
            State::Empty => self.refuse(ticket, ResponseError::UnknownMemberId, name),
            // The answer was lost on the way: it is given again.
            State::Completing(_) if !is_changed => self.repeat(&name, ticket, now),
            State::Stable if !is_changed && !is_leader => self.repeat(&name, ticket, now),
            State::Preparing(_) | State::Completing(_) | State::Stable => {
                self.update(&name, join, ticket, now);
                self.rebalance(now);
            }
        }
    }

    /// An instance comes back under a new name; whoever has the old one is fenced off.
    fn replace(&mut self, before: &Name, join: Join, ticket: Ticket, now: Time) {
        let Some(mut member) = self.members.remove(before) else {
            return self.refuse(ticket, ResponseError::UnknownMemberId, join.member);
        };
        self.dismiss(&mut member, before, ResponseError::FencedInstanceId);
        let is_changed = member.protocols != join.protocols;
        let (name, can_skip) = (join.fresh.clone(), join.can_skip);
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), name.clone());
        }
        let was_leader = self.leader.as_ref() == Some(before);
        if was_leader {
            self.leader = Some(name.clone());
        }
        self.members.insert(name.clone(), member);
        if self.state != State::Stable || is_changed {
            self.update(&name, join, ticket, now);
            return self.rebalance(now);
        }
        self.touch(&name, now);
        let mut joined = self.joined(&name);
        if was_leader && can_skip {
            joined.skip_assignment = true;
        } else if was_leader {
            // It must not assign again, so it is not told that it leads.
            joined.leader = before.clone();
            joined.members.clear();
        }
        self.actions.push(Action::Join(ticket, Ok(joined)));
    }

    fn update(&mut self, name: &Name, join: Join, ticket: Ticket, now: Time) {
        let mut lost = None;
        if let Some(member) = self.members.get_mut(name) {
            lost = member.joining.replace(ticket);
            member.protocols = join.protocols;
            member.client = join.client;
            member.host = join.host;
            member.session_timeout = join.session_timeout;
            member.rebalance_timeout = join.rebalance_timeout;
            member.until = now + join.session_timeout;
        }
        if let Some(lost) = lost {
            self.refuse(lost, ResponseError::RebalanceInProgress, name.clone());
        }
    }

    fn repeat(&mut self, name: &Name, ticket: Ticket, now: Time) {
        self.touch(name, now);
        let joined = self.joined(name);
        self.actions.push(Action::Join(ticket, Ok(joined)));
    }

    /// A member asks for its assignment; the leader brings everybody's.
    pub(crate) fn sync(
        &mut self,
        speaker: Speaker<'_>,
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(Name, Bytes)>,
        ticket: Ticket,
        now: Time,
    ) {
        let is_other = |ours: &Option<Name>, theirs: Option<&str>| {
            theirs.is_some_and(|theirs| ours.as_deref() != Some(theirs))
        };
        let checked = self.check(speaker).and_then(|name| {
            let differs =
                is_other(&self.protocol_type, protocol.0) || is_other(&self.protocol, protocol.1);
            if differs { Err(ResponseError::InconsistentGroupProtocol) } else { Ok(name) }
        });
        let name = match (checked, self.state) {
            (Err(error), _) => return self.actions.push(Action::Sync(ticket, Err(error))),
            (Ok(_), State::Empty) => {
                let unknown = Err(ResponseError::UnknownMemberId);
                return self.actions.push(Action::Sync(ticket, unknown));
            }
            (Ok(_), State::Preparing(_)) => {
                let again = Err(ResponseError::RebalanceInProgress);
                return self.actions.push(Action::Sync(ticket, again));
            }
            (Ok(name), State::Completing(_) | State::Stable) => name,
        };
        self.touch(&name, now);
        let mut lost = None;
        if let Some(member) = self.members.get_mut(&name) {
            lost = member.syncing.replace(ticket);
        }
        if let Some(lost) = lost {
            let again = Err(ResponseError::RebalanceInProgress);
            self.actions.push(Action::Sync(lost, again));
        }
        if matches!(self.state, State::Completing(_)) && self.leader.as_ref() == Some(&name) {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
            }
            for (name, assignment) in assignments {
                if let Some(member) = self.members.get_mut(&name) {
                    member.assignment = assignment;
                }
            }
            self.state = State::Stable;
        }
        if self.state == State::Stable {
            self.answer_syncs(now);
        }
    }

    fn answer_syncs(&mut self, now: Time) {
        let (protocol_type, protocol) = self.protocols();
        for member in self.members.values_mut() {
            let Some(ticket) = member.syncing.take() else { continue };
            member.until = now + member.session_timeout;
            let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
            let synced = Synced { protocol_type, protocol, assignment: member.assignment.clone() };
            self.actions.push(Action::Sync(ticket, Ok(synced)));
        }
    }

    /// A member lives.
    pub(crate) fn heartbeat(
        &mut self,
        speaker: Speaker<'_>,
        now: Time,
    ) -> Result<(), ResponseError> {
        let name = self.check(speaker)?;
        self.touch(&name, now);
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            State::Completing(_) | State::Stable => Ok(()),
        }
    }

    /// A member, known by its name or its instance, goes.
    pub(crate) fn leave(
        &mut self,
        member: &str,
        instance: Option<&str>,
        now: Time,
    ) -> Result<(), ResponseError> {
        let name = match instance.and_then(|instance| self.instances.get(instance)) {
            Some(name) if member.is_empty() || **name == *member => name.clone(),
            Some(_) => return Err(ResponseError::FencedInstanceId),
            None if instance.is_some() => return Err(ResponseError::UnknownMemberId),
            None => member.into(),
        };
        if self.remove(&name) {
            self.rebalance(now);
            Ok(())
        } else {
            Err(ResponseError::UnknownMemberId)
        }
    }

    /// The client behind a waiting request is gone: from now on it must be heard of again.
    pub(crate) fn abandon(&mut self, ticket: Ticket, now: Time) {
        for member in self.members.values_mut() {
            if member.joining == Some(ticket) || member.syncing == Some(ticket) {
                member.joining = None;
                member.syncing = None;
                member.until = now + member.session_timeout;
            }
        }
    }

    /// Whether offsets may be committed: by a member of this generation, or by somebody who is in no
    /// group at all where there is none.
    pub(crate) fn check_commit(
        &mut self,
        speaker: Speaker<'_>,
        now: Time,
    ) -> Result<(), ResponseError> {
        if speaker.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let name = self.check(speaker)?;
        self.touch(&name, now);
        match self.state {
            State::Completing(_) => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Preparing(_) | State::Stable => Ok(()),
        }
    }

    /// When to look again, if nothing comes before.
    pub(crate) fn due(&self) -> Option<Time> {
        let waits = |m: &&Member| m.joining.is_none() && m.syncing.is_none();
        let members = self.members.values().filter(waits).map(|member| member.until);
        let state = match self.state {
            State::Preparing(until) | State::Completing(until) => Some(until),
            State::Empty | State::Stable => None,
        };
        members.chain(state).min()
    }

    /// Time passes: who was not heard of is given up, and who is waited for no longer is.
    pub(crate) fn tick(&mut self, now: Time) {
        let mut late: Vec<Name> = Vec::new();
        for (name, member) in &self.members {
            let is_waiting = member.joining.is_some() || member.syncing.is_some();
            let is_silent = !is_waiting && member.until <= now;
            let is_unsynced = matches!(self.state, State::Completing(until) if until <= now)
                && member.syncing.is_none();
            if is_silent || is_unsynced {
                late.push(name.clone());
            }
        }
        for name in &late {
            self.remove(name);
        }
        match self.state {
            State::Preparing(until) if until <= now => self.complete(now),
            _ if !late.is_empty() => self.rebalance(now),
            State::Empty | State::Preparing(_) | State::Completing(_) | State::Stable => {}
        }
    }

    /// What must be answered now.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Members must join (again). Without members the group is empty at once.
    fn rebalance(&mut self, now: Time) {
        if matches!(self.state, State::Completing(_) | State::Stable) {
            for member in self.members.values_mut() {
                if let Some(ticket) = member.syncing.take() {
                    let again = Err(ResponseError::RebalanceInProgress);
                    self.actions.push(Action::Sync(ticket, again));
                    member.until = now + member.session_timeout;
                }
            }
        }
        if !matches!(self.state, State::Preparing(_)) {
            self.state = State::Preparing(now + self.longest_rebalance());
        }
        self.complete_if_all_joined(now);
    }

    fn complete_if_all_joined(&mut self, now: Time) {
        let have_all = self.members.values().all(|member| member.joining.is_some());
        if matches!(self.state, State::Preparing(_)) && have_all {
            self.complete(now);
        }
    }

    /// The next generation consists of those who joined, and of instances that may come back.
    fn complete(&mut self, now: Time) {
        let gone =
            |(_, member): &(&Name, &Member)| member.joining.is_none() && member.instance.is_none();
        let gone: Vec<Name> =
            self.members.iter().filter(gone).map(|(name, _)| name.clone()).collect();
        for name in &gone {
            self.remove(name);
        }
        if self.members.is_empty() {
            self.state = State::Empty;
            self.generation = self.generation.wrapping_add(1).max(0);
            (self.protocol, self.leader) = (None, None);
            self.emptied = Some(now);
            return;
        }
        let joined = |(_, member): &(&Name, &Member)| member.joining.is_some();
        let Some(first) = self.members.iter().find(joined).map(|(name, _)| name.clone()) else {
            // Only instances that sleep: nobody could lead. Each is given up with its session.
            self.state = State::Preparing(now + self.longest_rebalance());
            return;
        };
        let leads = |name: &Name| self.members.get(name).is_some_and(|m| m.joining.is_some());
        if !self.leader.as_ref().is_some_and(leads) {
            self.leader = Some(first);
        }
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol = vote::elect(self.members.values().map(|member| &member.protocols));
        self.state = State::Completing(now + self.longest_rebalance().min(SYNC_TIMEOUT_MAX));
        let names: Vec<Name> = self.members.keys().cloned().collect();
        for name in names {
            let joining = self.members.get_mut(&name).and_then(|member| member.joining.take());
            if let Some(ticket) = joining {
                self.touch(&name, now);
                let joined = self.joined(&name);
                self.actions.push(Action::Join(ticket, Ok(joined)));
            }
        }
    }

    fn joined(&self, name: &Name) -> Joined {
        let (protocol_type, protocol) = self.protocols();
        let leader = self.leader.clone().unwrap_or_default();
        let described = |(name, member): (&Name, &Member)| {
            (name.clone(), member.instance.clone(), member.metadata(&protocol))
        };
        let members = match leader == *name {
            true => self.members.iter().map(described).collect(),
            false => Vec::new(),
        };
        Joined {
            generation: self.generation,
            protocol_type,
            protocol,
            leader,
            member: name.clone(),
            skip_assignment: false,
            members,
        }
    }

    fn protocols(&self) -> (Name, Name) {
        (self.protocol_type.clone().unwrap_or_default(), self.protocol.clone().unwrap_or_default())
    }

    fn check(&self, speaker: Speaker<'_>) -> Result<Name, ResponseError> {
        let name: Name = speaker.member.into();
        self.check_identity(&name, speaker.instance)?;
        if speaker.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(name)
    }

    fn check_identity(&self, name: &Name, instance: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(owner) if owner != name => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(name) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn remove(&mut self, name: &Name) -> bool {
        let Some(mut member) = self.members.remove(name) else { return false };
        self.dismiss(&mut member, name, ResponseError::UnknownMemberId);
        if let Some(instance) = &member.instance
            && self.instances.get(instance) == Some(name)
        {
            self.instances.remove(instance);
        }
        if self.leader.as_ref() == Some(name) {
            self.leader = self.members.keys().next().cloned();
        }
        true
    }

    /// Answers what a member waits for, because it is none any more.
    fn dismiss(&mut self, member: &mut Member, name: &Name, error: ResponseError) {
        if let Some(ticket) = member.joining.take() {
            self.refuse(ticket, error, name.clone());
        }
        if let Some(ticket) = member.syncing.take() {
            self.actions.push(Action::Sync(ticket, Err(error)));
        }
    }

    fn refuse(&mut self, ticket: Ticket, error: ResponseError, member: Name) {
        self.actions.push(Action::Join(ticket, Err(NotJoined { error, member })));
    }

    fn touch(&mut self, name: &Name, now: Time) {
        if let Some(member) = self.members.get_mut(name) {
            member.until = now + member.session_timeout;
        }
    }

    fn longest_rebalance(&self) -> Duration {
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        longest.unwrap_or_default().max(REBALANCE_TIMEOUT_MIN)
    }

    /// Whether nobody is in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty()
    }

    /// When the last member left, if there ever was one.
    pub(crate) fn emptied(&self) -> Option<Time> {
        self.emptied
    }

    /// The state's name, as Kafka's tools show it.
    pub(crate) fn state(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Preparing(_) => "PreparingRebalance",
            State::Completing(_) => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// What the group is for, and how it assigns.
    pub(crate) fn shown(&self) -> (Name, Name) {
        self.protocols()
    }

    /// What its members cost, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    /// What somebody who joins costs already: nothing, if it is not a member yet.
    pub(crate) fn bytes_of(&self, join: &Join) -> usize {
        let instance = join.instance.as_ref().and_then(|instance| self.instances.get(instance));
        let member = self.members.get(instance.unwrap_or(&join.member));
        member.map_or(0, |member| MEMBER_OVERHEAD_BYTES + said(&member.protocols))
    }

    /// All members by name.
    pub(crate) fn members(&self) -> &BTreeMap<Name, Member> {
        &self.members
    }
}

#[cfg(test)]
mod tests;
