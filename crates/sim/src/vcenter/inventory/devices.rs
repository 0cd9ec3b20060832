//! The devices of a virtual machine: a disk, a network card, and a drive without a medium.

use super::{Entity, EntityId, Inventory, Machine, property::Property};
use crate::vcenter::xml::{close, leaf, open};

/// Bytes of the disk of each machine whose size is known.
pub(super) const DISK_BYTES: u64 = 40 << 30;

impl Inventory {
    /// `config.hardware.device`; nothing where nobody knows what a machine has.
    pub(super) fn devices(&self, entity: &Entity, machine: &Machine) -> Property {
        let (Some(store), Some(network)) = (machine.datastore, machine.network) else {
            return Property::Array("VirtualDevice", Vec::new());
        };
        let device = |class: &str, content: String| format!(" xsi:type=\"{class}\">{content}");
        Property::Array(
            "VirtualDevice",
            vec![
                device("VirtualDisk", self.disk(entity, machine, store)),
                device("VirtualCdrom", drive()),
                device("VirtualVmxnet3", self.card(machine, network)),
            ],
        )
    }

    fn disk(&self, entity: &Entity, machine: &Machine, datastore: EntityId) -> String {
        let store = &self.get(datastore).name;
        let kilobytes = machine.disk_bytes >> 10;
        let mut out = begin(2000, "Hard disk 1", &format!("{} KB", grouped(kilobytes)));
        out.push_str("<backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\">");
        leaf(&mut out, "fileName", &format!("[{store}] {0}/{0}.vmdk", entity.name));
        self.moref(datastore).write(&mut out, "datastore");
        leaf(&mut out, "diskMode", "persistent");
        leaf(&mut out, "thinProvisioned", "true");
        close(&mut out, "backing");
        place(&mut out, 1000, 0);
        leaf(&mut out, "capacityInKB", &kilobytes.to_string());
        leaf(&mut out, "capacityInBytes", &machine.disk_bytes.to_string());
        out
    }

    fn card(&self, machine: &Machine, group: EntityId) -> String {
        let [a, b, c, ..] = machine.uuid.into_bytes();
        let network = self.moref(group).value;
        let mut out = begin(4000, "Network adapter 1", &self.get(group).name);
        out.push_str(
            "<backing xsi:type=\"VirtualEthernetCardDistributedVirtualPortBackingInfo\"><port>",
        );
        leaf(&mut out, "switchUuid", &machine.uuid.to_string());
        leaf(&mut out, "portgroupKey", &network);
        out.push_str("</port></backing>");
        connection(&mut out, true, machine.powered_on);
        place(&mut out, 100, 7);
        leaf(&mut out, "addressType", "assigned");
        leaf(&mut out, "macAddress", &format!("00:50:56:{a:02x}:{b:02x}:{c:02x}"));
        leaf(&mut out, "wakeOnLanEnabled", "true");
        out
    }
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

fn drive() -> String {
    let mut out = begin(3000, "CD/DVD drive 1", "Remote device");
    out.push_str("<backing xsi:type=\"VirtualCdromRemotePassthroughBackingInfo\">");
    leaf(&mut out, "deviceName", "");
    leaf(&mut out, "exclusive", "false");
    close(&mut out, "backing");
    connection(&mut out, false, false);
    place(&mut out, 200, 0);
    out
}

/// What every device begins with.
fn begin(key: u32, label: &str, summary: &str) -> String {
    let mut out = String::new();
    leaf(&mut out, "key", &key.to_string());
    open(&mut out, "deviceInfo");
    leaf(&mut out, "label", label);
    leaf(&mut out, "summary", summary);
    close(&mut out, "deviceInfo");
    out
}

fn connection(out: &mut String, at_start: bool, now: bool) {
    open(out, "connectable");
    leaf(out, "startConnected", &at_start.to_string());
    leaf(out, "allowGuestControl", "true");
    leaf(out, "connected", &now.to_string());
    leaf(out, "status", if now { "ok" } else { "untried" });
    close(out, "connectable");
}

/// The controller that a device hangs on, and where.
fn place(out: &mut String, controller: u32, unit: u32) {
    leaf(out, "controllerKey", &controller.to_string());
    leaf(out, "unitNumber", &unit.to_string());
}
