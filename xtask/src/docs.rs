//! Pages that are made from the code: the default configuration and its schema.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context as _, bail};

use crate::root;

/// Generated files and the command lines of `pluvio` that print them.
const PAGES: [(&str, &[&str]); 2] =
    [("docs/pluvio.toml", &["config"]), ("docs/pluvio.schema.json", &["config", "--schema"])];

/// Where a page for each component lies, and a list of them.
const REFERENCE: &str = "docs/reference";

/// Writes them all; what is no page any more goes.
pub(crate) fn write() -> anyhow::Result<()> {
    let pages = pages()?;
    let folder = root().join(REFERENCE);
    let told = || format!("failed to write `{}`", folder.display());
    std::fs::create_dir_all(&folder).with_context(told)?;
    for entry in std::fs::read_dir(&folder).with_context(told)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !pages.contains_key(&format!("{REFERENCE}/{name}")) {
            std::fs::remove_file(folder.join(name)).with_context(told)?;
        }
    }
    for (path, text) in pages {
        let path = root().join(path);
        std::fs::write(&path, text)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    Ok(())
}

/// Those that differ from what would be written.
pub(crate) fn stale() -> anyhow::Result<Vec<String>> {
    let mut stale = Vec::new();
    for (path, text) in pages()? {
        let stands = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        if stands != text {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Path and text of each.
fn pages() -> anyhow::Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for (path, args) in PAGES {
        pages.insert(path.to_owned(), printed(args)?);
    }
    let components: BTreeMap<String, String> =
        serde_json::from_str(&printed(&["config", "--pages"])?).context("no pages were printed")?;
    let mut list = "# Every source, sink and listener\n\n\
        Made from the code by `cargo xtask docs`; `pluvio config --page NAME` prints the same.\n\n"
        .to_owned();
    for (name, text) in components {
        let summary = text.lines().nth(2).unwrap_or_default();
        list.push_str(&format!("- [{name}]({name}.md): {summary}\n"));
        pages.insert(format!("{REFERENCE}/{name}.md"), text);
    }
    pages.insert(format!("{REFERENCE}/README.md"), list);
    Ok(pages)
}

fn printed(args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "pluvio", "--"])
        .args(args)
        .current_dir(root())
        .output()
        .context("failed to run pluvio")?;
    if !output.status.success() {
        bail!("pluvio failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("pluvio printed what is no text")
}
