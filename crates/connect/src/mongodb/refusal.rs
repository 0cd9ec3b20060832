//! What MongoDB's error codes say: whether a document is to blame, and whether it may be taken later. Pure.
//!
//! The same code has two meanings, by its place. Of one document, in a list of write errors, it is about
//! that document. Of the whole insert it may be about the command: a write concern that the server does
//! not know is a bad value, too. It refuses to blame a document for such a code while no other is taken.

/// Another document has the same key in a unique index.
pub(super) const DUPLICATE_KEY: i32 = 11000;
/// What is only ever said because of a document: overflow, invalid BSON, names with a dollar or a dot, an
/// empty name, validation, arrays that an index cannot have both of, size (of the document, of an index's
/// key), a place that is none on a map.
const OF_DOCUMENT: [i32; 12] =
    [15, 22, 52, 56, 57, 121, 171, 10_334, 16_755, 17_280, 17_419, 17_420];
/// What is said of documents and of commands: bad value, failed to parse, type mismatch.
const OF_EITHER: [i32; 3] = [2, 9, 14];
/// What it says of a document that it may take in a moment: a limit of time, write conflict, a primary
/// that steps down or is not one, interrupted, a chunk that moves.
const NOT_NOW: [i32; 13] =
    [50, 63, 91, 112, 133, 189, 262, 10_107, 11_600, 11_602, 13_388, 13_435, 13_436];

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A document will never be taken.
    OfDocument,
    /// A document will never be taken, or no insert at all.
    OfEither,
    /// It may be taken in a moment.
    NotNow,
    /// No insert will be taken until somebody does something.
    OfAll,
}

impl Refusal {
    /// Of a code that was said of the whole insert.
    pub(super) fn of_insert(code: i32) -> Self {
        match code {
            code if OF_DOCUMENT.contains(&code) => Self::OfDocument,
            code if OF_EITHER.contains(&code) => Self::OfEither,
            code if NOT_NOW.contains(&code) => Self::NotNow,
            _ => Self::OfAll,
        }
    }

    /// Of a code that was said of one document.
    pub(super) fn of_one(code: i32) -> Self {
        match Self::of_insert(code) {
            Self::OfEither => Self::OfDocument,
            Self::OfAll if code == DUPLICATE_KEY => Self::OfDocument,
            refusal => refusal,
        }
    }
}

/// Whether a refusal as a duplicate names the index of `_id`: then the same document is there. Not every
/// server names an index.
pub(super) fn names_id(message: &str) -> bool {
    let index = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    index == Some("_id_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_index_of_the_id_says_that_the_same_document_is_there() {
        let duplicate =
            |index| format!("E11000 duplicate key error collection: a.b index: {index} dup key");
        assert!(names_id(&duplicate("_id_")));
        assert!(!names_id(&duplicate("subject_1")));
        assert!(!names_id(&duplicate("_id_1_subject_1")));
        assert!(!names_id("E11000 duplicate key error collection: a.b"));
    }

    #[test]
    fn a_code_of_one_document_is_its_fault_also_where_it_may_be_that_of_the_command() {
        for (code, of_one, of_insert) in [
            (2, Refusal::OfDocument, Refusal::OfEither),
            (DUPLICATE_KEY, Refusal::OfDocument, Refusal::OfAll),
            (10_334, Refusal::OfDocument, Refusal::OfDocument),
            (112, Refusal::NotNow, Refusal::NotNow),
            (13, Refusal::OfAll, Refusal::OfAll),
        ] {
            let told = (Refusal::of_one(code), Refusal::of_insert(code));
            assert_eq!(told, (of_one, of_insert), "{code}");
        }
    }
}
