//! Structures put together from their leaves: whoever asks for `runtime.powerState` and whoever asks for
//! `runtime` is told the same.
//!
//! Leaves come in the order of the schema, which is that of the structures' members.

use super::property::Property;
use crate::vcenter::xml::{close, open};

/// A value somewhere in an object: its path, and what lies there.
pub(super) type Leaf = (&'static str, Property);

/// The value at `path`: a leaf, or a structure of those below it, whose class is in `classes`.
pub(super) fn value(
    leaves: &[Leaf],
    classes: &[(&str, &'static str)],
    path: &str,
) -> Option<Property> {
    if let Some((_, value)) = leaves.iter().find(|(known, _)| *known == path) {
        return Some(value.clone());
    }
    let (_, class) = classes.iter().find(|(known, _)| *known == path)?;
    let content = content(leaves, &format!("{path}."));
    (!content.is_empty()).then_some(Property::Structure(class, content))
}

/// The members below a path that ends with a full stop.
fn content(leaves: &[Leaf], prefix: &str) -> String {
    let (mut out, mut done) = (String::new(), Vec::new());
    for (path, value) in leaves {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        let name = rest.split('.').next().unwrap_or_default();
        if name == rest {
            value.write_member(&mut out, name);
        } else if !done.contains(&name) {
            done.push(name);
            open(&mut out, name);
            out.push_str(&content(leaves, &format!("{prefix}{name}.")));
            close(&mut out, name);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_holds_what_its_leaves_say_in_their_order() {
        let leaves = [
            ("a.x", Property::int(1)),
            ("a.b.y", Property::text("<")),
            ("a.b.z", Property::flag(true)),
            ("a.c", Property::Strings(vec!["p".into(), "q".into()])),
        ];
        let classes = [("a", "A"), ("a.b", "B"), ("d", "D")];
        let structure = "<x>1</x><b><y>&lt;</y><z>true</z></b><c>p</c><c>q</c>";
        let of = |path| value(&leaves, &classes, path);
        assert_eq!(of("a"), Some(Property::Structure("A", structure.to_owned())));
        assert_eq!(of("a.b.y"), Some(Property::text("<")));
        assert_eq!((of("d"), of("a.q")), (None, None));
    }
}
