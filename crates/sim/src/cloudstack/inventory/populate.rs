//! What lives in the cloud before anything happens: a network for each account, and machines.
//!
//! It makes no events, so a cloud of any size is ready at once; only the workload and clients leave a history.

use jiff::Timestamp;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Inventory, MachineState};
use crate::cloudstack::directory::Directory;

impl Inventory {
    /// Adds networks and machines that were there before anything happened.
    pub(crate) fn populate(
        &mut self,
        directory: &Directory,
        machines: usize,
        at: Timestamp,
        rng: &mut StdRng,
    ) {
        let owners = directory.owners();
        let zones = self.offers.zones.iter().filter(|zone| !zone.is_basic).count();
        for account in &owners {
            let name = format!("{}-net", directory.accounts[*account].name);
            let place = (account % zones, 0);
            self.add_network((&name, &name), *account, place, at, rng);
        }
        for number in 0..machines {
            let account = owners[number % owners.len()];
            if let Some(new) = self.some_machine(account, rng) {
                let machine = self.add_machine(new, false, at, rng);
                if rng.random_bool(0.8) {
                    self.machines[machine].state = MachineState::Running;
                }
            }
        }
    }
}
