//! From an event's JSON to its XML, by the names alone.
//!
//! Two forms of JSON are read: that of govmomi (names in Pascal case, `{"Type":…,"Value":…}` is a
//! reference, nulls, empty texts and the zero time for what is absent) and that of the VI JSON API (the
//! names of the elements, `_typeName` on every object). The order of the elements is that of the JSON,
//! which is that of the schema.
//!
//! No table of classes guides it: the class of a structure inside of an event is written where the JSON
//! has it. Where it does not, the classes that a cloud shows every day below a declared base class are told
//! by their members; others are lost.
//! Where the schema has a value of any type, its type is told from its looks.

use std::fmt::Write as _;
use std::ops::Range;

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use serde_json::{Map, Value};

use crate::vcenter::form::{Form, class_of, lowered};
use crate::vcenter::xml::{close, open};

/// What the place of a value promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What the schema of the class says.
    Declared,
    /// A value of any type, which says itself what it is.
    Any,
    /// Below a value whose class is not known: numbers and flags say what they are, all else is text.
    Loose,
    /// Bytes, whose base64 govmomi takes for the bytes: it is encoded twice there.
    Bytes,
}

/// Elements of the API that may hold a value of any type; the `value` beside a `key` is another one.
const ANY: [&str; 3] = ["result", "argument", "removeKey"];
/// Elements of the API that hold bytes; the `data` beside a `binaryData` is another one.
const BYTES: [&str; 3] =
    ["binaryData", "endorsementKeyCertificate", "endorsementKeyCertificateSigningRequest"];
/// Writes the members of an event but those that are skipped; tells where its message lies.
pub(super) fn members_of(
    event: &Map<String, Value>,
    form: Form,
    skipped: &[&str],
    out: &mut String,
) -> Range<usize> {
    let mut message = 0..0;
    let place = if is_named(event, form) { Place::Loose } else { Place::Declared };
    let mut writer = Writer { out, form };
    for (name, value) in event {
        let element = form.element(name);
        if name == "_typeName" || skipped.contains(&element.as_ref()) {
            continue;
        }
        let start = writer.out.len();
        writer.member(&element, value, place);
        if element == "fullFormattedMessage" {
            message = start..writer.out.len();
        }
    }
    message
}

/// Escapes a text for an element. A carriage return would be read as the end of a line; other characters
/// that XML has no form for are replaced.
pub(super) fn text(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..' ' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(letter),
        }
    }
}

struct Writer<'o> {
    out: &'o mut String,
    form: Form,
}

impl Writer<'_> {
    /// A member of a structure: nothing, an element, or one for each value of an array.
    fn member(&mut self, element: &str, value: &Value, place: Place) {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                values.iter().for_each(|value| self.element(element, value, place));
            }
            _ if matches!(place, Place::Declared | Place::Bytes) && self.form.is_absent(value) => {}
            _ => self.element(element, value, place),
        }
    }

    fn element(&mut self, element: &str, value: &Value, place: Place) {
        // Whoever wrote the log must not spoil the page for the events beside.
        if !is_name(element) {
            return;
        }
        match value {
            Value::Null => {}
            Value::Object(object) => self.object(element, object, place),
            // An array in an array has no form of its own.
            Value::Array(values) => {
                values.iter().for_each(|value| self.element(element, value, place));
            }
            Value::String(content) => {
                match place {
                    Place::Any => self.open_typed(element, "xsd:string"),
                    Place::Declared | Place::Loose | Place::Bytes => open(self.out, element),
                }
                let bytes =
                    (place == Place::Bytes).then(|| STANDARD.decode(content).ok()).flatten();
                let encoded = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                text(self.out, encoded.as_ref().unwrap_or(content));
                close(self.out, element);
            }
            Value::Number(_) | Value::Bool(_) => {
                match place {
                    Place::Declared | Place::Bytes => open(self.out, element),
                    Place::Any | Place::Loose => self.open_typed(element, primitive(value)),
                }
                // Writing to a String cannot fail.
                let _ = write!(self.out, "{value}");
                close(self.out, element);
            }
        }
    }

    fn object(&mut self, element: &str, object: &Map<String, Value>, place: Place) {
        if let Some((kind, id)) = self.form.reference(object) {
            let class = match place {
                Place::Any => " xsi:type=\"ManagedObjectReference\"",
                Place::Declared | Place::Loose | Place::Bytes => "",
            };
            let _ = write!(self.out, "<{element}{class} type=\"");
            attribute(self.out, kind);
            self.out.push_str("\">");
            text(self.out, id);
        } else if let (Some(class), Some(value)) = (class_of(object), object.get("_value")) {
            self.boxed(element, class, value);
        } else if let Some((class, values)) = array_in(object).filter(|_| place == Place::Any) {
            self.open_typed(element, &format!("ArrayOf{class}"));
            self.array(class, values);
        } else {
            let below = match (class_of(object), place) {
                (Some(class), _) => {
                    self.open_typed(element, class);
                    if self.form == Form::Govmomi { Place::Loose } else { Place::Declared }
                }
                (None, Place::Any) if is_pair(object) => {
                    self.open_typed(element, "OptionValue");
                    Place::Declared
                }
                (None, Place::Declared | Place::Bytes) => {
                    match derived(element, object) {
                        Some(class) => self.open_typed(element, class),
                        None => open(self.out, element),
                    }
                    Place::Declared
                }
                (None, _) => {
                    open(self.out, element);
                    Place::Loose
                }
            };
            self.members(object, below);
        }
        close(self.out, element);
    }

    fn members(&mut self, object: &Map<String, Value>, place: Place) {
        for (name, value) in object {
            let member = self.form.element(name).into_owned();
            let is_bytes = self.form == Form::Govmomi
                && (BYTES.contains(&member.as_str())
                    || (member == "data" && object.contains_key("BinaryData")));
            let is_any = ANY.contains(&member.as_str()) || (member == "value" && is_pair(object));
            match name.as_str() {
                "_typeName" => {}
                _ if is_any && place == Place::Declared => self.member(&member, value, Place::Any),
                _ if is_bytes && place == Place::Declared => {
                    self.member(&member, value, Place::Bytes);
                }
                _ => self.member(&member, value, place),
            }
        }
    }

    /// VI JSON boxes a primitive, and an array, where anything may stand. The caller closes the element.
    fn boxed(&mut self, element: &str, class: &str, value: &Value) {
        match (class.strip_prefix("ArrayOf"), value) {
            (Some(of), Value::Array(values)) => {
                self.open_typed(element, class);
                self.array(of, values);
            }
            _ => {
                self.open_typed(element, &format!("xsd:{class}"));
                self.scalar(value);
            }
        }
    }

    /// The values of an array of any type, each named after its class.
    fn array(&mut self, class: &str, values: &[Value]) {
        let is_simple = values.iter().all(|value| !value.is_object()) && !values.is_empty();
        let (element, place) = match class {
            "AnyType" => (lowered(class), Place::Any),
            "ManagedObjectReference" => (class.to_owned(), Place::Declared),
            _ if is_simple => (lowered(class), Place::Declared),
            _ => (class.to_owned(), Place::Declared),
        };
        values.iter().for_each(|value| self.element(&element, value, place));
    }

    fn scalar(&mut self, value: &Value) {
        match value {
            Value::String(content) => text(self.out, content),
            Value::Number(_) | Value::Bool(_) => {
                let _ = write!(self.out, "{value}");
            }
            _ => {}
        }
    }

    fn open_typed(&mut self, element: &str, class: &str) {
        let _ = write!(self.out, "<{element} xsi:type=\"");
        attribute(self.out, class);
        self.out.push_str("\">");
    }
}

/// Writes the inside of an attribute.
pub(super) fn attribute(out: &mut String, value: &str) {
    let mut escaped = String::with_capacity(value.len());
    text(&mut escaped, value);
    out.push_str(&escaped.replace('"', "&quot;"));
}

/// Whether an element may be called so.
fn is_name(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    name.bytes().all(is_part) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Of what stands where the schema declares a base class: its element, a member of govmomi's JSON that only
/// the class has (the first that fits counts), and the class. Strict clients, pyVmomi among them, give up
/// a whole page over a member that a base class lacks.
const DERIVED: [(&str, &str, &str); 15] = [
    ("reason", "UserName", "TaskReasonUser"),
    ("reason", "AlarmName", "TaskReasonAlarm"),
    ("reason", "ScheduledTask", "TaskReasonSchedule"),
    ("fault", "PrivilegeId", "NoPermission"),
    ("fault", "InvalidProperty", "InvalidArgument"),
    ("fault", "ExistingState", "InvalidPowerState"),
    ("fault", "Task", "TaskInProgress"),
    ("device", "CapacityInKB", "VirtualDisk"),
    ("device", "Uptv2Enabled", "VirtualVmxnet3"),
    ("device", "MacAddress", "VirtualEthernetCard"),
    ("backing", "EagerlyScrub", "VirtualDiskFlatVer2BackingInfo"),
    ("backing", "InPassthroughMode", "VirtualEthernetCardNetworkBackingInfo"),
    ("backing", "Port", "VirtualEthernetCardDistributedVirtualPortBackingInfo"),
    ("backing", "Exclusive", "VirtualCdromRemotePassthroughBackingInfo"),
    ("device", "ScsiCtlrUnitNumber", "VirtualSCSIController"),
];

/// The class of a structure where the schema declares a base class, if its members tell it.
fn derived(element: &str, object: &Map<String, Value>) -> Option<&'static str> {
    let fits =
        |(of, member, _): &&(&str, &str, &str)| *of == element && object.contains_key(*member);
    DERIVED.iter().find(fits).map(|(_, _, class)| *class)
}

/// Whether an event is named by its own JSON although its form names none: nobody knew its class.
fn is_named(event: &Map<String, Value>, form: Form) -> bool {
    form == Form::Govmomi && class_of(event).is_some()
}

/// A key with a value of any type.
fn is_pair(object: &Map<String, Value>) -> bool {
    let is_ours =
        |name: &String| matches!(name.as_str(), "Key" | "Value" | "key" | "value" | "_typeName");
    object.keys().all(is_ours)
        && object.keys().any(|name| name.eq_ignore_ascii_case("key"))
        && object.keys().any(|name| name.eq_ignore_ascii_case("value"))
}

/// An array where anything may stand: govmomi has a structure with one member, which names the class.
fn array_in(object: &Map<String, Value>) -> Option<(&str, &[Value])> {
    let mut members = object.iter();
    let (class, value) = members.next().filter(|_| object.len() == 1)?;
    match value {
        Value::Array(values) => Some((class, values)),
        Value::Null => Some((class, &[])),
        _ => None,
    }
}

/// The type of a number or a flag by its looks.
fn primitive(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "xsd:boolean",
        _ if value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => "xsd:int",
        _ if value.is_i64() => "xsd:long",
        _ if value.is_u64() => "xsd:unsignedLong",
        _ => "xsd:double",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use serde_json::Value;

    use super::{Form, members_of};

    fn written(json: &str) -> String {
        let event: Value = serde_json::from_str(json).unwrap();
        let event = event.as_object().unwrap();
        let mut out = String::new();
        members_of(event, Form::of(event), &["key"], &mut out);
        out
    }

    #[test]
    fn what_is_absent_is_left_out_and_arrays_repeat_their_element() {
        let json = r#"{"Key":1,"Vm":{"Name":"a<b","Vm":{"Type":"VirtualMachine","Value":"vm-1"}},
            "Ds":null,"Net":{"Type":"","Value":""},"ChangeTag":"","At":"0001-01-01T00:00:00Z",
            "Reason":{},"Template":false,"Names":["x",""]}"#;
        let expected = "<vm><name>a&lt;b</name><vm type=\"VirtualMachine\">vm-1</vm></vm>\
            <reason></reason><template>false</template><names>x</names><names></names>";
        assert_eq!(written(json), expected);
    }

    #[test]
    fn a_value_of_any_type_tells_its_type() {
        let json = r#"{"Key":1,"Arguments":[{"Key":"a","Value":5},{"Key":"b","Value":"x\r"},
            {"Key":"c","Value":{"Type":"Host","Value":"h"}},{"Key":"d","Value":{"Int":[1]}},
            {"Key":"e","Value":9007199254740993},{"Key":"f","Value":1.5},{"Key":"g","Value":""}]}"#;
        let expected = "<arguments><key>a</key><value xsi:type=\"xsd:int\">5</value></arguments>\
            <arguments><key>b</key><value xsi:type=\"xsd:string\">x&#13;</value></arguments>\
            <arguments><key>c</key>\
            <value xsi:type=\"ManagedObjectReference\" type=\"Host\">h</value></arguments>\
            <arguments><key>d</key><value xsi:type=\"ArrayOfInt\"><int>1</int></value></arguments>\
            <arguments><key>e</key>\
            <value xsi:type=\"xsd:long\">9007199254740993</value></arguments>\
            <arguments><key>f</key><value xsi:type=\"xsd:double\">1.5</value></arguments>\
            <arguments><key>g</key><value xsi:type=\"xsd:string\"></value></arguments>";
        assert_eq!(written(json), expected);
    }

    #[test]
    fn an_everyday_class_below_a_declared_one_is_told_by_its_members() {
        let json = r#"{"Key":1,"Info":{"Reason":{"UserName":"u"}},"Error":{"Fault":{"A":1}}}"#;
        let expected = "<info><reason xsi:type=\"TaskReasonUser\"><userName>u</userName></reason>\
            </info><error><fault><a>1</a></fault></error>";
        assert_eq!(written(json), expected);
    }

    #[test]
    fn what_cannot_be_an_element_is_left_out_and_text_is_always_well_formed() {
        let json = r#"{"Key":1,"A b":1,"":2,"<x>":3,"Data":{"1":[4],"C":"]]>\u0001\uffff"}}"#;
        assert_eq!(written(json), "<data><c>]]&gt;\u{FFFD}\u{FFFD}</c></data>");
    }

    #[test]
    fn vi_json_names_its_classes() {
        let json = r#"{"_typeName":"TaskEvent","key":1,"info":{"_typeName":"TaskInfo",
            "result":{"_typeName":"int","_value":5},"entity":{"_typeName":"ManagedObjectReference",
            "type":"Folder","value":"group-d1"}}}"#;
        let expected = "<info xsi:type=\"TaskInfo\"><result xsi:type=\"xsd:int\">5</result>\
            <entity type=\"Folder\">group-d1</entity></info>";
        assert_eq!(written(json), expected);
    }
}
