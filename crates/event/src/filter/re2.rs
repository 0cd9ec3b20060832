//! RE2's syntax in terms of the one that the compiler reads, which is almost the same.
//!
//! Classes that RE2 defines over ASCII (`\w`, `\d`, `\s`, `\b`) are replaced, which also keeps patterns
//! small. What both read, but each in its own way, is refused with what to write so that both agree: a
//! pattern that silently matches something else hides events, or shows them.
//!
//! It refuses to translate the rest: what RE2 reads and the compiler does not (`x{`, `\Q…\E`, a bare
//! `[` in a class) is an error.

use regex_syntax::ast::{self, Ast, Flag, FlagsItemKind, parse::ParserBuilder};

use super::{RegexError, limits::NEST_MAX};

/// A pattern that means to the compiler what it means to RE2.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) pattern: String,
    /// How many of its classes hold ranges beyond ASCII: these are looked up in Unicode's tables, and
    /// folded by them where case does not count.
    pub(super) wide_classes: usize,
}

/// Reads `pattern` as RE2 does.
pub(super) fn read(pattern: &str) -> Result<Read, RegexError> {
    let ast = ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .build()
        .parse(pattern)
        .map_err(|error| RegexError::Syntax(error.kind().to_string()))?;
    let mut found = Found { pattern, replaced: Vec::new(), wide_classes: 0 };
    ast::visit(&ast, &mut found)?;
    let Found { mut replaced, wide_classes, .. } = found;
    replaced.sort_by_key(|(start, ..)| *start);
    let (mut out, mut at) = (String::new(), 0);
    for (start, end, replacement) in replaced {
        out.push_str(pattern.get(at..start).unwrap_or_default());
        out.push_str(replacement);
        at = end;
    }
    out.push_str(pattern.get(at..).unwrap_or_default());
    Ok(Read { pattern: out, wide_classes })
}

/// What is wrong with a pattern that does not parse, without the pattern.
pub(super) fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "its meaning is unknown".to_owned(),
    }
}

const OPERATOR: RegexError = RegexError::NotRe2 {
    what: r"`&&`, `--` or `~~` in a class, which are operators here and characters in RE2",
    instead: r"write the character once and escaped, for example `[a\&b]`, or `[+,\-]` for `[+--]`",
};
const NESTED: RegexError = RegexError::NotRe2 {
    what: r"a class within a class, which RE2 takes for the character `[` and an end",
    instead: r"write `\[` for the character, or all of it in one class, for example `[a-z0-9]`",
};
const FLAG: RegexError = RegexError::NotRe2 {
    what: r"a flag that RE2 does not have",
    instead: r"flags are `i`, `m`, `s` and `U`; without `x`, a blank is a blank",
};
const ANGLE: RegexError = RegexError::NotRe2 {
    what: r"`\<` or `\>`, which are ends of words here and characters in RE2",
    instead: r"write `\b` for the end of a word, `<` or `>` for the character",
};
const BRACES: RegexError = RegexError::NotRe2 {
    what: r"`\b{…}`, which is a kind of boundary here and a text in braces in RE2",
    instead: r"write `\b` for the end of a word, `\{` for the character",
};
const BLANK: RegexError = RegexError::NotRe2 {
    what: r"a repetition with a blank in its braces, which RE2 takes for a text",
    instead: r"write it without, for example `a{2,3}`, or `\{` for the character",
};

struct Found<'p> {
    pattern: &'p str,
    /// Where a class stands, in bytes, and what it becomes.
    replaced: Vec<(usize, usize, &'static str)>,
    wide_classes: usize,
}

impl Found<'_> {
    fn perl(&mut self, class: &ast::ClassPerl) {
        use ast::ClassPerlKind as Kind;
        let replacement = match (&class.kind, class.negated) {
            (Kind::Digit, false) => "[0-9]",
            (Kind::Digit, true) => "[^0-9]",
            (Kind::Space, false) => r"[\t\n\f\r\x20]",
            (Kind::Space, true) => r"[^\t\n\f\r\x20]",
            (Kind::Word, false) => "[0-9A-Za-z_]",
            (Kind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.replace(&class.span, replacement);
    }

    fn replace(&mut self, span: &ast::Span, replacement: &'static str) {
        self.replaced.push((span.start.offset, span.end.offset, replacement));
    }

    fn assertion(&mut self, assertion: &ast::Assertion) -> Result<(), RegexError> {
        use ast::AssertionKind as Kind;
        match assertion.kind {
            Kind::WordBoundary => self.replace(&assertion.span, r"(?-u:\b)"),
            Kind::NotWordBoundary => self.replace(&assertion.span, r"(?-u:\B)"),
            Kind::StartLine | Kind::EndLine | Kind::StartText | Kind::EndText => {}
            Kind::WordBoundaryStartAngle | Kind::WordBoundaryEndAngle => return Err(ANGLE),
            Kind::WordBoundaryStart
            | Kind::WordBoundaryEnd
            | Kind::WordBoundaryStartHalf
            | Kind::WordBoundaryEndHalf => return Err(BRACES),
        }
        Ok(())
    }
}

fn flags(flags: &ast::Flags) -> Result<(), RegexError> {
    let is_re2 = |item: &ast::FlagsItem| match item.kind {
        FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => false,
        FlagsItemKind::Flag(_) | FlagsItemKind::Negation => true,
    };
    if flags.items.iter().all(is_re2) { Ok(()) } else { Err(FLAG) }
}

impl ast::Visitor for &mut Found<'_> {
    type Output = ();
    type Err = RegexError;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::ClassUnicode(_) => self.wide_classes += 1,
            Ast::Assertion(assertion) => self.assertion(assertion)?,
            Ast::Flags(set) => flags(&set.flags)?,
            Ast::Group(group) => {
                if let Some(set) = group.flags() {
                    flags(set)?;
                }
            }
            Ast::Repetition(repetition) => {
                let span = &repetition.op.span;
                let text = self.pattern.get(span.start.offset..span.end.offset).unwrap_or_default();
                if text.contains(char::is_whitespace) {
                    return Err(BLANK);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ast::ClassSetItem::Perl(class) => {
                self.wide_classes += usize::from(class.negated);
                self.perl(class);
            }
            ast::ClassSetItem::Ascii(class) => self.wide_classes += usize::from(class.negated),
            ast::ClassSetItem::Unicode(_) => self.wide_classes += 1,
            ast::ClassSetItem::Range(range) => {
                self.wide_classes += usize::from(!range.end.c.is_ascii());
            }
            ast::ClassSetItem::Bracketed(_) => return Err(NESTED),
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(
        &mut self,
        _: &ast::ClassSetBinaryOp,
    ) -> Result<(), Self::Err> {
        Err(OPERATOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_reads_otherwise_is_refused_with_what_to_write() {
        for (pattern, refused) in [
            ("[a&&b]", OPERATOR),
            ("[+--]", OPERATOR),
            ("[!~~]", OPERATOR),
            ("^[^a-z&&[^b]]$", OPERATOR),
            ("[a[b]]", NESTED),
            ("[[:nosuch:]]", NESTED),
            ("(?x)a b", FLAG),
            ("(?ix:a b)", FLAG),
            ("(?i-x)a", FLAG),
            ("(?u)a", FLAG),
            (r"\<vm", ANGLE),
            (r"vm\>", ANGLE),
            (r"\b{start}vm", BRACES),
            (r"vm\b{end-half}", BRACES),
            ("a{2, 3}", BLANK),
        ] {
            assert_eq!(read(pattern).err(), Some(refused), "{pattern}");
        }
        assert!(OPERATOR.to_string().contains("characters in RE2; write"), "{OPERATOR}");
    }

    #[test]
    fn what_a_refusal_says_to_write_is_taken() {
        for pattern in [
            r"[a\&b]",
            r"[+,\-]",
            r"[a\[b]\]",
            r"[a-z0-9]",
            "(?imsU)a (?-i:b)",
            r"\bvm\b",
            "<vm>",
            r"\bvm\{start}",
            "a{2,3}",
            "[[:alpha:]-]",
            "[a-]",
        ] {
            assert_eq!(read(pattern).map(|_| ()), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_only_re2_reads_is_refused() {
        for pattern in ["^[a[b]$", "x{", r"\Qa.b\E", "x{,3}"] {
            assert!(matches!(read(pattern), Err(RegexError::Syntax(_))), "{pattern}");
        }
    }

    #[test]
    fn classes_beyond_ascii_are_counted() {
        for (pattern, count) in [
            ("[a-z]", 0),
            ("[äöü]", 0),
            (r"\w[^\d]\D", 0),
            (r"\pL[\p{Greek}à-ž]", 3),
            (r"[\D[:^alpha:]]", 2),
        ] {
            assert_eq!(read(pattern).map(|read| read.wide_classes), Ok(count), "{pattern}");
        }
    }
}
