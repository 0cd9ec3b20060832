//! What the cloud offers: zones, offerings, templates, hosts. The same in every simulated cloud but
//! for their identifiers and dates; no command changes them.
//!
//! Dates come from a generator of their own, so that they change nothing else of a seed's cloud.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use crate::seed::seeded_uuid;

#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: Uuid,
    pub(crate) name: &'static str,
    /// Whether its machines share one network and are in security groups.
    pub(crate) is_basic: bool,
}

#[derive(Debug)]
pub(crate) struct ServiceOffering {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) name: &'static str,
    /// CPUs and memory in MiB; `None` if whoever deploys says so.
    pub(crate) size: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct DiskOffering {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) name: &'static str,
    /// GiB; `None` if whoever creates says so.
    pub(crate) size_gib: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) name: &'static str,
    pub(crate) os: &'static str,
    pub(crate) os_id: Uuid,
    pub(crate) size_gib: u64,
}

#[derive(Debug)]
pub(crate) struct NetworkOffering {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) name: &'static str,
    pub(crate) guest_type: &'static str,
    /// Services, and what provides each.
    pub(crate) services: &'static [(&'static str, &'static str)],
}

impl NetworkOffering {
    /// Whether machines in its networks are in security groups.
    pub(crate) fn has_groups(&self) -> bool {
        self.services.iter().any(|(name, _)| *name == "SecurityGroup")
    }
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
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

const ISOLATED: &[(&str, &str)] =
    &[("Dhcp", "VirtualRouter"), ("Dns", "VirtualRouter"), ("SourceNat", "VirtualRouter")];
const SHARED: &[(&str, &str)] =
    &[("Dhcp", "VirtualRouter"), ("Dns", "VirtualRouter"), ("UserData", "VirtualRouter")];
const SHARED_WITH_GROUPS: &[(&str, &str)] = &[
    ("Dhcp", "VirtualRouter"),
    ("Dns", "VirtualRouter"),
    ("UserData", "VirtualRouter"),
    ("SecurityGroup", "SecurityGroupProvider"),
];

/// How long before its history a cloud was installed, at least and at most.
const AGE_DAYS: std::ops::Range<i64> = 200..700;

/// When the parts of a cloud came to be: all before its history begins.
///
/// The management server writes the default offerings within seconds when it first starts; the
/// operators add hosts in the hours after, and their own offerings and templates over half a year.
struct Calendar {
    rng: StdRng,
    installed: Timestamp,
}

impl Calendar {
    fn new(seed: u64, history_begins: Timestamp) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x6461_7465);
        let age = SignedDuration::from_hours(24 * rng.random_range(AGE_DAYS));
        let seconds = SignedDuration::from_secs(rng.random_range(0..24 * 60 * 60));
        let installed = history_begins.saturating_sub(age + seconds).unwrap_or(history_begins);
        Self { rng, installed }
    }

    fn within_seconds(&mut self) -> Timestamp {
        self.after(0..20)
    }

    fn within_hours(&mut self) -> Timestamp {
        self.after(60 * 60..8 * 60 * 60)
    }

    fn within_months(&mut self) -> Timestamp {
        self.after(24 * 60 * 60..180 * 24 * 60 * 60)
    }

    fn after(&mut self, seconds: std::ops::Range<i64>) -> Timestamp {
        let pause = SignedDuration::from_secs(self.rng.random_range(seconds));
        self.installed.saturating_add(pause).unwrap_or(self.installed)
    }
}

/// A generator for what belongs to the basic zone.
pub(super) fn basic_generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed.rotate_left(17) ^ 0x6261_7369)
}

impl Offers {
    /// `seed` decides the dates, `rng` all else.
    pub(crate) fn build(seed: u64, history_begins: Timestamp, rng: &mut StdRng) -> Self {
        let mut calendar = Calendar::new(seed, history_begins);
        let mut id = || seeded_uuid(rng);
        let zones: Vec<_> =
            ["zone-a", "zone-b"].map(|name| Zone { id: id(), name, is_basic: false }).into();
        let services = [
            ("Small Instance", Some((1, 1024))),
            ("Medium Instance", Some((2, 4096))),
            ("Large Instance", Some((8, 16384))),
            ("Custom Instance", None),
        ];
        let services = services.map(|(name, size)| {
            let created =
                if size.is_some() { calendar.within_seconds() } else { calendar.within_months() };
            ServiceOffering { id: id(), created, name, size }
        });
        let disks =
            [("Small", Some(5)), ("Medium", Some(20)), ("Large", Some(100)), ("Custom", None)];
        let disks = disks.map(|(name, size_gib)| {
            let created = calendar.within_seconds();
            DiskOffering { id: id(), created, name, size_gib }
        });
        let templates = [
            ("debian-12", "Debian GNU/Linux 12 (64-bit)", 4),
            ("rocky-9", "Rocky Linux 9", 8),
            ("windows-2022", "Windows Server 2022 (64-bit)", 40),
        ];
        let templates = templates.map(|(name, os, size_gib)| {
            let (id, os_id) = (id(), id());
            Template { id, created: calendar.within_months(), name, os, os_id, size_gib }
        });
        let networks = [
            ("DefaultIsolatedNetworkOfferingWithSourceNatService", "Isolated", ISOLATED),
            ("DefaultSharedNetworkOffering", "Shared", SHARED),
        ];
        let networks = networks.map(|(name, guest_type, services)| {
            let created = calendar.within_seconds();
            NetworkOffering { id: id(), created, name, guest_type, services }
        });
        let hosts = (0..zones.len() * HOSTS_PER_ZONE).map(|number| Host {
            id: id(),
            created: calendar.within_hours(),
            name: host_name(number),
            zone: number / HOSTS_PER_ZONE,
        });
        let hosts = hosts.collect();
        let mut offers = Self {
            zones,
            services: services.into(),
            disks: disks.into(),
            templates: templates.into(),
            networks: networks.into(),
            hosts,
        };
        offers.add_basic_zone(&mut calendar, &mut basic_generator(seed));
        offers
    }

    /// The basic zone comes last, so that the first zone of a list is an advanced one.
    fn add_basic_zone(&mut self, calendar: &mut Calendar, rng: &mut StdRng) {
        let zone = self.zones.len();
        self.zones.push(Zone { id: seeded_uuid(rng), name: "zone-basic", is_basic: true });
        self.networks.push(NetworkOffering {
            id: seeded_uuid(rng),
            created: calendar.within_seconds(),
            name: "DefaultSharedNetworkOfferingWithSGService",
            guest_type: "Shared",
            services: SHARED_WITH_GROUPS,
        });
        for number in self.hosts.len()..self.hosts.len() + HOSTS_PER_ZONE {
            self.hosts.push(Host {
                id: seeded_uuid(rng),
                created: calendar.within_hours(),
                name: host_name(number),
                zone,
            });
        }
    }
}

fn host_name(number: usize) -> String {
    format!("kvm-{:02}.example.com", number + 1)
}
