//! Parameters of a request: from the query and the form alike, decoded, in the caller's spelling.

use std::collections::HashMap;

/// Names and values; of a name that is given twice, the first value.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Adds what a query or a form says; a token without `=` says nothing.
    pub(super) fn read(&mut self, text: &str) {
        for (name, value) in text.split('&').filter_map(|token| token.split_once('=')) {
            let name = decode(name);
            if !name.is_empty() && self.pairs.iter().all(|(other, _)| *other != name) {
                self.pairs.push((name, decode(value)));
            }
        }
    }

    /// A value by its name, whatever the case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Names as they were spelled, with their values.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Values by their names in lower case, as commands look for them.
    pub(super) fn lowered(&self) -> HashMap<String, String> {
        self.pairs.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
    }
}

/// Undoes percent-encoding and plus signs; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digit = |place: usize| char::from(*after.get(place)?).to_digit(16);
        match (first, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn the_first_value_counts_and_a_token_without_a_value_does_not() {
        let mut parameters = Parameters::default();
        parameters.read("Command=listEvents&name=a+b%2Bc%c3%bc&broken&name=second&empty=");
        assert_eq!(parameters.get("command"), Some("listEvents"));
        assert_eq!(parameters.get("name"), Some("a b+cü"));
        assert_eq!(parameters.get("empty"), Some(""));
        assert_eq!(parameters.get("broken"), None);
    }
}
