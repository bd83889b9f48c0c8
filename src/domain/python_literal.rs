//! The part of Python's literal syntax that Barman writes into `backup.info`.
//!
//! Barman dumps fields with `repr()` and loads them with `ast.literal_eval`; what it stores are
//! numbers, strings, `None`, and lists, tuples and dictionaries of those.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper nesting than Barman's lists of tuples is damage, and would cost stack.
const DEPTH_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PythonLiteral {
    None,
    Integer(i128),
    Text(String),
    /// A list or a tuple.
    Sequence(Vec<Self>),
}

impl PythonLiteral {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut chars = text.trim().chars().peekable();
        let value = parse_value(&mut chars, DEPTH_MAX)?;
        skip_spaces(&mut chars);
        chars.next().is_none().then_some(value)
    }
}

type Input<'a> = Peekable<Chars<'a>>;

fn parse_value(chars: &mut Input<'_>, depth: usize) -> Option<PythonLiteral> {
    skip_spaces(chars);
    match *chars.peek()? {
        quote @ ('\'' | '"') => {
            chars.next();
            parse_text(chars, quote).map(PythonLiteral::Text)
        }
        '[' => {
            chars.next();
            parse_sequence(chars, ']', depth.checked_sub(1)?)
        }
        '(' => {
            chars.next();
            parse_sequence(chars, ')', depth.checked_sub(1)?)
        }
        _ => parse_word(chars),
    }
}

fn parse_sequence(chars: &mut Input<'_>, close: char, depth: usize) -> Option<PythonLiteral> {
    let mut items = Vec::new();
    loop {
        skip_spaces(chars);
        if chars.next_if_eq(&close).is_some() {
            return Some(PythonLiteral::Sequence(items));
        }
        items.push(parse_value(chars, depth)?);
        skip_spaces(chars);
        if chars.next_if_eq(&',').is_none() && *chars.peek()? != close {
            return None;
        }
    }
}

fn parse_word(chars: &mut Input<'_>) -> Option<PythonLiteral> {
    let mut word = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        word.push(c);
    }
    if word == "None" {
        return Some(PythonLiteral::None);
    }
    word.parse().ok().map(PythonLiteral::Integer)
}

/// The rest of a string after its opening quote, by the escapes that `repr()` writes.
fn parse_text(chars: &mut Input<'_>, quote: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            c if c == quote => return Some(text),
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'x' => text.push(parse_code_point(chars, 2)?),
                'u' => text.push(parse_code_point(chars, 4)?),
                'U' => text.push(parse_code_point(chars, 8)?),
                c @ ('\\' | '\'' | '"') => text.push(c),
                _ => return None,
            },
            c => text.push(c),
        }
    }
}

fn parse_code_point(chars: &mut Input<'_>, digits: usize) -> Option<char> {
    let mut value = 0;
    for _ in 0..digits {
        value = value * 16 + chars.next()?.to_digit(16)?;
    }
    char::from_u32(value)
}

fn skip_spaces(chars: &mut Input<'_>) {
    while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> PythonLiteral {
        PythonLiteral::Text(text.to_owned())
    }

    #[test]
    fn what_barman_writes_is_read() {
        let tablespaces = PythonLiteral::parse("[('ts1', 16384, '/a b'), (\"it's\", 2, '\\x41'),]");
        let tuple = |name, oid, path| {
            PythonLiteral::Sequence(vec![text(name), PythonLiteral::Integer(oid), text(path)])
        };
        let expected = vec![tuple("ts1", 16384, "/a b"), tuple("it's", 2, "A")];
        assert_eq!(tablespaces, Some(PythonLiteral::Sequence(expected)));
        assert_eq!(PythonLiteral::parse("None"), Some(PythonLiteral::None));
        assert_eq!(PythonLiteral::parse("'a\\nb\\u00e9'"), Some(text("a\nbé")));
        assert_eq!(PythonLiteral::parse(" -5 "), Some(PythonLiteral::Integer(-5)));
        assert_eq!(PythonLiteral::parse("[]"), Some(PythonLiteral::Sequence(vec![])));
    }

    #[test]
    fn damaged_literals_are_refused() {
        let deep = "[".repeat(100_000);
        for damaged in ["", "'a", "[1 2]", "[1", "(1,,2)", "nil", "'\\q'", "'\\xZZ'", "1 2", &deep]
        {
            assert_eq!(PythonLiteral::parse(damaged), None, "{damaged:.20}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _: Option<PythonLiteral> = PythonLiteral::parse(&text);
        }
    }
}
