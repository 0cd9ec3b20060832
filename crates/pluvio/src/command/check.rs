//! `pluvio check`: is the configuration right, and do the clouds answer?

use std::path::Path;

use super::{Failed, block_on, print_line};
use crate::{cli::Check, config};

/// Checks the file, or the environment where there is none.
pub(crate) fn check(path: &Path, options: &Check) -> Result<(), Failed> {
    let mut configuration = if config::environment_is_configured() && !path.exists() {
        config::from_environment()?
    } else {
        config::load(path)?
    };
    let (access, sources) = (configuration.access(), configuration.sources());
    let sources = match (access, sources) {
        (Ok(_), Ok(sources)) => sources,
        (access, sources) => {
            let problems = access.err().into_iter().chain(sources.err()).flatten();
            return Err(Failed::Configuration(problems.collect()));
        }
    };
    if !options.connect {
        print_line(&format!("configuration is valid: {} sources", sources.len()));
        return Ok(());
    }
    block_on(async {
        let mut failed = 0;
        for source in sources {
            match (source.built.probe)().await {
                Ok(found) => {
                    print_line(&format!("{}: {found}", source.name));
                }
                Err(error) => {
                    failed += 1;
                    let remedy = error.remedy.map(|remedy| format!("\n  {remedy}"));
                    let remedy = remedy.unwrap_or_default();
                    print_line(&format!("{}: {}{remedy}", source.name, error.message));
                }
            }
        }
        if failed > 0 {
            return Err(anyhow::anyhow!("{failed} of the sources cannot be read").into());
        }
        Ok(())
    })
}
