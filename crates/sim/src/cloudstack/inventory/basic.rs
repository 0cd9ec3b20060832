//! The basic zone: one network that every account shares, and security groups in place of
//! networks of one's own.
//!
//! It stands beside the advanced zones and takes its identifiers from a generator apart: the
//! advanced zones, and what the workload does in them, are the same as if it were not there. The
//! workload leaves it to clients.

use jiff::Timestamp;

use super::Inventory;
use super::groups::DEFAULT_GROUP;
use super::offers::{NetworkOffering, basic_generator};
use crate::cloudstack::directory::SYSTEM;

/// The name that the user interface and CloudStack's own tests give the network of a basic zone.
const NETWORK_NAME: &str = "guestNetworkForBasicZone";
/// `SecurityGroupManager.DEFAULT_GROUP_DESCRIPTION`.
const DEFAULT_GROUP_TEXT: &str = "Default Security Group";

impl Inventory {
    /// Gives the basic zone its network, and each of these accounts its default group.
    pub(crate) fn furnish_basic_zone(&mut self, seed: u64, accounts: &[usize], at: Timestamp) {
        let mut rng = basic_generator(!seed);
        for account in accounts {
            self.add_group((DEFAULT_GROUP, DEFAULT_GROUP_TEXT), *account, &mut rng);
        }
        let Some(zone) = self.offers.zones.iter().position(|zone| zone.is_basic) else { return };
        let mut offerings = self.offers.networks.iter();
        let Some(offering) = offerings.position(NetworkOffering::has_groups) else { return };
        let texts = (NETWORK_NAME, NETWORK_NAME);
        self.add_network(texts, SYSTEM, (zone, offering), at, &mut rng);
    }

    /// Whether every account uses a network: it belongs to the root domain, and to no account.
    pub(crate) fn is_common(&self, network: usize) -> bool {
        self.offers.zones[self.networks[network].zone].is_basic
    }

    /// The network of a basic zone.
    pub(crate) fn common_network(&self, zone: usize) -> Option<usize> {
        self.networks.iter().position(|network| network.live && network.zone == zone)
    }
}
