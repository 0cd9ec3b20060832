//! What a scenario is given: a folder of its own, a seed, the program under test and the tools.

use std::path::PathBuf;

use crate::{folder::Folder, tools::Tools};

/// The stage of one scenario.
#[derive(Debug)]
pub struct Stage {
    /// Where its servers work and leave their logs.
    pub folder: Folder,
    /// Decides everything that is random.
    pub seed: u64,
    /// The binary under test.
    pub pluvio: PathBuf,
    /// What was installed.
    pub tools: Tools,
}

impl Stage {
    /// The same with another folder.
    pub fn with(&self, folder: Folder) -> Self {
        let Self { folder: _, seed, pluvio, tools } = self;
        Self { folder, seed: *seed, pluvio: pluvio.clone(), tools: tools.clone() }
    }
}
