//! All elements of one name in an answer, each on its own.
//!
//! A page of a thousand events must not be lost because one of them is broken. When the parser
//! stops inside of an element, the scan gives that one as it stands and takes up again at the next
//! place where an element of this name begins or where the broken one ends, whichever comes first.

use std::ops::Range;
use std::sync::Arc;

use super::parse::{Parser, Token};
use super::{Tree, XmlError};

/// One element found.
pub(crate) enum Piece {
    /// It is well-formed.
    Whole(Tree),
    /// It is not; where it stands, and why.
    Broken(Range<usize>, XmlError),
}

/// Finds every element with a local name, at whatever depth, not looking inside of those found.
pub(crate) fn elements(source: &Arc<str>, name: &str) -> Result<Vec<Piece>, XmlError> {
    let mut pieces = Vec::new();
    let mut parser = Parser::at(source, 0);
    loop {
        let begin = parser.position();
        let (begin, error) = match step(&mut parser, name) {
            Ok(Step::Found(tree)) => {
                pieces.push(Piece::Whole(*tree));
                continue;
            }
            Ok(Step::Nothing) => continue,
            Ok(Step::End) => return Ok(pieces),
            Err((inside, error)) => (inside.unwrap_or(begin), error),
        };
        if matches!(error, XmlError::DocType) {
            return Err(error);
        }
        let Some(next) = resume(source, name, begin) else {
            // Nothing of this name follows: a broken tail costs what was found before only if
            // nothing was.
            let is_element = begins_element(source, name, begin);
            if !is_element && pieces.is_empty() {
                return Err(error);
            }
            if is_element {
                pieces.push(Piece::Broken(begin..source.len(), error));
            }
            return Ok(pieces);
        };
        if begins_element(source, name, begin) {
            pieces.push(Piece::Broken(begin..next, error));
        }
        parser = Parser::at(source, next);
    }
}

/// The first element with a local name, reading no further than its end.
pub(crate) fn first(source: &Arc<str>, name: &str) -> Result<Option<Tree>, XmlError> {
    let mut parser = Parser::at(source, 0);
    loop {
        match step(&mut parser, name) {
            Ok(Step::Found(tree)) => return Ok(Some(*tree)),
            Ok(Step::Nothing) => {}
            Ok(Step::End) => return Ok(None),
            Err((_, error)) => return Err(error),
        }
    }
}

enum Step {
    Found(Box<Tree>),
    Nothing,
    End,
}

/// One token, or one element asked for. An error tells where that element began.
fn step(parser: &mut Parser<'_>, name: &str) -> Result<Step, (Option<usize>, XmlError)> {
    match parser.token().map_err(|error| (None, error))? {
        Token::Start(tag, at, empty) if tag.local_name().as_ref() == name => {
            let tree = parser.element(&tag, at, empty).map_err(|error| (Some(at), error))?;
            Ok(Step::Found(Box::new(tree)))
        }
        Token::Start(_, _, true) | Token::Other => Ok(Step::Nothing),
        Token::Start(tag, at, false) => {
            parser.enter(&tag).map_err(|error| (Some(at), error))?;
            Ok(Step::Nothing)
        }
        Token::End => Ok(Step::End),
    }
}

/// Where to take up again after an error in what begins at `begin`.
fn resume(source: &str, name: &str, begin: usize) -> Option<usize> {
    let after = source.get(begin + 1..)?;
    let close = format!("{name}>");
    let mut from = 0;
    while let Some(found) = after.get(from..)?.find(name) {
        let at = from + found;
        let before = &after[..at];
        if before.ends_with("</") || prefixed(before, "</") {
            if after[at..].starts_with(&close) {
                return Some(begin + 1 + at + close.len());
            }
        } else if let Some(tag) = tag_start(before)
            && begins_element(source, name, begin + 1 + tag)
        {
            return Some(begin + 1 + tag);
        }
        from = at + name.len();
    }
    None
}

/// Whether a text ends with `open` and a prefix, as in `</vim25:`.
fn prefixed(before: &str, open: &str) -> bool {
    before.strip_suffix(':').is_some_and(|rest| {
        rest.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).ends_with(open)
    })
}

/// Where the tag begins whose name, or prefixed name, follows `before`.
fn tag_start(before: &str) -> Option<usize> {
    let rest = before.strip_suffix(':').unwrap_or(before);
    let rest = match rest.len() == before.len() {
        true => rest,
        false => rest.trim_end_matches(|c: char| c.is_ascii_alphanumeric()),
    };
    rest.ends_with('<').then(|| rest.len() - 1)
}

/// Whether a start tag of an element with this local name stands at a byte.
fn begins_element(source: &str, name: &str, at: usize) -> bool {
    let Some(tag) = source.get(at..).and_then(|rest| rest.strip_prefix('<')) else { return false };
    let local = match tag.split_once(':') {
        Some((prefix, local)) if prefix.bytes().all(|b| b.is_ascii_alphanumeric()) => local,
        _ => tag,
    };
    let rest = local.strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with([' ', '>', '/', '\n', '\t', '\r']))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let source: Arc<str> = Arc::from(text);
        let pieces = elements(&source, "e").unwrap();
        let mut told = Vec::new();
        for piece in pieces {
            told.push(match piece {
                Piece::Whole(tree) => tree.raw().to_owned(),
                Piece::Broken(range, _) => format!("broken: {}", &source[range]),
            });
        }
        told
    }

    #[test]
    fn elements_are_found_at_any_depth() {
        assert_eq!(
            found("<r><s><e>1</e> <x><e/></x></s><e a='1'/></r>"),
            ["<e>1</e>", "<e/>", "<e a='1'/>"]
        );
        assert_eq!(found("<r/>"), [""; 0]);
    }

    #[test]
    fn a_byte_order_mark_shifts_nothing() {
        assert_eq!(found("\u{feff}<?xml version='1.0'?><r><e>é</e></r>"), ["<e>é</e>"]);
    }

    #[test]
    fn a_broken_element_costs_only_itself() {
        let text = "<r><e>1</e><e><a></b></e><e>3</e></r>";
        assert_eq!(found(text), ["<e>1</e>", "broken: <e><a></b></e>", "<e>3</e>"]);
        let unclosed = "<r><n:e><a><n:e>2</n:e></r>";
        assert_eq!(found(unclosed), ["broken: <n:e><a>", "<n:e>2</n:e>"]);
        let bad_attribute = "<r><e a=></e><e>2</e></r>";
        assert_eq!(found(bad_attribute), ["broken: <e a=></e>", "<e>2</e>"]);
    }

    #[test]
    fn a_truncated_answer_keeps_what_was_whole() {
        assert_eq!(found("<r><e>1</e><e><a>"), ["<e>1</e>", "broken: <e><a>"]);
        assert_eq!(found("<r><e>1</e></x>"), ["<e>1</e>"]);
    }

    #[test]
    fn an_answer_without_any_is_an_error_when_it_is_broken() {
        assert!(elements(&Arc::from("<r></s>"), "e").is_err());
        assert!(elements(&Arc::from("<!DOCTYPE e><e/>"), "e").is_err());
    }
}
