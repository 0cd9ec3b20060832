//! Operations and the events that they leave: type, words, steps.

use crate::cloudstack::history::State;

/// Something that is done to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    MachineCreate,
    MachineCreateStopped,
    MachineStart,
    MachineStop,
    MachineReboot,
    MachineDestroy,
    MachineExpunge,
    VolumeCreate,
    VolumeAttach,
    VolumeDetach,
    VolumeDelete,
    SnapshotCreate,
    NetworkCreate,
    NetworkDelete,
    GroupCreate,
    GroupDelete,
    IngressAuthorize,
    EgressAuthorize,
    IngressRevoke,
    EgressRevoke,
    UserLogin,
    UserLogout,
    ConfigurationChange,
}

/// How an operation shows in events.
#[derive(Debug)]
pub(crate) struct Trail {
    /// The type of its events.
    pub(crate) name: &'static str,
    /// What the description says, before the resource.
    pub(crate) phrase: &'static str,
    /// The states of its events, in order.
    pub(crate) steps: &'static [State],
}

const CREATING: &[State] = &[State::Created, State::Scheduled, State::Started, State::Completed];
const WAITING: &[State] = &[State::Scheduled, State::Started, State::Completed];
const AT_ONCE: &[State] = &[State::Completed];

const fn trail(name: &'static str, phrase: &'static str, steps: &'static [State]) -> Trail {
    Trail { name, phrase, steps }
}

static DEPLOY: Trail = trail("VM.CREATE", "deploying Vm. Vm Id: ", CREATING);
static START: Trail = trail("VM.START", "starting Vm. Vm Id: ", WAITING);
static STOP: Trail = trail("VM.STOP", "stopping Vm. Vm Id: ", WAITING);
static REBOOT: Trail = trail("VM.REBOOT", "rebooting Vm. Vm Id: ", WAITING);
static DESTROY: Trail = trail("VM.DESTROY", "destroying Vm. Vm Id: ", WAITING);
static EXPUNGE: Trail = trail("VM.EXPUNGE", "expunging Vm. Vm Id: ", WAITING);
static NEW_VOLUME: Trail = trail("VOLUME.CREATE", "creating volume: ", CREATING);
static ATTACH: Trail = trail("VOLUME.ATTACH", "attaching volume: ", WAITING);
static DETACH: Trail = trail("VOLUME.DETACH", "detaching volume: ", WAITING);
static DROP_VOLUME: Trail = trail("VOLUME.DELETE", "deleting volume: ", AT_ONCE);
static SNAPSHOT: Trail = trail("SNAPSHOT.CREATE", "creating snapshot of volume: ", CREATING);
static NEW_NETWORK: Trail = trail("NETWORK.CREATE", "creating network: ", AT_ONCE);
static DROP_NETWORK: Trail = trail("NETWORK.DELETE", "deleting network: ", WAITING);
// Names as in `EventTypes` (4.9 to 4.22); `SG.ASSIGN` and `SG.REMOVE` are of usage and in no list.
static NEW_GROUP: Trail = trail("SG.CREATE", "creating security group: ", AT_ONCE);
static DROP_GROUP: Trail = trail("SG.DELETE", "deleting security group: ", AT_ONCE);
static ALLOW_IN: Trail = trail("SG.AUTH.INGRESS", "authorizing ingress to group: ", WAITING);
static ALLOW_OUT: Trail = trail("SG.AUTH.EGRESS", "authorizing egress to group: ", WAITING);
static DENY_IN: Trail = trail("SG.REVOKE.INGRESS", "revoking ingress rule of group: ", WAITING);
static DENY_OUT: Trail = trail("SG.REVOKE.EGRESS", "revoking egress rule of group: ", WAITING);
static LOGIN: Trail = trail("USER.LOGIN", "user has logged in", AT_ONCE);
static LOGOUT: Trail = trail("USER.LOGOUT", "user has logged out", AT_ONCE);
static SETTING: Trail = trail("CONFIGURATION.VALUE.EDIT", "updating configuration value", AT_ONCE);

impl Op {
    /// How it shows in events.
    pub(crate) fn trail(self) -> &'static Trail {
        match self {
            Self::MachineCreate | Self::MachineCreateStopped => &DEPLOY,
            Self::MachineStart => &START,
            Self::MachineStop => &STOP,
            Self::MachineReboot => &REBOOT,
            Self::MachineDestroy => &DESTROY,
            Self::MachineExpunge => &EXPUNGE,
            Self::VolumeCreate => &NEW_VOLUME,
            Self::VolumeAttach => &ATTACH,
            Self::VolumeDetach => &DETACH,
            Self::VolumeDelete => &DROP_VOLUME,
            Self::SnapshotCreate => &SNAPSHOT,
            Self::NetworkCreate => &NEW_NETWORK,
            Self::NetworkDelete => &DROP_NETWORK,
            Self::GroupCreate => &NEW_GROUP,
            Self::GroupDelete => &DROP_GROUP,
            Self::IngressAuthorize => &ALLOW_IN,
            Self::EgressAuthorize => &ALLOW_OUT,
            Self::IngressRevoke => &DENY_IN,
            Self::EgressRevoke => &DENY_OUT,
            Self::UserLogin => &LOGIN,
            Self::UserLogout => &LOGOUT,
            Self::ConfigurationChange => &SETTING,
        }
    }
}

/// The trails of all operations.
pub(crate) static TRAILS: [&Trail; 22] = [
    &DEPLOY,
    &START,
    &STOP,
    &REBOOT,
    &DESTROY,
    &EXPUNGE,
    &NEW_VOLUME,
    &ATTACH,
    &DETACH,
    &DROP_VOLUME,
    &SNAPSHOT,
    &NEW_NETWORK,
    &DROP_NETWORK,
    &NEW_GROUP,
    &DROP_GROUP,
    &ALLOW_IN,
    &ALLOW_OUT,
    &DENY_IN,
    &DENY_OUT,
    &LOGIN,
    &LOGOUT,
    &SETTING,
];

/// The trail of events of that type, if an operation leaves such.
pub(crate) fn trail_of(name: &str) -> Option<&'static Trail> {
    TRAILS.into_iter().find(|trail| trail.name == name)
}

/// Types that `listEventTypes` tells besides those of operations.
pub(crate) const OTHER_TYPES: [&str; 24] = [
    "ROUTER.START",
    "ROUTER.STOP",
    "VM.UPGRADE",
    "VM.MIGRATE",
    "VM.RESETPASSWORD",
    "VM.RESTORE",
    "VMSNAPSHOT.CREATE",
    "VOLUME.RESIZE",
    "VOLUME.MIGRATE",
    "SNAPSHOT.DELETE",
    "TEMPLATE.CREATE",
    "TEMPLATE.DELETE",
    "NETWORK.UPDATE",
    "NETWORK.RESTART",
    "NET.IPASSIGN",
    "NET.IPRELEASE",
    "FIREWALL.OPEN",
    "FIREWALL.CLOSE",
    "ACCOUNT.CREATE",
    "ACCOUNT.DELETE",
    "DOMAIN.CREATE",
    "USER.CREATE",
    "PROJECT.CREATE",
    "HOST.RECONNECT",
];
