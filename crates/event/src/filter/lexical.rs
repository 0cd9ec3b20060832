//! What is checked in an expression's text before it is parsed: the parser recurses, so nesting and
//! chains are bounded first, or a hundred bytes of brackets overflow a stack; and it takes some
//! microseconds for each token, so their number is bounded, too.
//!
//! The text is cut into the tokens of CEL's grammar, exactly as the parser's lexer cuts it: string
//! literals of all kinds (plain, raw, triple-quoted) are taken out, so that a URL is no comment and a
//! pattern's brackets do not count. What the lexer could cut otherwise is refused: a literal that does
//! not end, an escape that CEL does not have (the parser would read on behind the quote), a number with
//! letters behind it (`1r"…"` is a number and a raw text), and any character that CEL does not have
//! outside of texts.
//!
//! It refuses to understand CEL: that is the parser's work.

use super::FilterError;
use super::limits::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_OPERATORS_MAX, EXPRESSION_TOKENS_MAX,
};

/// What operators begin with.
const OPERATORS: [char; 14] =
    ['+', '-', '*', '/', '%', '.', '<', '>', '=', '&', '|', '?', ':', '!'];

/// Refuses what could overflow the parser's stack or keep it busy.
pub(super) fn check(cel: &str) -> Result<(), FilterError> {
    if cel.len() > EXPRESSION_BYTES_MAX {
        return Err(FilterError::TooLong(cel.len()));
    }
    let Code { bare, tokens, operators } = code(cel)?;
    if bare.contains("//") {
        return Err(FilterError::Comment);
    }
    if depth(&bare) > EXPRESSION_DEPTH_MAX {
        return Err(FilterError::TooDeep);
    }
    if operators > EXPRESSION_OPERATORS_MAX {
        return Err(FilterError::TooManyOperators);
    }
    if tokens > EXPRESSION_TOKENS_MAX {
        return Err(FilterError::TooManyTokens(tokens));
    }
    Ok(())
}

/// An expression without its texts.
#[derive(Debug)]
struct Code {
    /// The expression with every string literal replaced by a blank.
    bare: String,
    /// How many tokens the parser will see, string literals among them.
    tokens: usize,
    /// How many of them are operators.
    operators: usize,
}

/// Cuts `cel` into tokens.
fn code(cel: &str) -> Result<Code, FilterError> {
    let mut code = Code { bare: String::new(), tokens: 0, operators: 0 };
    let mut at = 0;
    while let Some(rest) = cel.get(at..).filter(|rest| !rest.is_empty()) {
        let blanks = rest.bytes().take_while(|b| b" \t\r\n\x0c".contains(b)).count();
        let length = if blanks > 0 { blanks } else { token(rest).map_err(|e| e.at(cel, at))? };
        code.tokens += usize::from(blanks == 0);
        let token = rest.get(..length).unwrap_or_default();
        code.operators += usize::from(token == "in" || token.starts_with(OPERATORS));
        match token.find(['"', '\'']) {
            Some(prefix) => {
                code.bare.push_str(token.get(..prefix).unwrap_or_default());
                code.bare.push(' ');
            }
            None => code.bare.push_str(token),
        }
        at += length;
    }
    Ok(code)
}

/// Why a text has no next token.
enum Broken {
    Text,
    Number,
    /// Half of an operator, and the whole one.
    Half(char, &'static str),
    Illegal(char),
}

impl Broken {
    /// In words; `at` is its place in bytes.
    fn at(self, cel: &str, at: usize) -> FilterError {
        let column = cel.get(..at).unwrap_or_default().chars().count() + 1;
        FilterError::Syntax(match self {
            Self::Text => format!(
                "the text at column {column} does not end, or holds an escape that CEL does not \
                 have; a backslash is written `\\\\`, or as it is in `r'…'`"
            ),
            Self::Number => format!(
                "the number at column {column} has letters or digits directly behind it; a text is \
                 written in quotes"
            ),
            Self::Half(half, whole) => {
                format!("`{half}` at column {column} is no operator of CEL; `{whole}` is one")
            }
            Self::Illegal(c) => format!(
                "`{}` at column {column} cannot stand outside of a text; a text is written in `\"` \
                 or `'`",
                crate::shown(c.encode_utf8(&mut [0; 4]))
            ),
        })
    }
}

/// The length in bytes of the token that `rest` begins with.
fn token(rest: &str) -> Result<usize, Broken> {
    let mut chars = rest.chars();
    let (first, second) = (chars.next().unwrap_or_default(), chars.next());
    let double = |whole: &'static str| {
        if rest.starts_with(whole) { Ok(2) } else { Err(Broken::Half(first, whole)) }
    };
    match first {
        '"' | '\'' => literal(rest, false).ok_or(Broken::Text),
        '0'..='9' => number(rest).ok_or(Broken::Number),
        _ if is_word(first) => {
            let length = rest.bytes().take_while(|b| is_word(char::from(*b))).count();
            let (word, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
            let is_prefix = |prefix: &&str| word.eq_ignore_ascii_case(prefix);
            match ["r", "b", "br"].iter().find(|prefix| is_prefix(prefix)) {
                Some(prefix) if behind.starts_with(['"', '\'']) => {
                    let text = literal(behind, prefix.contains('r')).ok_or(Broken::Text)?;
                    Ok(length + text)
                }
                _ => Ok(length),
            }
        }
        '=' => double("=="),
        '&' => double("&&"),
        '|' => double("||"),
        '!' | '<' | '>' if second == Some('=') => Ok(2),
        '!' | '<' | '>' | '+' | '-' | '*' | '/' | '%' | '.' | ',' | '?' | ':' => Ok(1),
        '(' | ')' | '[' | ']' | '{' | '}' => Ok(1),
        _ => Err(Broken::Illegal(first)),
    }
}

/// Whether the lexer takes `c` for a part of a name: it knows no letters but ASCII's.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length in bytes of the number that `text` begins with; `None` if a name goes on behind it.
fn number(text: &str) -> Option<usize> {
    let count = |from: usize, is: fn(&u8) -> bool| text.bytes().skip(from).take_while(is).count();
    let byte = |at: usize| text.as_bytes().get(at).copied().unwrap_or_default();
    let hex = if text.starts_with("0x") { count(2, u8::is_ascii_hexdigit) } else { 0 };
    let mut at = if hex > 0 { 2 + hex } else { count(0, u8::is_ascii_digit) };
    let whole = at;
    if hex == 0 {
        let fraction = if byte(at) == b'.' { count(at + 1, u8::is_ascii_digit) } else { 0 };
        at += if fraction > 0 { 1 + fraction } else { 0 };
        let sign = usize::from(matches!(byte(at + 1), b'+' | b'-'));
        let is_exponent = matches!(byte(at), b'e' | b'E');
        let exponent = if is_exponent { count(at + 1 + sign, u8::is_ascii_digit) } else { 0 };
        at += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    at += usize::from(at == whole && matches!(byte(at), b'u' | b'U'));
    (!is_word(char::from(byte(at)))).then_some(at)
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
            let code = code(cel).ok();
            assert_eq!(code.as_ref().map(|code| &*code.bare), Some(bare), "{cel}");
        }
        for broken in ["'open + c", "'a\n' + c'", r"'\q ((((' + c", "\"\"\"x\"\"", r"'\x4'", "'''"]
        {
            assert!(matches!(code(broken), Err(FilterError::Syntax(_))), "{broken}");
        }
    }

    #[test]
    fn an_operator_is_one_however_many_characters_it_has() {
        for (cel, operators) in [
            ("type == '=='", 1),
            ("a in ['b'] || c <= -1 && !d", 6),
            ("a.b ? c : d != e", 4),
            ("inner + 1.5", 1),
        ] {
            assert_eq!(code(cel).ok().map(|code| code.operators), Some(operators), "{cel}");
        }
        let terms = |count| vec!["account == 'a'"; count].join(" || ");
        assert!(check(&terms(32)).is_ok());
        assert!(matches!(check(&terms(33)), Err(FilterError::TooManyOperators)));
    }

    #[test]
    fn tokens_are_counted_as_the_parser_counts_them() {
        for (cel, tokens) in [
            ("", 0),
            ("type == 'a b'", 3),
            ("[1, 2.5e-3, 0x1Fu, 7U, r'\\', b\"x\"]", 13),
            ("a.b[0]<=c&&!d||-e?f:g", 18),
            ("rb'x'in\"y\"", 4),
            ("1.size() + .5", 8),
        ] {
            assert_eq!(code(cel).ok().map(|code| code.tokens), Some(tokens), "{cel}");
        }
    }

    #[test]
    fn a_character_outside_of_texts_that_cel_does_not_have_is_refused_with_its_place() {
        for (cel, told) in [
            ("'é' == $ $ $", "`$` at column 8 cannot stand outside of a text"),
            ("type == “VM”", "`“` at column 9 cannot"),
            ("größe == 1", "`ö` at column 3 cannot"),
            ("a == 1\u{1b}", "`\\u001b` at column 7 cannot"),
            ("type = 'a'", "`=` at column 6 is no operator of CEL; `==` is one"),
            ("a & b", "`&` at column 3 is no operator of CEL; `&&` is one"),
            ("a.`b c`", "`` ` `` at column 3"),
            ("a == 1b", "the number at column 6 has letters or digits directly behind it"),
            ("0xg == 1.5u", "the number at column 1"),
        ] {
            let error = code(cel).err().map(|error| error.to_string()).unwrap_or_default();
            let told = told.replace("`` ` ``", "```");
            assert!(error.contains(&told), "{cel}: {error}");
        }
    }

    #[test]
    fn what_stands_before_a_text_does_not_hide_code_in_it() {
        let brackets = format!("{}1{}", "(".repeat(20), ")".repeat(20));
        // The parser takes these for a raw text, and what follows for code.
        for before in ["ér", "1r", "1ur", "0xbr", "1e", "٣r"] {
            let cel = format!("{before}\"\\\"=={brackets}\"");
            assert!(matches!(check(&cel), Err(FilterError::Syntax(_))), "{cel}");
        }
        // And these for a name and a plain text, which ends only at its third quote.
        for before in ["rb", "Rb", "xr"] {
            let cel = format!("{before}\"\\\" \"=={brackets}==\" \"");
            assert!(matches!(check(&cel), Err(FilterError::TooDeep)), "{cel}");
        }
        assert!(matches!(check(&format!("r\"\\\"=={brackets}")), Err(FilterError::TooDeep)));
    }
}
