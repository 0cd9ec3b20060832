//! The filters that the documentation shows: none is refused.

use std::{collections::BTreeSet, fs, path::Path};

use pluvio_event::Filter;

fn texts(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_text = path.extension().is_some_and(|e| e == "md" || e == "toml");
        if path.is_dir() {
            texts(&path, into);
        } else if is_text {
            into.push(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_filter_that_the_documentation_shows_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut all = vec![fs::read_to_string(root.join("README.md")).unwrap()];
    texts(&root.join("docs"), &mut all);
    let mut filters = BTreeSet::new();
    for text in &all {
        for mark in ["filter = '", "--filter '"] {
            let found = text.split(mark).skip(1).filter_map(|rest| rest.split('\'').next());
            filters.extend(found.map(str::to_owned));
        }
    }
    assert!(filters.len() >= 3, "{filters:?}");
    for cel in filters {
        let filter = Filter::default().and_expression(&cel);
        assert!(filter.is_ok(), "{cel}: {:?}", filter.err());
    }
}
