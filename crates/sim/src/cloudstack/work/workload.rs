//! What the cloud's users do all day: a seeded stream of operations.
//!
//! An event is asked for, and comes: the next step of an operation that is due, or the first step
//! of a new one. So operations interleave as they do in real clouds, and their events are spread
//! over seconds. The same seed gives the same operations as long as no client interferes.

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::{ADMIN, ADMIN_USER, SYSTEM};
use crate::cloudstack::history::State;
use crate::cloudstack::inventory::{GIB, MachineState, NewVolume};
use crate::cloudstack::life::{Chain, Op, Subject};

/// Data volumes are kept near this share of the machines.
const MACHINES_PER_VOLUME: usize = 2;

impl Cloud {
    /// Makes one event, at that time or earlier if a step was due earlier and the past is written.
    pub(crate) fn work_once(&mut self, now: Timestamp, past: bool) {
        let (at, chain) = match self.workload.pop_due(now) {
            Some((due, chain)) => (if past { due } else { now }, chain),
            // Where everything is busy, what is under way ends sooner.
            None => match self.new_operation(now).or_else(|| self.workload.pop_next()) {
                Some(chain) => (now, chain),
                None => (now, Chain::new(Op::UserLogin, Subject::Nothing, SYSTEM, 0)),
            },
        };
        let Some(chain) = self.step(chain, at) else { return };
        let pause = match chain.op.trail().steps.get(chain.done) {
            Some(State::Completed) => self.rng.random_range(1_000..20_000),
            Some(State::Started) => self.rng.random_range(0..1_500),
            _ => 0,
        };
        let due = at.saturating_add(SignedDuration::from_millis(pause)).unwrap_or(at);
        self.workload.add(due, chain);
    }

    /// Draws an operation. The weights are out of one hundred.
    fn new_operation(&mut self, now: Timestamp) -> Option<Chain> {
        let draw = self.rng.random_range(0..100);
        let mut chain = match draw {
            0..34 => self.on_machine(None),
            34..48 => self.on_machine(Some(Op::MachineReboot)),
            48..62 => self.grow_or_shrink(now),
            62..80 => self.on_volume(now),
            80..88 => self.snapshot(),
            88..97 => self.somebody(),
            _ => Some(Chain::new(Op::ConfigurationChange, Subject::Nothing, ADMIN, ADMIN_USER)),
        }?;
        let may_fail = !matches!(
            chain.op,
            Op::UserLogin | Op::UserLogout | Op::MachineExpunge | Op::ConfigurationChange
        );
        chain.fails = may_fail && self.rng.random_range(0..100) < self.failures_percent;
        chain.second_server = self.rng.random_bool(0.5);
        Some(chain)
    }

    /// An idle machine of the workload, if one is quickly found.
    fn idle_machine(&mut self) -> Option<usize> {
        let machines = &self.inventory.untended;
        let count = machines.len();
        if count == 0 {
            return None;
        }
        let machine = machines[self.rng.random_range(0..count)];
        (!self.inventory.machines[machine].busy).then_some(machine)
    }

    fn on_machine(&mut self, op: Option<Op>) -> Option<Chain> {
        let machine = self.idle_machine()?;
        let op = match (self.inventory.machines[machine].state, op) {
            (MachineState::Destroyed | MachineState::Error, _) => Op::MachineExpunge,
            (MachineState::Running, None) => Op::MachineStop,
            (MachineState::Running, Some(op)) => op,
            _ => Op::MachineStart,
        };
        let account = self.inventory.machines[machine].account;
        Some(Chain::new(op, Subject::Machine(machine), account, self.user_of(account)))
    }

    fn grow_or_shrink(&mut self, now: Timestamp) -> Option<Chain> {
        if self.inventory.untended.len() < self.machines_target {
            let owners = self.directory.owners();
            let account = owners[self.rng.random_range(0..owners.len())];
            let Self { inventory, rng, .. } = self;
            let new = inventory.some_machine(account, rng)?;
            let machine = inventory.add_machine(new, false, now, rng);
            let user = self.user_of(account);
            return Some(Chain::new(Op::MachineCreate, Subject::Machine(machine), account, user));
        }
        // The youngest machine goes first: most of a cloud lives long.
        let machine = self.inventory.untended.last().copied()?;
        if self.inventory.machines[machine].busy {
            return self.on_machine(None);
        }
        let op = match self.inventory.machines[machine].state {
            MachineState::Destroyed | MachineState::Error => Op::MachineExpunge,
            _ => Op::MachineDestroy,
        };
        let account = self.inventory.machines[machine].account;
        Some(Chain::new(op, Subject::Machine(machine), account, self.user_of(account)))
    }

    fn on_volume(&mut self, now: Timestamp) -> Option<Chain> {
        let target = self.machines_target / MACHINES_PER_VOLUME;
        let count = self.inventory.untended_volumes.len();
        if count < target.max(1) {
            let machine = self.idle_machine()?;
            let Self { inventory, rng, .. } = self;
            let (account, zone) =
                (inventory.machines[machine].account, inventory.machines[machine].zone);
            let offering = rng.random_range(0..3);
            let gib = inventory.offers.disks[offering].size_gib?;
            let size_bytes = gib * GIB;
            let name = format!("data-{}", inventory.volumes.len());
            let new = NewVolume { name, account, zone, size_bytes, offering: Some(offering) };
            let volume = inventory.add_volume(new, false, now, rng);
            let user = self.user_of(account);
            return Some(Chain::new(
                Op::VolumeCreate,
                Subject::Volume(volume, None),
                account,
                user,
            ));
        }
        let volume = self.inventory.untended_volumes[self.rng.random_range(0..count)];
        let found = &self.inventory.volumes[volume];
        let (account, attached) = (found.account, found.machine);
        if found.busy || attached.is_some_and(|machine| self.inventory.machines[machine].busy) {
            return None;
        }
        let (op, machine) = match attached {
            Some(machine) => (Op::VolumeDetach, Some(machine)),
            None if self.rng.random_bool(0.4) => (Op::VolumeDelete, None),
            None => {
                let machines = &self.inventory.machines;
                let mut fitting = self.inventory.untended.iter().copied();
                let machine =
                    fitting.find(|m| machines[*m].account == account && !machines[*m].busy);
                (Op::VolumeAttach, Some(machine?))
            }
        };
        Some(Chain::new(op, Subject::Volume(volume, machine), account, self.user_of(account)))
    }

    fn snapshot(&mut self) -> Option<Chain> {
        let machine = self.idle_machine()?;
        let volume = self.inventory.volumes_of(machine).next()?;
        let account = self.inventory.machines[machine].account;
        let subject = Subject::Volume(volume, None);
        Some(Chain::new(Op::SnapshotCreate, subject, account, self.user_of(account)))
    }

    fn somebody(&mut self) -> Option<Chain> {
        let user = self.rng.random_range(1..self.directory.users.len());
        let op = if self.rng.random_bool(0.7) { Op::UserLogin } else { Op::UserLogout };
        Some(Chain::new(op, Subject::Nothing, self.directory.users[user].account, user))
    }

    /// Somebody who may act for an account.
    fn user_of(&mut self, account: usize) -> usize {
        let users = &self.users_of[account];
        users.get(self.rng.random_range(0..users.len().max(1))).copied().unwrap_or(ADMIN_USER)
    }
}
