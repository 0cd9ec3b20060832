//! An event as JSON, in one of two forms, straight from its XML.
//!
//! `govmomi` prints what vsphere-event-streaming prints, byte for byte: keys in Pascal case, fields
//! in the order of the declarations, zero values for what is absent. `vi-json` is the form of
//! vCenter's own VI JSON API: keys in camel case, `_typeName` on every object, absent fields left
//! out.
//!
//! In both, what the type table does not know is kept: unknown elements follow the known fields of
//! their object, decoded by their looks (text, reference, object, array where an element repeats),
//! and an unknown class under an event is named by `_typeName`. A value that is not what its field
//! promises becomes a string and a line in [`Rendered::flaws`].

mod changes;
mod generic;
mod go;
mod json;
mod markup;
mod recorded;
mod redact;
mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::markup::{Markup, redact_markup};
pub use self::recorded::redact_recorded;
pub use self::redact::{REDACTED, Redaction};
use super::types::Class;
use super::xml::Node;

/// Which JSON an event's data becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataFormat {
    /// As vsphere-event-streaming prints it: `{"Key":7,"Vm":{"Name":…},"Template":false}`.
    #[default]
    Govmomi,
    /// As vCenter's VI JSON API has it: `{"_typeName":"VmPoweredOnEvent","key":7,…}`.
    ViJson,
}

/// One event as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The JSON text, on one line.
    pub json: String,
    /// How many values were redacted.
    pub redacted: usize,
    /// What was odd about the values, one sentence each; at most [`FLAWS_MAX`].
    pub flaws: Vec<String>,
}

/// More would not help whoever reads them.
pub const FLAWS_MAX: usize = 16;

/// Renders an event by the class it is decoded as; `name` is the class it claims to be.
pub(super) fn render(
    node: Node<'_>,
    name: &str,
    class: &'static Class,
    format: DataFormat,
    redaction: &Redaction,
) -> Rendered {
    let mut writer = Writer {
        out: String::with_capacity(1024),
        format,
        redaction,
        redacted: 0,
        flaws: Vec::new(),
        path: Vec::new(),
        slots: Vec::new(),
    };
    writer.object(class, name, Some(node));
    Rendered { json: writer.out, redacted: writer.redacted, flaws: writer.flaws }
}

/// The JSON while it grows.
struct Writer<'t, 'r> {
    out: String,
    format: DataFormat,
    redaction: &'r Redaction,
    redacted: usize,
    flaws: Vec<String>,
    /// The names of the open elements, from below the event to here.
    path: Vec<&'t str>,
    /// For each field of each open object: its element.
    slots: Vec<Option<Node<'t>>>,
}
