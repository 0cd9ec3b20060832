//! What the cloud offers: zones, offerings, templates, hosts. The same in every simulated cloud but
//! for their identifiers; no command changes them.

use rand::rngs::StdRng;
use uuid::Uuid;

use crate::seed::seeded_uuid;

#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
}

#[derive(Debug)]
pub(crate) struct ServiceOffering {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    /// CPUs and memory in MiB; `None` if whoever deploys says so.
    pub(crate) size: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct DiskOffering {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    /// GiB; `None` if whoever creates says so.
    pub(crate) size_gib: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    pub(crate) os: &'static str,
    pub(crate) os_id: Uuid,
    pub(crate) size_gib: u64,
}

#[derive(Debug)]
pub(crate) struct NetworkOffering {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    pub(crate) guest_type: &'static str,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) zone: usize,
}

/// Everything on offer.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(crate) zones: Vec<Zone>,
    pub(crate) services: Vec<ServiceOffering>,
    pub(crate) disks: Vec<DiskOffering>,
    pub(crate) templates: Vec<Template>,
    pub(crate) networks: Vec<NetworkOffering>,
    pub(crate) hosts: Vec<Host>,
}

const HOSTS_PER_ZONE: usize = 3;

impl Offers {
    pub(crate) fn build(rng: &mut StdRng) -> Self {
        let mut id = || seeded_uuid(rng);
        let zones: Vec<_> =
            ["zone-a", "zone-b"].into_iter().map(|name| Zone { id: id(), name }).collect();
        let services = [
            ("Small Instance", Some((1, 1024))),
            ("Medium Instance", Some((2, 4096))),
            ("Large Instance", Some((8, 16384))),
            ("Custom Instance", None),
        ];
        let services = services.map(|(name, size)| ServiceOffering { id: id(), name, size });
        let disks =
            [("Small", Some(5)), ("Medium", Some(20)), ("Large", Some(100)), ("Custom", None)];
        let disks = disks.map(|(name, size_gib)| DiskOffering { id: id(), name, size_gib });
        let templates = [
            ("debian-12", "Debian GNU/Linux 12 (64-bit)", 4),
            ("rocky-9", "Rocky Linux 9", 8),
            ("windows-2022", "Windows Server 2022 (64-bit)", 40),
        ];
        let templates = templates.map(|(name, os, size_gib)| {
            let (id, os_id) = (id(), id());
            Template { id, name, os, os_id, size_gib }
        });
        let networks = [
            ("DefaultIsolatedNetworkOfferingWithSourceNatService", "Isolated"),
            ("DefaultSharedNetworkOffering", "Shared"),
        ];
        let networks =
            networks.map(|(name, guest_type)| NetworkOffering { id: id(), name, guest_type });
        let hosts = (0..zones.len() * HOSTS_PER_ZONE).map(|number| Host {
            id: id(),
            name: format!("kvm-{:02}.example.com", number + 1),
            zone: number / HOSTS_PER_ZONE,
        });
        let hosts = hosts.collect();
        Self {
            zones,
            services: services.into(),
            disks: disks.into(),
            templates: templates.into(),
            networks: networks.into(),
            hosts,
        }
    }
}
