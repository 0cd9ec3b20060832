//! Reads the type declarations of govmomi's `vim25/types`.
//!
//! The files are written by a generator, so their shape is regular: one field per line, each with
//! a tag. A parser of Go would be a large dependency for four kinds of lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};

/// The declarations of one version.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// All structs by name.
    pub(super) structs: BTreeMap<String, Struct>,
    /// Named strings: the enumerations.
    enums: BTreeSet<String>,
}

/// One struct.
#[derive(Debug, Default, Clone)]
pub(super) struct Struct {
    /// The embedded struct, if any: the base class.
    pub(super) base: Option<String>,
    /// Its own fields, in order.
    pub(super) fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The Go name: the key in the JSON of old versions.
    pub(super) go: String,
    /// The element's name.
    pub(super) xml: String,
    /// What it holds.
    pub(super) kind: Kind,
    /// How often.
    pub(super) shape: Shape,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A primitive, as the letter that the table uses.
    Primitive(char),
    /// Exactly this class.
    Class(String),
    /// This class or one that derives from it, told by `xsi:type`.
    Base(String),
}

/// How often a field's value occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Once; a zero value stands for none.
    One,
    /// Once or absent.
    Optional,
    /// Any number of times.
    Many,
}

impl Model {
    /// Reads all declarations under a module's folder.
    pub(super) fn read(module: &Path) -> anyhow::Result<Model> {
        let folder = module.join("vim25/types");
        let mut model = Model::default();
        for file in ["types.go", "unreleased.go", "enum.go"] {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("failed to read `{}`", path.display()))?;
            model.read_file(&text).with_context(|| format!("in `{}`", path.display()))?;
        }
        let enums = std::mem::take(&mut model.enums);
        for declared in model.structs.values_mut() {
            for field in &mut declared.fields {
                let named = matches!(&field.kind, Kind::Class(name) if enums.contains(name));
                if named {
                    field.kind = Kind::Primitive('s');
                }
            }
        }
        Ok(model)
    }

    fn read_file(&mut self, text: &str) -> anyhow::Result<()> {
        let mut open: Option<(String, Struct)> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            match &mut open {
                None => open = self.outside(line),
                Some(_) if line == "}" => {
                    self.structs.extend(open.take());
                }
                Some((_, declared)) => inside(declared, line)
                    .with_context(|| format!("line {}: `{line}`", number + 1))?,
            }
        }
        Ok(())
    }

    /// A line outside of a struct: the only ones of interest open one or name a string.
    fn outside(&mut self, line: &str) -> Option<(String, Struct)> {
        let mut words = line.strip_prefix("type ")?.split_whitespace();
        let name = words.next()?.to_owned();
        match words.next()? {
            "string" => {
                self.enums.insert(name);
                None
            }
            "struct" if words.next() == Some("{") => Some((name, Struct::default())),
            _ => None,
        }
    }
}

/// A line inside of a struct: nothing, a comment, an embedded struct, or a field with its tag.
fn inside(declared: &mut Struct, line: &str) -> anyhow::Result<()> {
    if line.is_empty() || line.starts_with("//") {
        return Ok(());
    }
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let Some(kind) = words.next() else {
        if declared.base.replace(name).is_some() {
            bail!("two embedded structs");
        }
        return Ok(());
    };
    let tag = line.split_once("xml:\"").and_then(|(_, rest)| rest.split_once('"'));
    let Some((tag, _)) = tag else { bail!("a field without an xml tag") };
    let mut options = tag.split(',');
    let xml = options.next().unwrap_or_default().to_owned();
    // Attributes and text: only the managed object reference has them, and it is built in.
    if xml.is_empty() || options.any(|option| option == "attr") {
        return Ok(());
    }
    let (kind, shape) = kind_of(kind)?;
    declared.fields.push(Field { go: name, xml, kind, shape });
    Ok(())
}

fn kind_of(text: &str) -> anyhow::Result<(Kind, Shape)> {
    let (name, shape) = match text.strip_prefix("[]").filter(|_| text != "[]byte") {
        Some(rest) => (rest, Shape::Many),
        None => match text.strip_prefix('*') {
            Some(rest) => (rest, Shape::Optional),
            None => (text, Shape::One),
        },
    };
    let letter = match name {
        "string" => 's',
        "bool" => 'b',
        "int16" | "int32" | "int64" => 'i',
        "byte" => 'i',
        "[]byte" | "ByteSlice" => 'y',
        "float32" => 'f',
        "float64" => 'd',
        "time.Time" => 't',
        "AnyType" => 'a',
        "url.URL" | "xml.Name" => 's',
        _ => match name.strip_prefix("Base") {
            Some(base) if base.starts_with(char::is_uppercase) => {
                return Ok((Kind::Base(base.to_owned()), shape));
            }
            _ if name.starts_with(char::is_uppercase) => {
                return Ok((Kind::Class(name.to_owned()), shape));
            }
            _ => bail!("unknown type `{name}`"),
        },
    };
    Ok((Kind::Primitive(letter), shape))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_declaration_becomes_facts() {
        let mut model = Model::default();
        let text = "type Shape string\n\ntype B struct {\n\tA\n\n\t// words\n\tLast []BaseC `xml:\"last,omitempty,typeattr\" json:\"last\"`\n\tAt *time.Time `xml:\"at\"`\n}\n";
        model.read_file(text).unwrap();
        let declared = &model.structs["B"];
        assert_eq!(declared.base.as_deref(), Some("A"));
        assert_eq!(declared.fields[0].kind, Kind::Base("C".into()));
        assert_eq!(declared.fields[0].shape, Shape::Many);
        assert_eq!(declared.fields[1].kind, Kind::Primitive('t'));
        assert_eq!(declared.fields[1].shape, Shape::Optional);
        assert!(model.enums.contains("Shape"));
    }

    #[test]
    fn an_unknown_line_is_refused() {
        let mut model = Model::default();
        assert!(model.read_file("type B struct {\n\tA chan int `xml:\"a\"`\n}\n").is_err());
    }
}
