//! A small tree over XML text, made for one kind of document: SOAP answers of vSphere.
//!
//! Nodes are ranges into the text, which is shared and never copied, so a tree costs one vector.
//! What it keeps of an element is what the protocol uses: the local name, the class (the attribute
//! `xsi:type`, by namespace and not by prefix, for vcsim declares its own prefix), the attribute
//! `type` of a reference, the text of a leaf, the children.
//!
//! Refused: document type declarations (so there is no entity expansion), elements nested deeper
//! than [`DEPTH_MAX`], and elements with more than [`NODES_MAX`] nodes.

mod parse;
mod scan;
mod text;

use std::borrow::Cow;
use std::sync::Arc;

pub(super) use self::scan::{Piece, elements, first};
pub(super) use self::text::decode as decode_text;

/// vSphere's deepest known data object nests 14 levels; a fault chain adds two per cause.
pub const DEPTH_MAX: usize = 64;

/// A whole page has fewer nodes; one element with more is no event.
pub const NODES_MAX: usize = 256 * 1024;

/// A longer text is cut when it is read: messages end at a few kilobytes.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

const NONE: u32 = u32::MAX;

/// Why a text is not the XML that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed.
    #[error("malformed XML at byte {at}")]
    Syntax {
        /// Where in the answer.
        at: usize,
        /// What the parser said.
        #[source]
        source: SyntaxError,
    },
    /// The text ends inside of an element.
    #[error("XML ends inside of an element")]
    Truncated,
    /// A document type declaration: SOAP forbids it, and it is how entity bombs begin.
    #[error("XML holds a document type declaration")]
    DocType,
    /// Deeper than [`DEPTH_MAX`].
    #[error("XML is nested deeper than {DEPTH_MAX} elements")]
    TooDeep,
    /// More nodes than [`NODES_MAX`].
    #[error("XML element holds more than {NODES_MAX} elements")]
    TooMany,
}

/// The parser's own error, comparable, and without what it quotes: where markup is broken, the name of an
/// element may be a part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

impl From<quick_xml::Error> for SyntaxError {
    fn from(error: quick_xml::Error) -> SyntaxError {
        use quick_xml::errors::IllFormedError;
        let text = match error {
            quick_xml::Error::IllFormed(IllFormedError::MissingEndTag(_)) => {
                "an end tag is missing"
            }
            quick_xml::Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => {
                "an end tag belongs to no element"
            }
            quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
                "an end tag has another name than the element that is open"
            }
            quick_xml::Error::IllFormed(IllFormedError::MissingDeclVersion(_)) => {
                "the declaration does not begin with a version"
            }
            other => return SyntaxError(other.to_string()),
        };
        SyntaxError(text.to_owned())
    }
}

/// A range of the shared text.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const EMPTY: Span = Span { start: 0, end: 0 };
}

#[derive(Debug, Clone)]
struct NodeData {
    name: Span,
    class: Span,
    kind: Span,
    text: Span,
    first: u32,
    next: u32,
    /// The text holds references, sections or comments and must be decoded.
    encoded: bool,
}

/// One element with all that is in it.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    source: Arc<str>,
    nodes: Box<[NodeData]>,
    span: Span,
}

/// One element of a tree.
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    tree: &'t Tree,
    at: u32,
}

impl Tree {
    /// The first element of a text.
    pub(crate) fn parse(source: &Arc<str>) -> Result<Tree, XmlError> {
        parse::Parser::at(source, 0).document()
    }

    /// The outermost element.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { tree: self, at: 0 }
    }

    /// The element as it stands in the answer.
    pub(crate) fn raw(&self) -> &str {
        self.slice(self.span)
    }

    fn slice(&self, span: Span) -> &str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

impl<'t> Node<'t> {
    fn data(self) -> &'t NodeData {
        &self.tree.nodes[self.at as usize]
    }

    /// The local name.
    pub(crate) fn name(self) -> &'t str {
        self.tree.slice(self.data().name)
    }

    /// The class by `xsi:type`, without its prefix; empty when there is none.
    pub(crate) fn class(self) -> &'t str {
        self.tree.slice(self.data().class)
    }

    /// The attribute `type`: what kind of object a reference names; empty when there is none.
    pub(crate) fn kind(self) -> &'t str {
        self.tree.slice(self.data().kind)
    }

    /// The text of a leaf, decoded; empty for an element with children.
    pub(crate) fn text(self) -> Cow<'t, str> {
        let data = self.data();
        let raw = text::cut(self.tree.slice(data.text), TEXT_BYTES_MAX);
        match data.encoded {
            false => Cow::Borrowed(raw),
            true => Cow::Owned(text::decode(raw)),
        }
    }

    /// Whether the text was cut at [`TEXT_BYTES_MAX`].
    pub(crate) fn is_cut(self) -> bool {
        let span = self.data().text;
        (span.end - span.start) as usize > TEXT_BYTES_MAX
    }

    /// Whether there are no child elements.
    pub(crate) fn is_leaf(self) -> bool {
        self.data().first == NONE
    }

    /// Neither text nor children.
    pub(crate) fn is_empty(self) -> bool {
        self.is_leaf() && self.data().text.start == self.data().text.end
    }

    /// The child elements in document order.
    pub(crate) fn children(self) -> Siblings<'t> {
        Siblings { tree: self.tree, at: self.data().first }
    }

    /// This element and those after it under the same parent.
    pub(crate) fn and_following(self) -> Siblings<'t> {
        Siblings { tree: self.tree, at: self.at }
    }

    /// The first child with a name.
    pub(crate) fn child(self, name: &str) -> Option<Node<'t>> {
        self.children().find(|child| child.name() == name)
    }

    /// The text of the first child with a name.
    pub(crate) fn child_text(self, name: &str) -> Option<Cow<'t, str>> {
        self.child(name).map(Node::text)
    }

    /// The first element with a name, at any depth, this one included.
    pub(crate) fn find(self, name: &str) -> Option<Node<'t>> {
        if self.name() == name {
            return Some(self);
        }
        self.children().find_map(|child| child.find(name))
    }
}

/// Elements under one parent.
pub(crate) struct Siblings<'t> {
    tree: &'t Tree,
    at: u32,
}

impl<'t> Iterator for Siblings<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.at == NONE {
            return None;
        }
        let node = Node { tree: self.tree, at: self.at };
        self.at = node.data().next;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn tree(text: &str) -> Result<Tree, XmlError> {
        Tree::parse(&Arc::from(text))
    }

    #[test]
    fn a_class_is_found_by_namespace_whatever_its_prefix() {
        let xsi = "http://www.w3.org/2001/XMLSchema-instance";
        for text in [
            format!(r#"<a xmlns:xsi="{xsi}" xsi:type="ns1:Foo" type="T">x</a>"#),
            format!(
                r#"<a xmlns:odd='{xsi}' xmlns:o="urn:o" o:type="No" odd:type='Foo' type="T">x</a>"#
            ),
            r#"<n:a type="T" xsi:type="Foo">x</n:a>"#.to_owned(),
        ] {
            let tree = tree(&text).unwrap();
            let root = tree.root();
            let found = (root.name(), root.class(), root.kind(), root.text().into_owned());
            assert_eq!(found, ("a", "Foo", "T", "x".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_prefix_bound_to_another_namespace_names_no_class() {
        let tree = tree(r#"<a xmlns:o="urn:o" o:type="No"/>"#).unwrap();
        assert_eq!(tree.root().class(), "");
    }

    #[test]
    fn text_is_decoded_once() {
        let tree =
            tree("<a>1 &lt; 2 &amp;amp; &#x41;<!-- no --><![CDATA[<&]]>\r\n&#13;</a>").unwrap();
        assert_eq!(tree.root().text(), "1 < 2 &amp; A<&\n\r");
    }

    #[test]
    fn children_keep_their_order() {
        let tree = tree("<?xml version='1.0'?> <a> <b>1</b><c/> <b>2</b> </a>").unwrap();
        let names: Vec<_> = tree.root().children().map(|c| (c.name(), c.text())).collect();
        assert_eq!(names, [("b", "1".into()), ("c", "".into()), ("b", "2".into())]);
        assert!(tree.root().child("c").unwrap().is_empty());
    }

    #[test]
    fn what_is_refused_has_its_own_error() {
        assert_eq!(
            tree("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").unwrap_err(),
            XmlError::DocType
        );
        assert_eq!(tree("<a><b>").unwrap_err(), XmlError::Truncated);
        assert!(matches!(tree("<a></b>").unwrap_err(), XmlError::Syntax { .. }));
        assert!(matches!(tree("").unwrap_err(), XmlError::Truncated));
        let deep = "<a>".repeat(DEPTH_MAX + 1) + &"</a>".repeat(DEPTH_MAX + 1);
        assert_eq!(tree(&deep).unwrap_err(), XmlError::TooDeep);
        let wide = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX));
        assert_eq!(tree(&wide).unwrap_err(), XmlError::TooMany);
    }
}
