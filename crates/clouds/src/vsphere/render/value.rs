//! Objects and values whose shape the type table knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::changes::redact_changes;
use super::go;
use super::json::string;
use super::redact::{PROPERTY, REDACTED, is_told_in};
use super::{DataFormat, FLAWS_MAX, Writer};
use crate::telling::looks_secret;
use crate::vsphere::pair::tells;
use crate::vsphere::types::{self, Class, Field, Kind, Shape};
use crate::vsphere::xml::{Node, TEXT_BYTES_MAX};

impl<'t> Writer<'t, '_> {
    /// An object of a class; without an element, the zero value of that class.
    pub(super) fn object(&mut self, class: &'static Class, name: &str, node: Option<Node<'t>>) {
        self.out.push('{');
        let mut comma = self.type_name(name);
        let fields = class.fields();
        let base = self.slots.len();
        self.slots.resize(base + fields.len(), None);
        let unknown = node.is_some_and(|node| self.sort(fields, base, node));
        let is_untyped = |node: Node<'t>| {
            class.name == PROPERTY && node.child_text("type").is_none_or(|kind| kind.is_empty())
        };
        let pair_is_secret = class.is_pair()
            && node.is_some_and(|node| is_untyped(node) || self.pair_is_secret(node));
        for (at, field) in fields.iter().enumerate() {
            let node = self.slots[base + at];
            if node.is_none() && (field.newer || self.format == DataFormat::ViJson) {
                continue;
            }
            self.comma(&mut comma);
            self.out.push_str(match self.format {
                DataFormat::Govmomi => &field.pascal_key,
                DataFormat::ViJson => &field.camel_key,
            });
            let secret = field.secret
                || (pair_is_secret && is_told_in(field.name))
                || self.redaction.names(&self.path, field.name);
            match node {
                Some(node) if secret && !node.is_empty() => self.redact(),
                Some(node) => self.field(field, node),
                None => self.zero(field),
            }
        }
        self.slots.truncate(base);
        if let (true, Some(node)) = (unknown, node) {
            let known = |name: &str| fields.iter().any(|field| field.name == name);
            let left = node.children().filter(|child| !known(child.name()));
            self.members(left, pair_is_secret, comma);
        }
        self.out.push('}');
    }

    /// Puts each child into the slot of its field; tells whether some have none.
    fn sort(&mut self, fields: &[Field], base: usize, node: Node<'t>) -> bool {
        let (mut unknown, mut hint) = (false, 0);
        for child in node.children() {
            let name = child.name();
            let after = fields[hint..].iter().position(|field| field.name == name);
            let found = match after {
                Some(after) => Some(hint + after),
                None => fields[..hint].iter().position(|field| field.name == name),
            };
            let Some(at) = found else {
                unknown = true;
                continue;
            };
            hint = at;
            // Of a list the first is kept, it leads to the others; else the last one counts.
            let slot = &mut self.slots[base + at];
            if slot.is_none() || fields[at].shape != Shape::Many {
                *slot = Some(child);
            }
        }
        unknown
    }

    fn field(&mut self, field: &'static Field, node: Node<'t>) {
        self.path.push(field.name);
        match field.shape {
            Shape::Many => {
                let mut comma = false;
                self.out.push('[');
                for node in node.and_following().filter(|node| node.name() == field.name) {
                    self.comma(&mut comma);
                    self.value(field.kind, node);
                }
                self.out.push(']');
            }
            Shape::One | Shape::Optional => self.value(field.kind, node),
        }
        self.path.pop();
    }

    /// One present value.
    pub(super) fn value(&mut self, kind: Kind, node: Node<'t>) {
        match kind {
            Kind::String => self.text(node),
            Kind::Bool => match go::boolean(&node.text()) {
                Some(value) => self.out.push_str(if value { "true" } else { "false" }),
                None => self.flaw(node, "is no boolean"),
            },
            Kind::Int => match go::int(&node.text()) {
                Some(number) => self.out.push_str(&number),
                None => self.flaw(node, "is no whole number"),
            },
            Kind::Float => self.number(node, go::float(&node.text())),
            Kind::Double => self.number(node, go::double(&node.text())),
            Kind::Time => self.time(node),
            Kind::Bytes => match self.format {
                // Go takes the characters for the bytes and encodes those.
                DataFormat::Govmomi => {
                    self.out.push('"');
                    STANDARD.encode_string(node.text().as_bytes(), &mut self.out);
                    self.out.push('"');
                }
                DataFormat::ViJson => self.text(node),
            },
            Kind::Any => self.any(node),
            Kind::Reference => self.reference(node),
            Kind::Class(class) => self.object(class, class.name, Some(node)),
            Kind::Base(base) => match node.class() {
                "" => self.object(base, base.name, Some(node)),
                name => match types::class(name) {
                    Some(class) => self.object(class, name, Some(node)),
                    None => self.generic(node),
                },
            },
            Kind::Unknown => self.generic(node),
        }
    }

    /// What Go prints for a field that was never set.
    fn zero(&mut self, field: &'static Field) {
        let absent = match (field.shape, field.kind) {
            (Shape::Optional | Shape::Many, _) => "null",
            (Shape::One, Kind::String) => "\"\"",
            (Shape::One, Kind::Bool) => "false",
            (Shape::One, Kind::Int | Kind::Float | Kind::Double) => "0",
            (Shape::One, Kind::Reference) => r#"{"Type":"","Value":""}"#,
            (Shape::One, Kind::Class(class)) => return self.object(class, class.name, None),
            (Shape::One, Kind::Time) => {
                self.out.push('"');
                self.out.push_str(go::ZERO_TIME);
                "\""
            }
            (Shape::One, Kind::Any | Kind::Bytes | Kind::Base(_) | Kind::Unknown) => "null",
        };
        self.out.push_str(absent);
    }

    pub(super) fn text(&mut self, node: Node<'t>) {
        if node.is_cut() {
            self.note(node.name(), &format!("was cut at {TEXT_BYTES_MAX} bytes"));
        }
        let text = node.text();
        match redact_changes(&text, self.redaction) {
            Some((text, count)) => {
                self.redacted += count;
                string(&mut self.out, &text);
            }
            None => string(&mut self.out, &text),
        }
    }

    fn time(&mut self, node: Node<'t>) {
        match self.format {
            DataFormat::ViJson => self.text(node),
            DataFormat::Govmomi => match go::time(&node.text()) {
                Some(time) => {
                    self.out.push('"');
                    self.out.push_str(&time);
                    self.out.push('"');
                }
                None => self.flaw(node, "is no time"),
            },
        }
    }

    fn number(&mut self, node: Node<'t>, printed: Option<String>) {
        match printed {
            Some(printed) => self.out.push_str(&printed),
            None => self.flaw(node, "is no number"),
        }
    }

    pub(super) fn reference(&mut self, node: Node<'t>) {
        let (kind, value) = match self.format {
            DataFormat::Govmomi => (r#"{"Type":"#, r#","Value":"#),
            DataFormat::ViJson => {
                (r#"{"_typeName":"ManagedObjectReference","type":"#, r#","value":"#)
            }
        };
        self.out.push_str(kind);
        string(&mut self.out, node.kind());
        self.out.push_str(value);
        string(&mut self.out, &node.text());
        self.out.push('}');
    }

    /// Whether a field of the element says that what stands beside it is secret.
    pub(super) fn pair_is_secret(&self, node: Node<'t>) -> bool {
        let is_secret = |name: &str| looks_secret(name) || self.redaction.names(&self.path, name);
        node.children().any(|child| tells(child.name()) && is_secret(&child.text()))
    }

    pub(super) fn redact(&mut self) {
        self.redacted += 1;
        string(&mut self.out, REDACTED);
    }

    /// VI JSON names every object's class first; tells whether it wrote something.
    fn type_name(&mut self, name: &str) -> bool {
        if self.format == DataFormat::Govmomi {
            return false;
        }
        self.out.push_str(r#""_typeName":"#);
        string(&mut self.out, name);
        true
    }

    pub(super) fn comma(&mut self, needed: &mut bool) {
        if std::mem::replace(needed, true) {
            self.out.push(',');
        }
    }

    /// A value that is not what its field promises: kept as text, and said so.
    fn flaw(&mut self, node: Node<'t>, what: &str) {
        self.note(node.name(), what);
        string(&mut self.out, &node.text());
    }

    fn note(&mut self, name: &str, what: &str) {
        if self.flaws.len() == FLAWS_MAX {
            return;
        }
        let mut path: Vec<&str> = self.path.clone();
        if path.last() != Some(&name) {
            path.push(name);
        }
        self.flaws.push(format!("`{}` {what}", path.join(".")));
    }
}
