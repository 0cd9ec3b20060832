//! Where the secret behind a [telling name](crate::telling) stands in a text that nobody parses.
//!
//! In texts of answers that get into an error a value is looked for in the ways in which servers write one:
//! `name=value`, `"name": "value"` at any depth of quoting, `<name>value</name>`. Where a value begins and its
//! end cannot be known, it is taken to reach to the end of the text: less is told then, but no secret.
//!
//! It refuses to look for secrets without a name; what was sent is known by its value, and
//! [`mask`](super::mask) finds that.

use std::ops::Range;

use crate::telling;

/// The values behind telling names; ascending.
pub(super) fn places(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let (mut places, mut done) = (Vec::new(), 0);
    for word in telling::places(&lower) {
        // A name that was looked at, or stands inside of a value.
        if word < done {
            continue;
        }
        let begin = done + lower[done..word].trim_end_matches(is_part_of_name).len();
        done = word + name_length(&lower[word..]);
        let place = match tag(&lower[..begin]) {
            Some((Tag::Start, _)) => element(&lower, begin..done),
            Some((Tag::End, _)) => None,
            None => field(&lower, done),
        };
        if let Some(place) = place {
            done = place.end;
            places.extend(Some(place).filter(|place| !place.is_empty()));
        }
    }
    places
}

/// Which tag a name stands in.
enum Tag {
    Start,
    End,
}

/// The tag of the name, without its prefix, that follows this text, and where it begins; markup may be
/// quoted in markup.
fn tag(before: &str) -> Option<(Tag, usize)> {
    let before = match before.strip_suffix(':') {
        Some(prefix) => prefix.trim_end_matches(is_part_of_name),
        None => before,
    };
    let (tag, before) = match before.strip_suffix('/') {
        Some(before) => (Tag::End, before),
        None => (Tag::Start, before),
    };
    let outside = before.strip_suffix('<').or_else(|| before.strip_suffix("&lt;"))?;
    Some((tag, outside.len()))
}

/// What is in the element whose name this is, to the end tag that belongs to it.
fn element(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let rest = &text[name.end..];
    let plain = rest.find('>');
    let quoted = rest[..plain.unwrap_or(rest.len())].find("&gt;");
    let (inside, end_of_tag) = match (quoted, plain) {
        (Some(quoted), _) => (quoted, "&gt;".len()),
        (None, Some(plain)) => (plain, 1),
        // The tag itself is cut.
        (None, None) => return Some(name.end..text.len()),
    };
    if let Some(attributes) = rest[..inside].strip_suffix('/') {
        return Some(name.end..name.end + attributes.len());
    }
    let content = name.end + inside + end_of_tag;
    // What stands in the tag is not told apart from what it holds.
    let has_attributes = !rest[..inside].trim().is_empty();
    let begin = if has_attributes { name.end } else { content };
    let mut open = 1_usize;
    for (at, _) in text[content..].match_indices(&text[name]) {
        match tag(&text[..content + at]) {
            Some((Tag::Start, _)) => open += 1,
            Some((Tag::End, end)) if open == 1 => return Some(begin..end),
            Some((Tag::End, _)) => open -= 1,
            None => {}
        }
    }
    Some(begin..text.len())
}

/// The value that a sign of assignment behind the name's end leads to.
fn field(text: &str, end_of_name: usize) -> Option<Range<usize>> {
    let rest = text[end_of_name..].trim_start_matches(['\\', '"', '\'', ']', ' ']);
    let value = rest.trim_start_matches([':', '=', '>', ' ', '\t', '\r', '\n']);
    if !rest[..rest.len() - value.len()].contains([':', '=']) {
        return None;
    }
    let depth = value.len() - value.trim_start_matches('\\').len();
    let quoted = value[depth..].chars().next().filter(|c| ['"', '\''].contains(c));
    let begin = text.len() - value.len();
    match quoted {
        Some(quote) => {
            let begin = begin + depth + 1;
            let inside = &text[begin..];
            Some(begin..begin + quoted_length(inside, quote, depth))
        }
        // A list or an object, of which a text without a parser has no end.
        None if value.starts_with(['{', '[']) => Some(begin..text.len()),
        None => {
            let ends = |c: char| c.is_whitespace() || "&\"'\\<>,;)}]".contains(c);
            Some(begin..begin + value.find(ends).unwrap_or(value.len()))
        }
    }
}

/// How long a text is whose quotes have `depth` backslashes: 0 in JSON, 1 in JSON that is a text in JSON,
/// and so on. A quote inside of it has more.
fn quoted_length(text: &str, quote: char, depth: usize) -> usize {
    let mut backslashes = 0_usize;
    for (at, c) in text.char_indices() {
        if c == quote && backslashes % (2 * (depth + 1)) == depth {
            return at - depth;
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

fn name_length(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_part_of_name).len()
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text without what is secret.
    fn shown(text: &str) -> String {
        let (mut shown, mut from) = (String::new(), 0);
        for place in places(text) {
            shown = shown + &text[from..place.start] + "***";
            from = place.end;
        }
        shown + &text[from..]
    }

    #[test]
    fn what_stands_behind_a_telling_name_is_found() {
        for (text, expected) in [
            ("?apiKey=abc&x=1&signature=", "?apiKey=***&x=1&signature="),
            (r#"{"secretkey" : "abc","id":1}"#, r#"{"secretkey" : "***","id":1}"#),
            (r#"{"vncPasswordHash":"abc"}"#, r#"{"vncPasswordHash":"***"}"#),
            ("password apikey=sessionkey=12 é", "password apikey=*** é"),
            ("[sessionkey] => abc [id] => 1", "[sessionkey] => *** [id] => 1"),
            (r#"{"password":"","id":"1"}"#, r#"{"password":"","id":"1"}"#),
            ("the signature is wrong", "the signature is wrong"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_quoted_value_ends_with_its_own_quote_and_else_with_the_text() {
        for (text, expected) in [
            (r#"{"password":"a, \"b\"; c d\\","id":1}"#, r#"{"password":"***","id":1}"#),
            (r#"{\"token\":\"a, \\\"b\\\"; c\\\\\",\"id\":1}"#, r#"{\"token\":\"***\",\"id\":1}"#),
            (r#"{"passwd":"a, b\"#, r#"{"passwd":"***"#),
            (r#"{\"passwd\":\"a, b"}"#, r#"{\"passwd\":\"***"#),
            ("password='a b' id='1'", "password='***' id='1'"),
            (r#"{"credentials":{"a":"b"},"id":1}"#, r#"{"credentials":***"#),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn an_element_with_a_telling_name_is_secret_to_its_own_end() {
        for (text, expected) in [
            ("<sessionkey>a b</sessionkey><id>1</id>", "<sessionkey>***</sessionkey><id>1</id>"),
            ("<a:apikey >x<i>y</i></a:apikey>1", "<a:apikey >***</a:apikey>1"),
            ("<secret><secret>x</secret>y</secret>1", "<secret>***</secret>1"),
            ("<secretkey value='x y'/><id>1</id>", "<secretkey***/><id>1</id>"),
            ("<password a='x'>y</password>1", "<password***</password>1"),
            ("&lt;token&gt;x&lt;/token&gt;1", "&lt;token&gt;***&lt;/token&gt;1"),
            ("<user apikey=\"x y\" id='1'>z", "<user apikey=\"***\" id='1'>z"),
            ("<password>x</passwor", "<password>***"),
            ("<password x", "<password***"),
            ("</password>: 1", "</password>: 1"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn values_are_found_in_long_texts_of_names_without_end() {
        for piece in
            ["secret", "secret=\"", "<token>", "</token>", "token:{", "<secret a", "token\\"]
        {
            let text = piece.repeat(300_000);
            assert!(places(&text).len() <= 300_000);
        }
        let numbered: String = (0..100_000).map(|n| format!("<a{n}token>x</a{n}token>")).collect();
        assert_eq!(places(&numbered).len(), 100_000);
    }
}
