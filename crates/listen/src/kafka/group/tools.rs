//! FindCoordinator, ListGroups and DescribeGroups: what clients ask first, and tools ask only.

use std::collections::HashSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest,
        FindCoordinatorResponse, GroupId, ListGroupsRequest, ListGroupsResponse,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
        find_coordinator_response::Coordinator,
        list_groups_response::ListedGroup,
    },
    protocol::{Encodable, StrBytes},
};

use super::{members::text, room::Room};
use crate::groups::Group;
use crate::kafka::{caller::Caller, server::NODE, turn::Pace};

/// What `FindCoordinator` asks for.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// What may be done with a group: read (3), describe (8), as bits.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 8;

/// Answers `FindCoordinator`, each group once: this is it, for every group; for transactions there is none.
pub(crate) fn find_coordinator(
    caller: &Caller<'_>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let (host, port) = caller.node();
    let error = match request.key_type {
        GROUP => caller.check_groups().map_or_else(|error| error.code(), |()| 0),
        TRANSACTION => ResponseError::TransactionalIdAuthorizationFailed.code(),
        _ => ResponseError::InvalidRequest.code(),
    };
    if caller.version < 4 {
        return match error {
            0 => FindCoordinatorResponse::default()
                .with_node_id(NODE)
                .with_host(host)
                .with_port(port),
            error => FindCoordinatorResponse::default()
                .with_error_code(error)
                .with_node_id((-1).into())
                .with_port(-1),
        };
    }
    let found = |key: StrBytes| {
        let coordinator = Coordinator::default().with_key(key);
        match error {
            0 => coordinator.with_node_id(NODE).with_host(host.clone()).with_port(port),
            error => coordinator.with_error_code(error).with_node_id((-1).into()).with_port(-1),
        }
    };
    let mut asked = HashSet::new();
    let keys = request.coordinator_keys.into_iter().filter(|key| asked.insert(key.clone()));
    let coordinators = keys.map(found).collect();
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}

/// The one kind of group there is.
const CLASSIC: &str = "classic";

/// Answers `ListGroups`.
/// Who may use no groups is shown none, as Kafka has it.
pub(crate) fn list(caller: &Caller<'_>, request: &ListGroupsRequest) -> ListGroupsResponse {
    if caller.check_groups().is_err() {
        return ListGroupsResponse::default();
    }
    let groups = caller.server.groups.list(caller.space(), |id, group| {
        ListedGroup::default()
            .with_group_id(GroupId(StrBytes::from(id.to_owned())))
            .with_protocol_type(text(&group.shown().0))
            .with_group_state(StrBytes::from_static_str(group.state()))
            .with_group_type(StrBytes::from_static_str(CLASSIC))
    });
    let is_one = |wanted: &[StrBytes], state: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(state))
    };
    let is_wanted = |group: &ListedGroup| {
        is_one(&request.states_filter, &group.group_state) && is_one(&request.types_filter, CLASSIC)
    };
    ListGroupsResponse::default().with_groups(groups.into_iter().filter(is_wanted).collect())
}

/// Answers `DescribeGroups`, each group once. A group that is not there is "dead", as Kafka has it.
pub(crate) async fn describe(
    caller: &Caller<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut room = Room::new();
    let mut described = |id: GroupId| {
        let shown = caller.group(&id).and_then(|name| {
            room.take(id.len())?;
            let groups = &caller.server.groups;
            let shown = groups.tell(&name, |group, _| described(group)).unwrap_or_else(dead);
            let bytes = shown.compute_size(caller.version).unwrap_or(usize::MAX);
            room.take(bytes).map(|()| shown)
        });
        let mut shown = match shown {
            Ok(shown) => shown,
            Err(error) => dead().with_error_code(error.code()),
        };
        if caller.version >= 6 && &*shown.group_state == DEAD && shown.error_code == 0 {
            shown.error_code = ResponseError::GroupIdNotFound.code();
        }
        if request.include_authorized_operations {
            shown.authorized_operations = GROUP_OPERATIONS;
        }
        shown.with_group_id(id)
    };
    let (mut asked, mut pace) = (HashSet::new(), Pace::default());
    let mut groups = Vec::new();
    for id in request.groups {
        pace.step().await;
        if asked.insert(id.clone()) {
            groups.push(described(id));
        }
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

const DEAD: &str = "Dead";

fn dead() -> DescribedGroup {
    DescribedGroup::default().with_group_state(StrBytes::from_static_str(DEAD))
}

fn described(group: &Group) -> DescribedGroup {
    let (protocol_type, protocol) = group.shown();
    let members = group.members().iter().map(|(name, member)| {
        DescribedGroupMember::default()
            .with_member_id(text(name))
            .with_group_instance_id(member.instance.as_ref().map(text))
            .with_client_id(StrBytes::from(member.client.clone()))
            .with_client_host(StrBytes::from(member.host.clone()))
            .with_member_metadata(member.metadata(&protocol))
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state()))
        .with_protocol_type(text(&protocol_type))
        .with_protocol_data(text(&protocol))
        .with_members(members.collect())
}
