//! Writing requests.
//!
//! The order of elements is part of vSphere's schema, so a request is written in the order of the
//! calls made here; nothing sorts or omits on its own.

use std::fmt::Display;

use crate::vsphere::MoRef;

const OPEN: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
    r#" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#
);
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";

/// A request's body while it grows: the call's arguments, in order.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Xml {
        Xml::default()
    }

    /// `<name>value</name>`, escaped.
    pub(super) fn text(mut self, name: &str, value: impl Display) -> Xml {
        self.open(name, &[]);
        escape(&mut self.0, &value.to_string());
        self.close(name);
        self
    }

    /// The same, or nothing.
    pub(super) fn optional(self, name: &str, value: Option<impl Display>) -> Xml {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// The same for each value.
    pub(super) fn texts(self, name: &str, values: &[String]) -> Xml {
        values.iter().fold(self, |xml, value| xml.text(name, value))
    }

    /// `<name type="kind">value</name>`.
    pub(super) fn reference(mut self, name: &str, object: &MoRef) -> Xml {
        self.open(name, &[("type", &object.kind)]);
        escape(&mut self.0, &object.value);
        self.close(name);
        self
    }

    /// `<name>…</name>`.
    pub(super) fn nested(self, name: &str, inside: impl FnOnce(Xml) -> Xml) -> Xml {
        self.typed(name, "", inside)
    }

    /// `<name xsi:type="class">…</name>`.
    pub(super) fn typed(mut self, name: &str, class: &str, inside: impl FnOnce(Xml) -> Xml) -> Xml {
        match class {
            "" => self.open(name, &[]),
            class => self.open(name, &[("xsi:type", class)]),
        }
        let mut xml = inside(self);
        xml.close(name);
        xml
    }

    /// `<name xsi:type="class">value</name>`.
    pub(super) fn typed_text(mut self, name: &str, class: &str, value: &str) -> Xml {
        self.open(name, &[("xsi:type", class)]);
        escape(&mut self.0, value);
        self.close(name);
        self
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            self.0.push(' ');
            self.0.push_str(key);
            self.0.push_str("=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// The whole request: a method called on an object with these arguments.
    pub(super) fn call(self, method: &str, on: &MoRef) -> String {
        let mut this = Xml(String::with_capacity(OPEN.len() + self.0.len() + 256));
        this.0.push_str(OPEN);
        this.open(method, &[("xmlns", "urn:vim25")]);
        let mut xml = this.reference("_this", on);
        xml.0.push_str(&self.0);
        xml.close(method);
        xml.0.push_str(CLOSE);
        xml.0
    }
}

/// Characters that XML cannot carry at all are replaced: the server would refuse the request.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_written_in_order_and_escaped() {
        let xml = Xml::new()
            .text("a", "x<&>\u{1}")
            .nested("b", |b| b.optional("c", None::<u8>).text("d", 1));
        let call = xml.call("Do", &MoRef::new("T\"", "v"));
        let body = r#"<Do xmlns="urn:vim25"><_this type="T&quot;">v</_this><a>x&lt;&amp;&gt;�</a><b><d>1</d></b></Do>"#;
        assert_eq!(call, format!("{OPEN}{body}{CLOSE}"));
    }
}
