//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: from the wire to the group and back.
//!
//! What is kept is copied out of the request: a name of ten bytes must not hold on to a frame of a
//! megabyte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
        join_group_response::JoinGroupResponseMember, leave_group_request::MemberIdentity,
        leave_group_response::MemberResponse,
    },
    protocol::StrBytes,
};

use crate::groups::{
    Group,
    event::{Join, Joined, Name, NotJoined, Speaker, Ticket, Time},
    limits::{
        GROUP_MEMBERS_MAX, MEMBER_BYTES_MAX, NAME_BYTES_MAX, PROTOCOLS_MAX, REBALANCE_TIMEOUT_MAX,
        REBALANCE_TIMEOUT_MIN, SESSION_TIMEOUT_MAX, SESSION_TIMEOUT_MIN,
    },
    names,
    offsets::{GroupName, SHARED},
};
use crate::kafka::{caller::Caller, turn::Pace};

impl Caller<'_> {
    /// Whether the caller may use groups: they are for those who read.
    pub(super) fn check_groups(&self) -> Result<(), ResponseError> {
        if self.principal.reads() { Ok(()) } else { Err(ResponseError::GroupAuthorizationFailed) }
    }

    /// The group called `id` in the caller's space.
    pub(super) fn group(&self, id: &str) -> Result<GroupName, ResponseError> {
        self.check_groups()?;
        if id.is_empty() || id.len() > NAME_BYTES_MAX {
            return Err(ResponseError::InvalidGroupId);
        }
        Ok(GroupName { space: self.space().into(), id: id.into() })
    }

    /// Whose groups the caller uses; see the module's documentation.
    pub(super) fn space(&self) -> &str {
        if self.principal.sees_everything() { SHARED } else { &self.principal.name }
    }
}

/// A `JoinGroup` that was read, in memory of its own: it may wait for half an hour.
pub(crate) struct Joining {
    /// As whom somebody joins; empty if it has no name yet.
    member: Name,
    read: Result<(GroupName, Join), ResponseError>,
}

impl Joining {
    /// Copies what is needed.
    pub(crate) fn of(caller: &Caller<'_>, request: &JoinGroupRequest) -> Self {
        let group = caller.group(&request.group_id);
        let read = group.and_then(|group| Ok((group, read_join(caller, request)?)));
        Self { member: (*request.member_id).into(), read }
    }
}

/// Answers `JoinGroup`.
pub(crate) async fn join(caller: &Caller<'_>, joining: Joining) -> JoinGroupResponse {
    let Joining { member, read } = joining;
    let answered = match read {
        Ok((group, join)) => {
            let joining = caller.server.groups.join(&group, join);
            let joined = caller.server.drain.run_until_cancelled(joining).await;
            let error = ResponseError::CoordinatorNotAvailable;
            joined.unwrap_or(Err(NotJoined { error, member }))
        }
        Err(error) => Err(NotJoined { error, member }),
    };
    match answered {
        Ok(joined) => shown(joined),
        Err(NotJoined { error, member }) => JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            // Before version 7 a name cannot be null.
            .with_protocol_name((caller.version < 7).then(StrBytes::default))
            .with_member_id(text(&member)),
    }
}

fn read_join(caller: &Caller<'_>, request: &JoinGroupRequest) -> Result<Join, ResponseError> {
    if request.protocols.len() > PROTOCOLS_MAX {
        return Err(ResponseError::InvalidRequest);
    }
    let session_timeout = period(request.session_timeout_ms);
    if !(SESSION_TIMEOUT_MIN..=SESSION_TIMEOUT_MAX).contains(&session_timeout) {
        return Err(ResponseError::InvalidSessionTimeout);
    }
    // Version 0 has one time-out for both.
    let rebalance_timeout = match caller.version {
        0 => session_timeout,
        _ => {
            period(request.rebalance_timeout_ms).clamp(REBALANCE_TIMEOUT_MIN, REBALANCE_TIMEOUT_MAX)
        }
    };
    let said: usize = request.protocols.iter().map(|p| p.metadata.len()).sum();
    let instance = request.group_instance_id.as_deref();
    let names = request.protocols.iter().map(|protocol| &*protocol.name);
    let mut names = names.chain([&*request.protocol_type]).chain(instance);
    // A name that was given out is longer than the instance that it begins with.
    let is_too_large =
        said > MEMBER_BYTES_MAX || request.member_id.len() > names::longest(NAME_BYTES_MAX);
    if is_too_large || names.any(|name| name.len() > NAME_BYTES_MAX) {
        return Err(ResponseError::InvalidRequest);
    }
    let protocols = request.protocols.iter().map(|protocol| {
        let name: Name = (*protocol.name).into();
        (name, Bytes::copy_from_slice(&protocol.metadata))
    });
    let client = caller.client.to_owned();
    Ok(Join {
        member: (*request.member_id).into(),
        // The coordinator, which knows what it gave out, says these two.
        is_given: false,
        fresh: Name::default(),
        instance: instance.map(Arc::from),
        host: format!("/{}", caller.peer.ip().to_canonical()),
        session_timeout,
        rebalance_timeout,
        protocol_type: (*request.protocol_type).into(),
        protocols: protocols.collect(),
        must_return: caller.version >= 4,
        can_skip: caller.version >= 9,
        client,
    })
}

fn shown(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|(name, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&name))
            .with_group_instance_id(instance.as_ref().map(text))
            .with_metadata(metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(Some(text(&joined.protocol_type)))
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(&joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(members.collect())
}

/// A `SyncGroup` that was read, in memory of its own: it may wait as long as its leader does.
pub(crate) struct Syncing(Result<(GroupName, Said), ResponseError>);

struct Said {
    member: Name,
    instance: Option<Name>,
    generation: i32,
    /// Its type and its name.
    protocol: (Option<Name>, Option<Name>),
    assignments: Vec<(Name, Bytes)>,
}

impl Syncing {
    /// Copies what is needed.
    pub(crate) fn of(caller: &Caller<'_>, request: &SyncGroupRequest) -> Self {
        let group = caller.group(&request.group_id);
        Self(group.and_then(|group| Ok((group, read_sync(request)?))))
    }
}

fn read_sync(request: &SyncGroupRequest) -> Result<Said, ResponseError> {
    // Members are all that there is to assign to.
    if request.assignments.len() > GROUP_MEMBERS_MAX
        || request.assignments.iter().any(|a| a.assignment.len() > MEMBER_BYTES_MAX)
    {
        return Err(ResponseError::InvalidRequest);
    }
    let name = |text: &str| Name::from(text);
    let assignments = request.assignments.iter();
    let assignments =
        assignments.map(|a| (name(&a.member_id), Bytes::copy_from_slice(&a.assignment)));
    Ok(Said {
        member: name(&request.member_id),
        instance: request.group_instance_id.as_deref().map(name),
        generation: request.generation_id,
        protocol: (
            request.protocol_type.as_deref().map(name),
            request.protocol_name.as_deref().map(name),
        ),
        assignments: assignments.collect(),
    })
}

/// Answers `SyncGroup`.
pub(crate) async fn sync(caller: &Caller<'_>, syncing: Syncing) -> SyncGroupResponse {
    let synced = match syncing.0 {
        Ok((group, said)) => {
            let assigned_bytes = said.assignments.iter().map(|(_, assigned)| assigned.len()).sum();
            // What was said goes with the telling of it: who waits has its place in the group alone.
            let telling = move |group: &mut Group, ticket: Ticket, now: Time| {
                let (member, instance) = (&*said.member, said.instance.as_deref());
                let speaker = Speaker { member, instance, generation: said.generation };
                let protocol = (said.protocol.0.as_deref(), said.protocol.1.as_deref());
                group.sync(speaker, protocol, said.assignments, ticket, now);
            };
            let synced = caller.server.groups.sync(&group, assigned_bytes, telling);
            let synced = caller.server.drain.run_until_cancelled(synced).await;
            synced.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
        }
        Err(error) => Err(error),
    };
    match synced {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(Some(text(&synced.protocol_type)))
            .with_protocol_name(Some(text(&synced.protocol)))
            .with_assignment(synced.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// Answers `Heartbeat`.
pub(crate) fn heartbeat(caller: &Caller<'_>, request: &HeartbeatRequest) -> HeartbeatResponse {
    let speaker = Speaker {
        member: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let beat = caller.group(&request.group_id).and_then(|group| {
        let told = caller.server.groups.tell(&group, |group, now| group.heartbeat(speaker, now));
        told.unwrap_or(Err(ResponseError::UnknownMemberId))
    });
    HeartbeatResponse::default().with_error_code(code(beat))
}

/// Answers `LeaveGroup`.
pub(crate) async fn leave(caller: &Caller<'_>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let group = match caller.group(&request.group_id) {
        Ok(group) => group,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
    };
    let left = |member: &str, instance: Option<&str>| {
        let told =
            caller.server.groups.tell(&group, |group, now| group.leave(member, instance, now));
        code(told.unwrap_or(Err(ResponseError::UnknownMemberId)))
    };
    if caller.version < 3 {
        return LeaveGroupResponse::default().with_error_code(left(&request.member_id, None));
    }
    let answered = |gone: MemberIdentity| {
        let error = left(&gone.member_id, gone.group_instance_id.as_deref());
        MemberResponse::default()
            .with_member_id(gone.member_id)
            .with_group_instance_id(gone.group_instance_id)
            .with_error_code(error)
    };
    let (mut members, mut pace) = (Vec::new(), Pace::default());
    for gone in request.members {
        pace.step().await;
        members.push(answered(gone));
    }
    LeaveGroupResponse::default().with_members(members)
}

pub(super) fn text(name: &Name) -> StrBytes {
    StrBytes::from(name.to_string())
}

fn code(result: Result<(), ResponseError>) -> i16 {
    result.map_or_else(|error| error.code(), |()| 0)
}

fn period(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
