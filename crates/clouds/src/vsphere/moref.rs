//! The name of an object in a vCenter.

use std::fmt;

/// A managed object reference: what kind of object, and its id in this vCenter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MoRef {
    /// The kind, such as `VirtualMachine`.
    pub kind: String,
    /// The id, such as `vm-57`; unique in one vCenter.
    pub value: String,
}

impl MoRef {
    /// A reference of two texts.
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> MoRef {
        MoRef { kind: kind.into(), value: value.into() }
    }
}

/// `VirtualMachine/vm-57`, as a CloudEvent's `subject` has it.
impl fmt::Display for MoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.value)
    }
}
