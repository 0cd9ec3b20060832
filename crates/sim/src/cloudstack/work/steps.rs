//! One step of an operation: its event, its effect, and what it tells a waiting job.

use jiff::{SignedDuration, Timestamp};

use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::history::{Level, Mark, Resource, Row, State, mix};
use crate::cloudstack::life::{Chain, Subject};

/// An event to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: u16,
    pub(crate) state: State,
    pub(crate) level: Level,
    pub(crate) account: usize,
    pub(crate) user: usize,
    pub(crate) resource: u32,
    pub(crate) parent: u32,
    pub(crate) hidden: bool,
    pub(crate) text: Option<String>,
    /// When it truly happens.
    pub(crate) at: Timestamp,
    /// How long after that it is committed.
    pub(crate) late: SignedDuration,
    pub(crate) second_server: bool,
}

impl Cloud {
    /// Does the next step of an operation; returns the operation if there are more.
    pub(crate) fn step(&mut self, mut chain: Chain, at: Timestamp) -> Option<Chain> {
        let trail = chain.op.trail();
        let state = *trail.steps.get(chain.done)?;
        if chain.done == 0 {
            self.inventory.occupy(chain.subject, true);
            chain.resource = self.resource_of(chain.subject);
        }
        chain.done += 1;
        let is_last = chain.done == trail.steps.len();
        let failed = chain.fails && is_last;
        self.inventory.apply(chain.op, chain.subject, state, failed, at);
        let kind = self.history.kind(trail.name);
        let number = self.record(&Draft {
            kind,
            state,
            level: if failed { Level::Error } else { Level::Info },
            account: chain.account,
            user: chain.user,
            resource: chain.resource,
            parent: chain.parent,
            hidden: false,
            text: None,
            at,
            late: SignedDuration::ZERO,
            second_server: chain.second_server,
        });
        if chain.done == 1 {
            chain.parent = number + 1;
        }
        if is_last {
            self.inventory.occupy(chain.subject, false);
            self.finish_job(&chain, failed, at);
        }
        (!is_last).then_some(chain)
    }

    /// The number under which events name something, made known when first needed.
    fn resource_of(&mut self, subject: Subject) -> u32 {
        let (kind, id, name, resource) = match subject {
            Subject::Nothing => return 0,
            Subject::Machine(index) => {
                let machine = &mut self.inventory.machines[index];
                ("VirtualMachine", machine.id, &machine.display_name, &mut machine.resource)
            }
            Subject::Volume(index, _) => {
                let volume = &mut self.inventory.volumes[index];
                ("Volume", volume.id, &volume.name, &mut volume.resource)
            }
            Subject::Network(index) => {
                let network = &mut self.inventory.networks[index];
                ("Network", network.id, &network.name, &mut network.resource)
            }
            Subject::SecurityGroup(index) | Subject::Rules { group: index, .. } => {
                let group = &mut self.inventory.groups[index];
                ("SecurityGroup", group.id, &group.name, &mut group.resource)
            }
        };
        if *resource == 0 {
            let name = name.as_str().into();
            *resource = self.history.add_resource(Resource { kind, id, name });
        }
        *resource
    }

    /// Records an event; returns its number.
    pub(crate) fn record(&mut self, draft: &Draft) -> u32 {
        let skew = if draft.second_server {
            SignedDuration::from_secs(self.troubles.server_skew_seconds)
        } else {
            SignedDuration::ZERO
        };
        let created = draft.at.saturating_add(skew).unwrap_or(draft.at);
        let index = |place: usize| u16::try_from(place).unwrap_or_default();
        let row = Row {
            created: created.as_second(),
            parent: draft.parent,
            resource: draft.resource,
            kind: draft.kind,
            account: index(draft.account),
            user: index(draft.user),
            level: draft.level,
            mark: Mark::new(draft.state, draft.hidden),
        };
        let late = draft.late.max(self.lateness());
        let visible = (!late.is_zero()).then(|| draft.at.saturating_add(late).unwrap_or(draft.at));
        self.revision += 1;
        self.history.push(row, draft.text.as_deref(), visible)
    }

    /// How late the next event is committed because of a fault.
    fn lateness(&self) -> SignedDuration {
        let troubles = &self.troubles;
        let draw = mix(self.history.len() as u64 ^ self.seed.rotate_left(32)) % 100;
        if draw < u64::from(troubles.late_percent) {
            SignedDuration::from_secs(i64::from(troubles.late_seconds))
        } else {
            SignedDuration::ZERO
        }
    }
}
