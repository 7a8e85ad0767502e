//! Erlang terms written as text, as a configuration value may be one.
//!
//! Owns reading them: numbers, words, quoted words, texts in quotes and `<<"…">>`, lists
//! and tuples. Whatever else Erlang can write is refused.

use crate::term::Term;

/// Deepest nesting read.
const DEPTH_MAX: usize = 64;

/// The term a text is; `None` when it is none.
pub fn parse(text: &str) -> Option<Term> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    let term = reader.term(0)?;
    reader.skip_blanks();
    if reader.peek() == Some('.') {
        reader.at += 1;
        reader.skip_blanks();
    }
    (reader.at == reader.chars.len()).then_some(term)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn eat(&mut self, expected: &str) -> Option<()> {
        self.skip_blanks();
        for c in expected.chars() {
            if self.peek()? != c {
                return None;
            }
            self.at += 1;
        }
        Some(())
    }

    fn term(&mut self, depth: usize) -> Option<Term> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_blanks();
        match self.peek()? {
            '"' => self.quoted('"').map(Term::Chars),
            '\'' => self.quoted('\'').map(Term::Atom),
            '[' => self.sequence('[', ']', depth).map(Term::List),
            '{' => self.sequence('{', '}', depth).map(Term::Tuple),
            '<' => self.binary(),
            c if c == '-' || c.is_ascii_digit() => self.number(),
            c if c.is_lowercase() => self.word(),
            _ => None,
        }
    }

    fn quoted(&mut self, mark: char) -> Option<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let c = self.peek()?;
            self.at += 1;
            if c == mark {
                return Some(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let escaped = self.peek()?;
            self.at += 1;
            text.push(match escaped {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            });
        }
    }

    fn sequence(&mut self, open: char, close: char, depth: usize) -> Option<Vec<Term>> {
        let _ = open;
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.peek()? == close {
            self.at += 1;
            return Some(items);
        }
        loop {
            items.push(self.term(depth + 1)?);
            self.skip_blanks();
            let c = self.peek()?;
            self.at += 1;
            match c {
                ',' => {}
                c if c == close => return Some(items),
                _ => return None,
            }
        }
    }

    fn binary(&mut self) -> Option<Term> {
        self.eat("<<")?;
        self.skip_blanks();
        if self.eat(">>").is_some() {
            return Some(Term::text(""));
        }
        let text = if self.peek()? == '"' { self.quoted('"')? } else { return None };
        if self.peek() == Some('/') {
            self.eat("/utf8")?;
        }
        self.eat(">>")?;
        Some(Term::Text(text))
    }

    fn taken(&mut self, accept: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn number(&mut self) -> Option<Term> {
        let start = self.at;
        let text = self.taken(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e'));
        // A full stop behind a number ends the term.
        let digits = text.trim_end_matches('.');
        self.at = start + digits.chars().count();
        digits.parse().map(Term::Int).or_else(|_| digits.parse().map(Term::Float)).ok()
    }

    fn word(&mut self) -> Option<Term> {
        let text = self.taken(|c| c.is_alphanumeric() || matches!(c, '_' | '@'));
        Some(match text.as_str() {
            "true" => Term::Bool(true),
            "false" => Term::Bool(false),
            _ => Term::Atom(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read() {
        for (text, expected) in [
            ("<<\"secret\">>", Some(Term::text("secret"))),
            ("\"a b\"", Some(Term::Chars("a b".into()))),
            ("plain", Some(Term::atom("plain"))),
            ("{encrypted,<<\"x\">>}.", Some(Term::pair(Term::atom("encrypted"), Term::text("x")))),
            ("[1, -2, 1.5]", Some(Term::List(vec![Term::Int(1), Term::Int(-2), Term::Float(1.5)]))),
            ("not a term(", None),
            ("encrypted:abc", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
