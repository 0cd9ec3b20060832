//! What is checked in an expression's text before it is parsed: the parser recurses, so nesting and
//! chains are bounded first, or a hundred bytes of brackets overflow a stack.
//!
//! String literals of all kinds (plain, raw, triple-quoted) are taken out first, so that a URL is no
//! comment and a pattern's brackets do not count. A literal that does not end, or holds an escape that CEL
//! does not have, is refused here: the parser would read on behind its quote, and what it then reads
//! would not have been counted.
//!
//! It refuses to understand CEL: that is the parser's work.

use super::FilterError;

/// Longest expression taken, in bytes: a person's filter has tens of bytes, and parsing is not
/// linear.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets taken: the parser recurses, and 32 overflow a stack of 2 MiB.
pub const EXPRESSION_DEPTH_MAX: usize = 8;
/// Most operators taken, `.` among them: a chain of them nests as brackets do. Commas do not count:
/// a list of eighty event types is an honest filter.
pub const EXPRESSION_OPERATORS_MAX: usize = 64;

/// Refuses what could overflow the parser's stack or keep it busy.
pub(super) fn check(cel: &str) -> Result<(), FilterError> {
    if cel.len() > EXPRESSION_BYTES_MAX {
        return Err(FilterError::TooLong(cel.len()));
    }
    let bare = without_strings(cel)?;
    if bare.contains("//") {
        return Err(FilterError::Comment);
    }
    if depth(&bare) > EXPRESSION_DEPTH_MAX {
        return Err(FilterError::TooDeep);
    }
    let is_operator = |c: &char| "+-*/%.<>=&|?:!".contains(*c);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = bare.split(|c| !is_word(c)).filter(|word| *word == "in").count();
    if bare.chars().filter(is_operator).count() + words > EXPRESSION_OPERATORS_MAX {
        return Err(FilterError::TooManyOperators);
    }
    Ok(())
}

/// The expression with every string literal replaced by a blank.
fn without_strings(cel: &str) -> Result<String, FilterError> {
    let mut out = String::new();
    let mut rest = cel;
    while let Some(c) = rest.chars().next() {
        let length = if matches!(c, '"' | '\'') {
            let length = literal(rest, is_raw(&out)).ok_or_else(|| {
                let column = cel.chars().count() - rest.chars().count() + 1;
                FilterError::Syntax(format!(
                    "the text at column {column} does not end, or holds an escape that CEL does not \
                     have; a backslash is written `\\\\`, or as it is in `r'…'`"
                ))
            })?;
            out.push(' ');
            length
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(out)
}

/// Whether the letters at the end of `code` make a literal raw (`r`, `br`, `rb`), and are not the end
/// of a name.
fn is_raw(code: &str) -> bool {
    let bare = code.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    let word = code.get(bare.len()..).unwrap_or_default();
    ["r", "br", "rb"].iter().any(|prefix| word.eq_ignore_ascii_case(prefix))
}

/// The length in bytes of the string literal that `text` begins with.
fn literal(text: &str, is_raw: bool) -> Option<usize> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| text.starts_with(quote))?;
    let mut at = quote.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(quote) {
            return Some(at + quote.len());
        }
        let c = rest.chars().next()?;
        let is_line_break = matches!(c, '\n' | '\r') && quote.len() == 1;
        if is_line_break {
            return None;
        }
        at += c.len_utf8();
        if c == '\\' && !is_raw {
            at += escape(text.get(at..)?)?;
        }
    }
}

/// The length of what stands behind a backslash, if it is one of CEL's escapes.
fn escape(text: &str) -> Option<usize> {
    let digits = |from: usize, count: usize, radix| {
        let digits = text.get(from..from + count)?;
        digits.chars().all(|c| c.is_digit(radix)).then_some(from + count)
    };
    match text.chars().next()? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '`' | '\\' | '?' => Some(1),
        'x' | 'X' => digits(1, 2, 16),
        'u' => digits(1, 4, 16),
        'U' => digits(1, 8, 16),
        '0'..='3' => digits(0, 3, 8),
        _ => None,
    }
}

fn depth(cel: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    for byte in cel.bytes() {
        match byte {
            b'(' | b'[' | b'{' => now += 1,
            b')' | b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_literals_of_all_kinds_are_left_out_and_code_is_not() {
        for (cel, bare) in [
            (r#"a == "x.y" + 'z//'"#, "a ==   +  "),
            (r#"a == "\"" + b"#, "a ==   + b"),
            (r#"r"\" + b.c"#, "r  + b.c"),
            (r#"bR'\' + b.c"#, "bR  + b.c"),
            (r#"bar"\" + b.c" + d"#, "bar  + d"),
            ("'''it's''' + c", "  + c"),
            (r"'\n\x41\u00e4\101' + c", "  + c"),
        ] {
            assert_eq!(without_strings(cel).ok().as_deref(), Some(bare), "{cel}");
        }
        for broken in ["'open + c", "'a\n' + c'", r"'\q ((((' + c", "\"\"\"x\"\"", r"'\x4'", "'''"]
        {
            let refused = without_strings(broken);
            assert!(matches!(refused, Err(FilterError::Syntax(_))), "{broken}");
        }
    }
}
