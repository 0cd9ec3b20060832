//! The list of attributes against what the code writes, and against what the documentation tells.

use std::{collections::BTreeSet, fs, path::Path};

use pluvio_event::known::EXTENSIONS;

/// Names in `AttributeName::literal("…")` of every crate's sources, tests left out.
fn written(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<&str> = code.lines().filter(|line| !line.contains("///")).collect();
            let code = code.join(" ");
            for rest in code.split("AttributeName::literal(").skip(1) {
                let name =
                    rest.trim_start().strip_prefix('"').and_then(|name| name.split('"').next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
}

/// Attributes that no line names, because they are put on an event as it is handed out.
const OF_THE_LOG: [&str; 2] = ["recordedtime", "sequence"];

#[test]
fn filters_know_every_attribute_that_the_code_writes_and_no_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(crates).unwrap() {
        let sources = entry.unwrap().path().join("src");
        if sources.is_dir() {
            written(&sources, &mut names);
        }
    }
    assert!(names.contains("severitynumber") && names.contains("pluvioreason"), "{names:?}");
    let unknown: Vec<_> =
        names.iter().filter(|name| !EXTENSIONS.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "missing in known::EXTENSIONS: {unknown:?}");
    let never: Vec<_> = EXTENSIONS.iter().filter(|name| !names.contains(**name)).collect();
    assert!(never.iter().all(|name| OF_THE_LOG.contains(name)), "nothing writes one of {never:?}");
    assert!(EXTENSIONS.is_sorted());
}

#[test]
fn every_attribute_is_told_in_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/events.md")).unwrap();
    let missing: Vec<_> =
        EXTENSIONS.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/events.md lacks {missing:?}");
}
