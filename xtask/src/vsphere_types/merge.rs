//! Two versions of the declarations become one table.
//!
//! The older version rules: its fields keep their order, kind and shape, because its JSON is the
//! one to equal byte for byte. A field which only the newer version has is placed behind the field
//! it follows there and marked: it is printed only when an event carries it.
//!
//! Kept are the classes that an event can contain: every descendant of `Event`, and from there what
//! a field names, with all descendants where a field takes a base class. A field of any type can
//! in principle hold anything; what tasks and arguments do hold there are primitives, references
//! and arrays of them, which need no entry, and the classes kept for other reasons. Anything else
//! decodes generically.

use std::collections::{BTreeMap, BTreeSet};

use super::go::{Field, Kind, Model, Struct};

/// The class that all events derive from.
const ROOT: &str = "Event";

/// One class of the table.
#[derive(Debug)]
pub(super) struct Class {
    /// The class it derives from.
    pub(super) base: Option<String>,
    /// Its own fields; `true` marks one that only the newer version has.
    pub(super) fields: Vec<(Field, bool)>,
    /// Whether only the newer version has it.
    pub(super) newer: bool,
}

/// The merged classes that events can contain, by name.
pub(super) fn merge(older: &Model, newer: &Model) -> BTreeMap<String, Class> {
    let names: BTreeSet<&String> = older.structs.keys().chain(newer.structs.keys()).collect();
    let all: BTreeMap<String, Class> = names
        .into_iter()
        .filter_map(|name| {
            let class = merge_class(older.structs.get(name), newer.structs.get(name))?;
            Some((name.clone(), class))
        })
        .collect();
    let kept = reachable(&all);
    all.into_iter().filter(|(name, _)| kept.contains(name)).collect()
}

fn merge_class(older: Option<&Struct>, newer: Option<&Struct>) -> Option<Class> {
    let Some(older) = older else {
        let Struct { base, fields } = newer?.clone();
        let fields = fields.into_iter().map(|field| (field, false)).collect();
        return Some(Class { base, fields, newer: true });
    };
    let mut fields: Vec<(Field, bool)> =
        older.fields.iter().map(|field| (field.clone(), false)).collect();
    let mut at = 0;
    for field in newer.map(|newer| newer.fields.as_slice()).unwrap_or_default() {
        match fields.iter().position(|(known, _)| known.xml == field.xml) {
            Some(known) => at = known + 1,
            None => {
                fields.insert(at, (field.clone(), true));
                at += 1;
            }
        }
    }
    Some(Class { base: older.base.clone(), fields, newer: false })
}

fn reachable(all: &BTreeMap<String, Class>) -> BTreeSet<String> {
    let mut derived: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, class) in all {
        if let Some(base) = &class.base {
            derived.entry(base).or_default().push(name);
        }
    }
    let mut kept = BTreeSet::new();
    // Each entry: a class, and whether its descendants come along.
    let mut open = vec![(ROOT, true)];
    let mut opened = BTreeSet::new();
    while let Some((name, with_derived)) = open.pop() {
        if !opened.insert((name, with_derived)) {
            continue;
        }
        let Some(class) = all.get(name) else { continue };
        if kept.insert(name.to_owned()) {
            open.extend(class.base.as_deref().map(|base| (base, false)));
            open.extend(class.fields.iter().filter_map(|(field, _)| match &field.kind {
                Kind::Primitive(_) => None,
                Kind::Class(name) => Some((name.as_str(), false)),
                Kind::Base(name) => Some((name.as_str(), true)),
            }));
        }
        if with_derived {
            open.extend(derived.get(name).into_iter().flatten().map(|name| (*name, true)));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::go::Shape;
    use super::*;

    fn class(base: Option<&str>, fields: &[(&str, Kind)]) -> Struct {
        let field = |(name, kind): &(&str, Kind)| Field {
            go: (*name).to_owned(),
            xml: (*name).to_owned(),
            kind: kind.clone(),
            shape: Shape::One,
        };
        Struct { base: base.map(str::to_owned), fields: fields.iter().map(field).collect() }
    }

    fn model(structs: &[(&str, Struct)]) -> Model {
        let mut model = Model::default();
        model
            .structs
            .extend(structs.iter().map(|(name, class)| ((*name).to_owned(), class.clone())));
        model
    }

    #[test]
    fn a_later_field_is_marked_and_stands_behind_the_one_it_follows() {
        let text = Kind::Primitive('s');
        let (a, b, c) = (("a", text.clone()), ("b", text.clone()), ("c", text));
        let older = model(&[("Event", class(None, &[a.clone(), c.clone()]))]);
        let newer = model(&[("Event", class(None, &[a, b, c]))]);
        let merged = merge(&older, &newer);
        let fields: Vec<_> = merged["Event"]
            .fields
            .iter()
            .map(|(field, newer)| (field.xml.as_str(), *newer))
            .collect();
        assert_eq!(fields, [("a", false), ("b", true), ("c", false)]);
    }

    #[test]
    fn what_an_event_can_contain_is_kept_and_nothing_else() {
        let older = model(&[
            ("Event", class(None, &[])),
            ("VmEvent", class(Some("Event"), &[("spec", Kind::Base("Spec".to_owned()))])),
            ("Spec", class(None, &[("one", Kind::Class("Part".to_owned()))])),
            ("DeepSpec", class(Some("Spec"), &[])),
            ("Part", class(None, &[])),
            ("DeepPart", class(Some("Part"), &[])),
            ("Stranger", class(None, &[])),
        ]);
        let names: Vec<String> = merge(&older, &Model::default()).into_keys().collect();
        assert_eq!(names, ["DeepSpec", "Event", "Part", "Spec", "VmEvent"]);
    }
}
