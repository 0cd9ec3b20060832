//! Values whose shape nothing but the document tells.
//!
//! A field of any type says by `xsi:type` what it holds. An element that the table does not know
//! says less: its text, its attributes, and whether it repeats. A list with one entry cannot be told
//! from a single value, and a number not from a text; so both stay what they look like.

use std::collections::HashMap;

use super::json::string;
use super::redact::is_told_in;
use super::{DataFormat, Writer};
use crate::telling::looks_secret;
use crate::vsphere::types::{self, Kind, capitalised};
use crate::vsphere::xml::Node;

impl<'t> Writer<'t, '_> {
    /// The value of a field that may hold anything.
    pub(super) fn any(&mut self, node: Node<'t>) {
        let name = node.class();
        if let Some(kind) = Kind::of_primitive(name) {
            return self.primitive(name, kind, node);
        }
        if name == "ManagedObjectReference" {
            return self.reference(node);
        }
        if let Some(class) = types::class(name) {
            return self.object(class, name, Some(node));
        }
        match name.strip_prefix("ArrayOf") {
            Some(element) if !element.is_empty() => self.array(name, element, node),
            _ => self.generic(node),
        }
    }

    /// VI JSON boxes a primitive where anything may stand.
    fn primitive(&mut self, name: &str, kind: Kind, node: Node<'t>) {
        match self.format {
            DataFormat::Govmomi => self.value(kind, node),
            DataFormat::ViJson => {
                self.out.push_str(r#"{"_typeName":"#);
                string(&mut self.out, name);
                self.out.push_str(r#","_value":"#);
                self.value(kind, node);
                self.out.push('}');
            }
        }
    }

    /// `ArrayOfInt` and its like: Go has a structure with one field, VI JSON a box.
    fn array(&mut self, name: &str, element: &str, node: Node<'t>) {
        let mut chars = element.chars();
        let lower: String =
            chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
        let kind = match element {
            "ManagedObjectReference" => Kind::Reference,
            "AnyType" => Kind::Any,
            _ => match Kind::of_primitive(&lower) {
                Some(kind) => kind,
                None => types::class(element).map_or(Kind::Unknown, Kind::Base),
            },
        };
        match self.format {
            DataFormat::Govmomi => {
                self.out.push('{');
                string(&mut self.out, element);
                self.out.push(':');
                if node.is_leaf() {
                    self.out.push_str("null");
                }
            }
            DataFormat::ViJson => {
                self.out.push_str(r#"{"_typeName":"#);
                string(&mut self.out, name);
                self.out.push_str(r#","_value":"#);
            }
        }
        if !node.is_leaf() || self.format == DataFormat::ViJson {
            let mut comma = false;
            self.out.push('[');
            for child in node.children() {
                self.comma(&mut comma);
                self.value(kind, child);
            }
            self.out.push(']');
        }
        self.out.push('}');
    }

    /// An element by its looks.
    pub(super) fn generic(&mut self, node: Node<'t>) {
        let name = node.class();
        if node.is_leaf() {
            return match Kind::of_primitive(name) {
                Some(kind) => self.primitive(name, kind, node),
                None if !node.kind().is_empty() => self.reference(node),
                None if name.is_empty() || !node.is_empty() => self.text(node),
                None => self.named(node, name),
            };
        }
        self.named(node, name);
    }

    fn named(&mut self, node: Node<'t>, name: &str) {
        self.out.push('{');
        if !name.is_empty() {
            self.out.push_str(r#""_typeName":"#);
            string(&mut self.out, name);
        }
        let pair_is_secret = self.pair_is_secret(node);
        self.members(node.children(), pair_is_secret, !name.is_empty());
        self.out.push('}');
    }

    /// Elements as members of an object that is open; those of one name become an array.
    pub(super) fn members(
        &mut self,
        nodes: impl Iterator<Item = Node<'t>>,
        pair_is_secret: bool,
        mut comma: bool,
    ) {
        let mut groups: Vec<(&'t str, Vec<Node<'t>>)> = Vec::new();
        let mut places: HashMap<&'t str, usize> = HashMap::new();
        for node in nodes {
            let at = *places.entry(node.name()).or_insert(groups.len());
            match groups.get_mut(at) {
                Some((_, group)) => group.push(node),
                None => groups.push((node.name(), vec![node])),
            }
        }
        for (name, group) in groups {
            self.comma(&mut comma);
            match self.format {
                DataFormat::Govmomi => string(&mut self.out, &capitalised(name)),
                DataFormat::ViJson => string(&mut self.out, name),
            }
            self.out.push(':');
            let secret = looks_secret(name)
                || (pair_is_secret && is_told_in(name))
                || self.redaction.names(&self.path, name);
            if secret && group.iter().any(|node| !node.is_empty()) {
                self.redact();
                continue;
            }
            self.path.push(name);
            self.group(&group);
            self.path.pop();
        }
    }

    fn group(&mut self, group: &[Node<'t>]) {
        if let [one] = group {
            return self.generic(*one);
        }
        let mut comma = false;
        self.out.push('[');
        for node in group {
            self.comma(&mut comma);
            self.generic(*node);
        }
        self.out.push(']');
    }
}
