//! A disk that fails as told, the same way for the same seed.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {}

/// A disk in memory.
#[derive(Debug)]
pub struct SimulatedDisk;
