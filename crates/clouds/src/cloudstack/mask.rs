//! Takes secrets out of what a server said, before it gets into an error.
//!
//! Proxies print the address they could not reach, with its query; answers of `listUsers` hold the
//! keys of all users. So two things are blanked: the values that were sent, however encoded, and
//! whatever stands behind a telling name. The text keeps its length, so places in it stay true.

use pluvio_net::Secret;

use super::sign::encode;

/// A shorter value would be found in half of all words.
const VALUE_BYTES_MIN: usize = 4;

/// Names of parameters, fields and cookies whose value is secret, in lower case.
const NAMES: [&str; 7] =
    ["apikey", "secretkey", "signature", "sessionkey", "password", "jsessionid", "userdata"];

/// The secrets of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Mask {
    values: Vec<Secret>,
}

impl Mask {
    pub(super) fn add(&mut self, value: &str) {
        if value.len() < VALUE_BYTES_MIN {
            return;
        }
        let encoded = encode(value);
        self.values.push(Secret::new(encoded.to_lowercase()));
        self.values.push(Secret::new(encoded));
        self.values.push(Secret::new(value));
    }

    /// The text with `*` for each byte of a secret.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for value in &self.values {
            if masked.contains(value.expose()) {
                masked = masked.replace(value.expose(), &"*".repeat(value.expose().len()));
            }
        }
        by_name(&masked)
    }
}

/// Blanks `password=x`, `"apikey": "x"` and their like.
pub(super) fn by_name(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut names: Vec<usize> = NAMES
        .iter()
        .flat_map(|name| lower.match_indices(name).map(|(at, name)| at + name.len()))
        .collect();
    names.sort_unstable();
    let (mut masked, mut done) = (String::with_capacity(text.len()), 0);
    for end_of_name in names {
        // A name inside a value that is blanked already.
        if end_of_name < done {
            continue;
        }
        let rest = &text[end_of_name..];
        let value = rest.trim_start_matches([' ', '"', '\'', '\\', ':', '=']);
        if !rest[..rest.len() - value.len()].contains([':', '=']) {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "&\"'\\<>,;)}".contains(c);
        let bytes = value.find(ends).unwrap_or(value.len());
        let start = text.len() - value.len();
        masked.push_str(&text[done..start]);
        masked.extend(std::iter::repeat_n('*', bytes));
        done = start + bytes;
    }
    masked.push_str(&text[done..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_were_sent_are_blanked_in_each_encoding() {
        let mut mask = Mask::default();
        mask.add("a+b/c=");
        mask.add("x");
        assert_eq!(mask.apply("a+b/c= or a%2Bb%2Fc%3D, x"), "****** or ************, x");
        assert_eq!(mask.apply("(a%2bb%2fc%3d)"), "(************)");
    }

    #[test]
    fn what_stands_behind_a_telling_name_is_blanked() {
        for (text, expected) in [
            ("?apiKey=abc&x=1&signature=", "?apiKey=***&x=1&signature="),
            (r#"{"secretkey" : "abc","id":1}"#, r#"{"secretkey" : "***","id":1}"#),
            (r#"{\"password\":\"abc\"}"#, r#"{\"password\":\"***\"}"#),
            ("password apikey=sessionkey=12 é", "password apikey=************* é"),
            ("the signature is wrong", "the signature is wrong"),
        ] {
            assert_eq!(by_name(text), expected);
        }
    }
}
