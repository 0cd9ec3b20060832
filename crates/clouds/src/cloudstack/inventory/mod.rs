//! What there is: machines, volumes, accounts, users, zones, as far as totals and names need them.
//!
//! These records are short on purpose: they are counted and looked up, never passed on.

mod account;
mod machine;
mod user;
mod volume;
mod zone;

pub use self::account::{Account, AccountQuery};
pub use self::machine::{VirtualMachine, VirtualMachineQuery};
pub use self::user::{User, UserQuery};
pub use self::volume::{Volume, VolumeQuery};
pub use self::zone::{Zone, ZoneQuery};
use super::answer::Fields;

/// Whose a thing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The account's name.
    pub account: Option<String>,
    /// The domain's id.
    pub domain_id: Option<String>,
    /// The domain's name.
    pub domain: Option<String>,
    /// The project's id, instead of an account.
    pub project_id: Option<String>,
}

impl Owner {
    fn of(fields: &Fields<'_>) -> Owner {
        Owner {
            account: fields.text("account"),
            domain_id: fields.text("domainid"),
            domain: fields.text("domain"),
            project_id: fields.text("projectid"),
        }
    }
}
