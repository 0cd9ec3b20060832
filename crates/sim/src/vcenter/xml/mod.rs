//! Just enough XML: a request becomes a small tree, and an answer is text with escaped values.
//!
//! Requests are tiny, so a tree is the clearest form to read them in. Answers can be megabytes, so
//! they are concatenated instead of built as trees. This is not a general document model: comments,
//! processing instructions and attributes other than the two type attributes are dropped.

mod read;

pub(crate) use read::Element;

use std::borrow::Cow;

/// Escapes text for element content and for double-quoted attributes.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

/// Appends `<name>text</name>` with the text escaped.
pub(crate) fn leaf(out: &mut String, name: &str, text: &str) {
    open(out, name);
    out.push_str(&escape(text));
    close(out, name);
}

/// Appends a leaf when there is a value, and nothing when there is none.
pub(crate) fn optional_leaf(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        leaf(out, name, text);
    }
}

/// Appends `<name>`.
pub(crate) fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

/// Appends `</name>`.
pub(crate) fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Appends a managed object reference: `<name type="Kind">value</name>`.
pub(crate) fn reference(out: &mut String, name: &str, kind: &str, value: &str) {
    out.push('<');
    out.push_str(name);
    out.push_str(" type=\"");
    out.push_str(kind);
    out.push_str("\">");
    out.push_str(&escape(value));
    close(out, name);
}

#[cfg(test)]
mod tests {
    use super::{leaf, reference};

    #[test]
    fn text_is_escaped_and_markup_is_not() {
        let mut out = String::new();
        leaf(&mut out, "name", "a<b & \"c\"");
        reference(&mut out, "vm", "VirtualMachine", "vm-1");
        assert_eq!(
            out,
            "<name>a&lt;b &amp; &quot;c&quot;</name><vm type=\"VirtualMachine\">vm-1</vm>"
        );
    }
}
