//! Character data: from what stands in the document to what it means.
//!
//! Only the five predefined entities and character references exist here; an unknown reference
//! stays as it was written, for losing the text around it would be worse.

/// Cuts a text to a number of bytes, at a character's edge.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Resolves references, unwraps CDATA sections, drops comments and instructions, and reads any
/// line end as a line feed, as XML demands.
pub(in super::super) fn decode(mut raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    while let Some(at) = raw.find(['&', '<', '\r']) {
        text.push_str(&raw[..at]);
        raw = &raw[at..];
        raw = match raw.as_bytes().first() {
            Some(b'&') => reference(raw, &mut text),
            Some(b'<') => markup(raw, &mut text),
            _ => {
                text.push('\n');
                raw.strip_prefix("\r\n").unwrap_or(&raw[1..])
            }
        };
    }
    text.push_str(raw);
    text
}

/// A reference at the start of `raw`; returns what follows it.
fn reference<'r>(raw: &'r str, text: &mut String) -> &'r str {
    let Some((name, rest)) = raw[1..].split_once(';') else {
        text.push('&');
        return &raw[1..];
    };
    let meant = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => numbered(name),
    };
    match meant {
        Some(meant) => {
            text.push(meant);
            rest
        }
        None => {
            text.push('&');
            &raw[1..]
        }
    }
}

fn numbered(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}

/// A section, comment or instruction at the start of `raw`; returns what follows it.
fn markup<'r>(raw: &'r str, text: &mut String) -> &'r str {
    if let Some((section, rest)) =
        raw.strip_prefix("<![CDATA[").and_then(|open| open.split_once("]]>"))
    {
        text.push_str(section);
        return rest;
    }
    let skipped = match raw.strip_prefix("<!--") {
        Some(comment) => comment.split_once("-->"),
        None => raw.split_once('>'),
    };
    skipped.map_or("", |(_, rest)| rest)
}
