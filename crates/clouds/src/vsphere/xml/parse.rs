//! From text to tree: one pass, no recursion, each node written once.
//!
//! The tokenizer is quick-xml's; ours are the tree, the namespaces of attributes, and the limits.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{DEPTH_MAX, NODES_MAX, NONE, NodeData, Span, SyntaxError, Tree, XmlError};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Reads elements from one place in a text onwards.
pub(super) struct Parser<'s> {
    source: &'s Arc<str>,
    reader: Reader<&'s [u8]>,
    /// Where the reader's text begins in the source.
    base: usize,
    /// How many elements are open.
    depth: usize,
    /// Prefixes that are declared: at which depth, and whether for `xsi`.
    prefixes: Vec<(usize, &'s str, bool)>,
}

/// What comes next outside of the elements that somebody asked for.
pub(super) enum Token<'s> {
    /// A start tag, where it begins, and whether it is empty.
    Start(BytesStart<'s>, usize, bool),
    /// Anything else of no interest.
    Other,
    /// Nothing comes.
    End,
}

impl<'s> Parser<'s> {
    /// A parser that begins at a byte of the source.
    pub(super) fn at(source: &'s Arc<str>, begin: usize) -> Parser<'s> {
        // The reader would skip a byte order mark without counting it.
        let mark =
            if begin == 0 && source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let base = begin + mark;
        let mut reader = Reader::from_str(source.get(base..).unwrap_or_default());
        // Begun in the middle, the ends of what is open around are no errors.
        reader.config_mut().allow_unmatched_ends = begin > 0;
        reader.config_mut().allow_dangling_amp = true;
        Parser { source, reader, base, depth: 0, prefixes: Vec::new() }
    }

    /// Where the next token begins.
    pub(super) fn position(&self) -> usize {
        self.base + self.reader.buffer_position() as usize
    }

    /// The first element as a tree.
    pub(super) fn document(mut self) -> Result<Tree, XmlError> {
        loop {
            match self.token()? {
                Token::Start(tag, at, empty) => return self.element(&tag, at, empty),
                Token::Other => {}
                Token::End => return Err(XmlError::Truncated),
            }
        }
    }

    /// The next token; an element's start is only opened by [`enter`](Self::enter) or
    /// [`element`](Self::element).
    pub(super) fn token(&mut self) -> Result<Token<'s>, XmlError> {
        let at = self.position();
        match self.event()? {
            Event::Start(tag) => Ok(Token::Start(tag, at, false)),
            Event::Empty(tag) => Ok(Token::Start(tag, at, true)),
            Event::End(_) => {
                self.leave();
                Ok(Token::Other)
            }
            Event::Eof => Ok(Token::End),
            _ => Ok(Token::Other),
        }
    }

    /// Opens an element to look for others inside of it.
    pub(super) fn enter(&mut self, tag: &BytesStart<'s>) -> Result<(), XmlError> {
        self.depth += 1;
        self.declare(tag)
    }

    /// Reads one element to its end.
    pub(super) fn element(
        &mut self,
        tag: &BytesStart<'s>,
        at: usize,
        empty: bool,
    ) -> Result<Tree, XmlError> {
        let outer = self.depth;
        let mut build = Build { nodes: Vec::with_capacity(48), open: Vec::with_capacity(8) };
        self.open(&mut build, tag, at)?;
        if empty {
            self.close(&mut build, self.position());
        }
        while self.depth > outer {
            let at = self.position();
            match self.event()? {
                Event::Start(tag) => self.open(&mut build, &tag, at)?,
                Event::Empty(tag) => {
                    self.open(&mut build, &tag, at)?;
                    self.close(&mut build, self.position());
                }
                Event::End(_) => self.close(&mut build, at),
                Event::Text(text) => build.encoded_if(text.contains('\r')),
                Event::Eof => return Err(XmlError::Truncated),
                _ => build.encoded_if(true),
            }
        }
        let span = span(at, self.position());
        Ok(Tree { source: Arc::clone(self.source), nodes: build.nodes.into(), span })
    }

    fn open(&mut self, build: &mut Build, tag: &BytesStart<'s>, at: usize) -> Result<(), XmlError> {
        self.depth += 1;
        if build.open.len() == DEPTH_MAX {
            return Err(XmlError::TooDeep);
        }
        if build.nodes.len() == NODES_MAX {
            return Err(XmlError::TooMany);
        }
        let (name, local) = (tag.name(), tag.local_name());
        let start = at + 1 + name.as_ref().len() - local.as_ref().len();
        let (class, kind) = match tag.len() > name.as_ref().len() {
            true => self.attributes(tag)?,
            false => (Span::EMPTY, Span::EMPTY),
        };
        let inside = self.position();
        build.push(NodeData {
            name: span(start, start + local.as_ref().len()),
            class,
            kind,
            text: span(inside, inside),
            first: NONE,
            next: NONE,
            encoded: false,
        });
        Ok(())
    }

    fn close(&mut self, build: &mut Build, end: usize) {
        build.close(end);
        self.leave();
    }

    fn leave(&mut self) {
        while self.prefixes.last().is_some_and(|(depth, _, _)| *depth >= self.depth) {
            self.prefixes.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// The class and the kind that a start tag names.
    fn attributes(&mut self, tag: &BytesStart<'s>) -> Result<(Span, Span), XmlError> {
        self.declare(tag)?;
        let (mut class, mut kind) = (Span::EMPTY, Span::EMPTY);
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.syntax(error))?;
            if attribute.key.local_name().as_ref() != "type" {
                continue;
            }
            let value = self.place(&attribute.value);
            match attribute.key.prefix() {
                None => kind = value,
                Some(prefix) if self.is_xsi(prefix.as_ref()) => class = self.without_prefix(value),
                Some(_) => {}
            }
        }
        Ok((class, kind))
    }

    fn declare(&mut self, tag: &BytesStart<'s>) -> Result<(), XmlError> {
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.syntax(error))?;
            let Some(prefix) = attribute.key.into_inner().strip_prefix("xmlns:") else { continue };
            let place = self.place(prefix);
            let prefix =
                self.source.get(place.start as usize..place.end as usize).unwrap_or_default();
            self.prefixes.push((self.depth, prefix, attribute.value == XSI));
        }
        Ok(())
    }

    /// An undeclared prefix counts as `xsi`: its declaration was lost with broken text before it.
    fn is_xsi(&self, prefix: &str) -> bool {
        let declared = self.prefixes.iter().rev().find(|(_, name, _)| *name == prefix);
        declared.is_none_or(|(_, _, xsi)| *xsi)
    }

    /// Where in the source a piece lies that was borrowed from it.
    fn place(&self, piece: &str) -> Span {
        let start = (piece.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
        match start.checked_add(piece.len()) {
            Some(end) if end <= self.source.len() => span(start, end),
            _ => Span::EMPTY,
        }
    }

    fn without_prefix(&self, value: Span) -> Span {
        let text = self.source.get(value.start as usize..value.end as usize).unwrap_or_default();
        let colon = text.rfind(':').map_or(0, |at| at + 1);
        span(value.start as usize + colon, value.end as usize)
    }

    fn event(&mut self) -> Result<Event<'s>, XmlError> {
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(XmlError::DocType),
            Ok(event) => Ok(event),
            Err(error) => Err(self.syntax(error)),
        }
    }

    fn syntax(&self, error: impl Into<quick_xml::Error>) -> XmlError {
        let at = self.base + self.reader.error_position() as usize;
        XmlError::Syntax { at, source: SyntaxError::from(error.into()) }
    }
}

/// A tree while it grows.
struct Build {
    nodes: Vec<NodeData>,
    /// The open elements: each with its last child.
    open: Vec<(u32, u32)>,
}

impl Build {
    fn push(&mut self, node: NodeData) {
        // Below `NODES_MAX`.
        let at = self.nodes.len() as u32;
        self.nodes.push(node);
        if let Some((parent, last)) = self.open.last_mut() {
            match *last {
                NONE => self.nodes[*parent as usize].first = at,
                last => self.nodes[last as usize].next = at,
            }
            *last = at;
        }
        self.open.push((at, NONE));
    }

    fn close(&mut self, end: usize) {
        let Some((at, last)) = self.open.pop() else { return };
        let node = &mut self.nodes[at as usize];
        match last {
            NONE => node.text.end = (end as u32).max(node.text.start),
            // White space between children is layout, not text.
            _ => node.text = Span::EMPTY,
        }
    }

    fn encoded_if(&mut self, encoded: bool) {
        if let Some((at, _)) = self.open.last().filter(|_| encoded) {
            self.nodes[*at as usize].encoded = true;
        }
    }
}

/// Answers are shorter than 64 MiB, so their positions fit.
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}
