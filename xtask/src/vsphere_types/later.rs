//! What API 9.1 added to events, and no version of govmomi declares yet.
//!
//! Read from the declarations of pyVmomi 9.1.1.0 (`_typeinfo_vim.py`). It goes when govmomi has it: the
//! verb then fails and says so.

use anyhow::{Context, bail};

use super::go::{Field, Kind, Model, Shape, Struct};

/// For the header of the table.
pub(super) const SOURCE: &str = "pyVmomi 9.1.1.0";

/// Adds it to the newest declarations.
pub(super) fn add(newer: &mut Model) -> anyhow::Result<()> {
    let tgw = field("tgw", Kind::Class("ManagedObjectReference".to_owned()), Shape::One);
    let argument = Struct { base: Some("EntityEventArgument".to_owned()), fields: vec![tgw] };
    if newer.structs.insert("TgwEventArgument".to_owned(), argument).is_some() {
        bail!("govmomi knows TgwEventArgument by now: remove it from `later.rs`");
    }
    let argument = Kind::Class("TgwEventArgument".to_owned());
    add_field(newer, "dvs", field("tgw", argument, Shape::Optional))?;
    add_field(newer, "changeTag", field("auditId", Kind::Primitive('s'), Shape::One))
}

/// A field of every event, behind another.
fn add_field(newer: &mut Model, behind: &str, field: Field) -> anyhow::Result<()> {
    let event = newer.structs.get_mut("Event").context("the newest declarations lack Event")?;
    if event.fields.iter().any(|known| known.xml == field.xml) {
        bail!("govmomi knows `{}` of Event by now: remove it from `later.rs`", field.xml);
    }
    let at = event.fields.iter().position(|known| known.xml == behind);
    let at = at.with_context(|| format!("Event has no field `{behind}`"))?;
    event.fields.insert(at + 1, field);
    Ok(())
}

fn field(xml: &str, kind: Kind, shape: Shape) -> Field {
    let go = super::table::capitalised(xml);
    Field { go, xml: xml.to_owned(), kind, shape }
}
