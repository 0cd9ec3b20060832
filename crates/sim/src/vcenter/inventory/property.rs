//! The value of a property, and the two ways in which it is sent: as `<val>` by a property collector, and
//! as `<returnval>` by `Fetch`, where each element of an array is one.

use crate::vcenter::moref::MoRef;
use crate::vcenter::xml::{close, escape, leaf, open};

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Property {
    /// A simple value: its type with prefix, and its text.
    Plain(&'static str, String),
    /// A reference.
    Object(MoRef),
    /// An array of references.
    Objects(Vec<MoRef>),
    /// An array of strings.
    Strings(Vec<String>),
    /// A structure: its class, and its content as XML.
    Structure(&'static str, String),
    /// An array of structures of a class: each all but the name of its element, ` xsi:type="Class">…`.
    Array(&'static str, Vec<String>),
    /// A value that brings its type along: everything after the name of its element.
    Verbatim(String),
}

impl Property {
    pub(crate) fn text(value: &str) -> Self {
        Self::Plain("xsd:string", value.to_owned())
    }

    pub(crate) fn int(value: impl Into<i64>) -> Self {
        Self::Plain("xsd:int", value.into().to_string())
    }

    pub(crate) fn long(value: u64) -> Self {
        Self::Plain("xsd:long", value.to_string())
    }

    pub(crate) fn flag(value: bool) -> Self {
        Self::Plain("xsd:boolean", value.to_string())
    }

    /// An array of structures of exactly that class, each given by its content.
    pub(crate) fn array(class: &'static str, contents: impl IntoIterator<Item = String>) -> Self {
        let typed = |content| format!(" xsi:type=\"{class}\">{content}");
        Self::Array(class, contents.into_iter().map(typed).collect())
    }

    /// The objects that the value leads to.
    pub(crate) fn into_objects(self) -> Vec<MoRef> {
        match self {
            Self::Object(object) => vec![object],
            Self::Objects(objects) => objects,
            _ => Vec::new(),
        }
    }

    /// Appends `<val xsi:type="…">…</val>`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Objects(objects) => {
                out.push_str("<val xsi:type=\"ArrayOfManagedObjectReference\">");
                for object in objects {
                    object.write(out, "ManagedObjectReference");
                }
                out.push_str("</val>");
            }
            Self::Strings(strings) => {
                out.push_str("<val xsi:type=\"ArrayOfString\">");
                for string in strings {
                    Self::text(string).write_one(out, "string");
                }
                out.push_str("</val>");
            }
            Self::Array(class, elements) => {
                out.push_str(&format!("<val xsi:type=\"ArrayOf{class}\">"));
                for element in elements {
                    Self::Verbatim(element.clone()).write_one(out, class);
                }
                out.push_str("</val>");
            }
            one => one.write_one(out, "val"),
        }
    }

    /// Appends what `Fetch` returns: an element for the value, or one for each of an array.
    pub(crate) fn write_returned(&self, out: &mut String) {
        const NAME: &str = "returnval";
        match self {
            Self::Objects(objects) => {
                for object in objects {
                    Self::Object(object.clone()).write_one(out, NAME);
                }
            }
            Self::Strings(strings) => {
                strings.iter().for_each(|string| Self::text(string).write_one(out, NAME));
            }
            Self::Array(_, elements) => {
                for element in elements {
                    Self::Verbatim(element.clone()).write_one(out, NAME);
                }
            }
            one => one.write_one(out, NAME),
        }
    }

    /// Appends the value as a member of a structure, whose type the schema knows.
    pub(crate) fn write_member(&self, out: &mut String, name: &str) {
        match self {
            Self::Plain(_, text) => leaf(out, name, text),
            Self::Object(object) => object.write(out, name),
            Self::Objects(objects) => objects.iter().for_each(|object| object.write(out, name)),
            Self::Strings(strings) => strings.iter().for_each(|string| leaf(out, name, string)),
            Self::Structure(_, content) => {
                open(out, name);
                out.push_str(content);
                close(out, name);
            }
            Self::Array(_, elements) => {
                for element in elements {
                    Self::Verbatim(element.clone()).write_one(out, name);
                }
            }
            Self::Verbatim(_) => self.write_one(out, name),
        }
    }

    /// Appends a value that is no array, with its type.
    fn write_one(&self, out: &mut String, name: &str) {
        match self {
            Self::Plain(class, text) => {
                out.push_str(&format!("<{name} xsi:type=\"{class}\">{}", escape(text)));
            }
            Self::Object(object) => out.push_str(&format!(
                "<{name} type=\"{}\" xsi:type=\"ManagedObjectReference\">{}",
                object.kind,
                escape(&object.value)
            )),
            Self::Structure(class, content) => {
                out.push_str(&format!("<{name} xsi:type=\"{class}\">{content}"));
            }
            Self::Verbatim(text) => {
                out.push('<');
                out.push_str(name);
                out.push_str(text);
            }
            Self::Objects(_) | Self::Strings(_) | Self::Array(..) => return,
        }
        close(out, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_one_value_of_a_collector_and_several_of_fetch() {
        let array = Property::array("OptionValue", ["<key>a</key>".into(), "<key>b</key>".into()]);
        let (mut value, mut returned) = (String::new(), String::new());
        array.write(&mut value);
        array.write_returned(&mut returned);
        assert_eq!(
            value,
            "<val xsi:type=\"ArrayOfOptionValue\">\
             <OptionValue xsi:type=\"OptionValue\"><key>a</key></OptionValue>\
             <OptionValue xsi:type=\"OptionValue\"><key>b</key></OptionValue></val>"
        );
        assert_eq!(
            returned,
            "<returnval xsi:type=\"OptionValue\"><key>a</key></returnval>\
             <returnval xsi:type=\"OptionValue\"><key>b</key></returnval>"
        );
    }
}
