//! Commands that only print: `config`, `completions`, `version`.

use clap::CommandFactory as _;

use super::{Failed, print_line};
use crate::{cli::Cli, config};

/// `pluvio config`
pub(crate) fn config(schema: bool) -> Result<(), Failed> {
    let text = if schema { format!("{:#}", config::schema()) } else { config::template() };
    print_line(text.trim_end());
    Ok(())
}

/// `pluvio config --page NAME`
pub(crate) fn page(name: &str) -> Result<(), Failed> {
    let pages = config::pages();
    let Some(page) = pages.get(name) else {
        let names: Vec<_> = pages.keys().map(String::as_str).collect();
        let names = names.join(", ");
        return Err(Failed::Usage(format!("there is no page `{name}`; there are: {names}")));
    };
    print_line(page.trim_end());
    Ok(())
}

/// `pluvio config --pages`, which makes docs/reference.
pub(crate) fn pages() -> Result<(), Failed> {
    print_line(&serde_json::json!(config::pages()).to_string());
    Ok(())
}

/// `pluvio completions`
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failed> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pluvio", &mut script);
    print_line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// `pluvio version`
pub(crate) fn version() -> Result<(), Failed> {
    print_line(&format!("pluvio {}", crate::VERSION));
    Ok(())
}
