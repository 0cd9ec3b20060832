//! The file that a running Pluvio was configured by, and what it says by now.
//!
//! Whoever edits a file and sends SIGHUP wants to know whether the next start would take it, and whether
//! anything of it waits for that start. It refuses to change what is running.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Problem, load_again, section_spans::header};

/// A file as it was read.
#[derive(Clone)]
pub(crate) struct Original {
    path: PathBuf,
    /// All values, secrets among them: never to be printed.
    table: Table,
}

impl Original {
    /// `text` was read from `path`, and is a configuration.
    pub(super) fn new(path: &Path, text: &str) -> Option<Self> {
        Some(Self { path: path.to_owned(), table: text.parse().ok()? })
    }

    /// Reads the file again; gives the sections in which it says something else, or what is wrong with
    /// it. Blocks.
    pub(crate) fn changed(&self) -> Result<Vec<String>, Vec<Problem>> {
        let mut configuration = load_again(&self.path)?;
        configuration.resolve()?;
        let now = configuration.original.map(|original| original.table).unwrap_or_default();
        Ok(differing(&self.table, &now))
    }
}

/// The headers of sections that are in one table only, or not the same in both; comments, blanks and the
/// order do not count.
fn differing(before: &Table, now: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (section, value) in both(before, now) {
        match value {
            (Some(Value::Table(before)), Some(Value::Table(now))) if section != "log" => {
                let of_section = both(before, now).filter(|(_, (before, now))| before != now);
                names.extend(of_section.map(|(name, _)| header(section, name)));
            }
            (before, now) if before == now => {}
            _ => names.push(format!("[{section}]")),
        }
    }
    names
}

type Pair<'t> = (&'t String, (Option<&'t Value>, Option<&'t Value>));

/// All keys of two tables with their values in each.
fn both<'t>(one: &'t Table, other: &'t Table) -> impl Iterator<Item = Pair<'t>> {
    let only_there = other.keys().filter(|key| !one.contains_key(*key));
    one.keys().chain(only_there).map(|key| (key, (one.get(key), other.get(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sections_that_mean_something_else_are_named() {
        let differ = |before: &str, now: &str| {
            let table = |text: &str| text.parse().unwrap_or_else(|e| unreachable!("{e}"));
            differing(&table(before), &table(now))
        };
        let before = "[log]\ndir = \"a\"\n[sinks.x]\ntype = \"stdout\"\n[sinks.\"y z\"]\ntype = \"stdout\"\n";
        let same =
            "# why\n[sinks]\n'y z' = { type = 'stdout' }\nx.type = 'stdout'\n[log]\ndir = 'a'\n";
        assert_eq!(differ(before, same), [""; 0]);
        let now = before.replace("\"a\"", "\"b\"").replace("\"y z\"]", "\"y z\"]\nfrom = \"44\"");
        assert_eq!(differ(before, &now), ["[log]", "[sinks.\"y z\"]"]);
        assert_eq!(differ("", "[sinks.x]\ntype = \"stdout\"\n"), ["[sinks]"]);
        assert_eq!(differ(before, "[log]\ndir = \"a\"\n"), ["[sinks]"]);
    }
}
