//! How the steps of operations change what lives.

use jiff::Timestamp;

use super::{Inventory, MachineState, RuleState};
use crate::cloudstack::history::State;
use crate::cloudstack::life::{Op, Subject};

impl Inventory {
    /// Marks what an operation is about, so that no other one starts on it.
    pub(crate) fn occupy(&mut self, subject: Subject, busy: bool) {
        match subject {
            // Rules wait for each other in the server's lock, and never for long.
            Subject::Nothing | Subject::SecurityGroup(_) | Subject::Rules { .. } => {}
            Subject::Machine(machine) => self.machines[machine].busy = busy,
            Subject::Network(network) => self.networks[network].busy = busy,
            Subject::Volume(volume, machine) => {
                self.volumes[volume].busy = busy;
                if let Some(machine) = machine {
                    self.machines[machine].busy = busy;
                }
            }
        }
    }

    /// Does what a step of an operation does.
    pub(crate) fn apply(
        &mut self,
        op: Op,
        subject: Subject,
        step: State,
        failed: bool,
        now: Timestamp,
    ) {
        match subject {
            Subject::Nothing => {}
            Subject::Machine(machine) => self.change_machine(op, machine, step, failed),
            Subject::Volume(volume, machine) if step == State::Completed && !failed => {
                self.change_volume(op, volume, machine, now);
            }
            Subject::Network(network) if step == State::Completed && !failed => {
                if op == Op::NetworkDelete {
                    self.networks[network].live = false;
                }
            }
            Subject::SecurityGroup(group) if op == Op::GroupDelete => {
                self.groups[group].live = false;
            }
            Subject::Rules { group, first, end } if step == State::Completed => {
                self.change_rules(op, group, first..end, failed);
            }
            Subject::Volume(..)
            | Subject::Network(_)
            | Subject::SecurityGroup(_)
            | Subject::Rules { .. } => {}
        }
    }

    fn change_machine(&mut self, op: Op, machine: usize, step: State, failed: bool) {
        let (during, after, otherwise) = match op {
            Op::MachineCreate => {
                (MachineState::Starting, MachineState::Running, MachineState::Error)
            }
            Op::MachineCreateStopped => {
                (MachineState::Stopped, MachineState::Stopped, MachineState::Error)
            }
            Op::MachineStart => {
                (MachineState::Starting, MachineState::Running, MachineState::Stopped)
            }
            Op::MachineStop => {
                (MachineState::Stopping, MachineState::Stopped, MachineState::Running)
            }
            Op::MachineDestroy => {
                (MachineState::Stopping, MachineState::Destroyed, MachineState::Stopped)
            }
            Op::MachineExpunge => {
                (MachineState::Expunging, MachineState::Expunging, MachineState::Destroyed)
            }
            _ => return,
        };
        match (step, failed) {
            (State::Started, _) => self.machines[machine].state = during,
            (State::Completed, false) => self.machines[machine].state = after,
            (State::Completed, true) => self.machines[machine].state = otherwise,
            (State::Created | State::Scheduled, _) => {}
        }
        if (op, step, failed) == (Op::MachineExpunge, State::Completed, false) {
            self.expunge(machine);
        }
    }

    /// The machine and its root disk are gone; its data disks stay.
    fn expunge(&mut self, machine: usize) {
        self.machines[machine].live = false;
        self.untended.retain(|other| *other != machine);
        for volume in self.volumes_of(machine).collect::<Vec<_>>() {
            let volume = &mut self.volumes[volume];
            volume.live = volume.offering.is_some();
            volume.machine = None;
            volume.attached = None;
        }
    }

    fn change_rules(&mut self, op: Op, group: usize, rules: std::ops::Range<usize>, failed: bool) {
        let state = match (op, failed) {
            (Op::IngressAuthorize | Op::EgressAuthorize, false) => RuleState::InForce,
            (Op::IngressAuthorize | Op::EgressAuthorize, true) => RuleState::Gone,
            (Op::IngressRevoke | Op::EgressRevoke, false) => RuleState::Gone,
            _ => return,
        };
        for rule in self.groups[group].rules.get_mut(rules).unwrap_or_default() {
            rule.state = state;
        }
    }

    fn change_volume(&mut self, op: Op, volume: usize, machine: Option<usize>, now: Timestamp) {
        let changed = &mut self.volumes[volume];
        match op {
            Op::VolumeAttach => {
                changed.machine = machine;
                changed.attached = Some(now);
                changed.ready = true;
            }
            Op::VolumeDetach => {
                changed.machine = None;
                changed.attached = None;
            }
            Op::VolumeDelete => {
                changed.live = false;
                self.untended_volumes.retain(|other| *other != volume);
            }
            _ => {}
        }
    }
}
