//! The few Erlang expressions that mean something without Erlang: a value, the node's name, the version, and the check of
//! a password by which a widespread provisioning tool finds out whether it must be changed.
//!
//! Owns reading them. Evaluates nothing and asks nobody.

use crate::literal;
use crate::term::Term;

/// An expression with a meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A value, which stands for itself.
    Value(Term),
    /// The name of the node.
    Node,
    /// The version.
    Version,
    /// Whether a user has this password.
    Login {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// What a text means; `None` where only an Erlang runtime could tell.
pub fn read(text: &str) -> Option<Expression> {
    if let Some(value) = literal::parse(text) {
        return Some(Expression::Value(value));
    }
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text).trim_end();
    if text == "node()" {
        return Some(Expression::Node);
    }
    if text == "rabbit_misc:version()" {
        return Some(Expression::Version);
    }
    let rest = text.strip_prefix("rabbit_access_control:check_user_pass_login")?.trim_start().strip_prefix('(')?;
    let (user, rest) = binary(rest)?;
    let (password, rest) = binary(rest.trim_start().strip_prefix(',')?)?;
    (rest.trim() == ")").then_some(Expression::Login { user, password })
}

/// A text at the beginning, as `<<"…">>` or `list_to_binary("…")`, and what follows it.
fn binary(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let (inner, end) = match text.strip_prefix("<<") {
        Some(inner) => (inner, ">>"),
        None => (text.strip_prefix("list_to_binary(")?, ")"),
    };
    let inner = inner.trim_start().strip_prefix('"')?;
    let (mut read, mut letters) = (String::new(), inner.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((read, inner.get(at + 1..)?.trim_start().strip_prefix(end)?)),
            '\\' => read.push(letters.next()?.1),
            letter => read.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str, password: &str) -> Option<Expression> {
        Some(Expression::Login { user: user.to_owned(), password: password.to_owned() })
    }

    #[test]
    fn what_means_something_is_read_and_nothing_else() {
        const CHECK: &str = "rabbit_access_control:check_user_pass_login";
        for (text, expected) in [
            ("node().".to_owned(), Some(Expression::Node)),
            (" rabbit_misc:version() . ".to_owned(), Some(Expression::Version)),
            ("\"abc\".".to_owned(), Some(Expression::Value(Term::Chars("abc".to_owned())))),
            (format!(r#"{CHECK}(list_to_binary("a"), list_to_binary("p\"\\w)"))."#), login("a", r#"p"\w)"#)),
            (format!(r#"{CHECK}( <<"a b">>,<<"">> )"#), login("a b", "")),
            (format!(r#"{CHECK}(list_to_binary("a"), list_to_binary("b")), halt()."#), None),
            (format!(r#"{CHECK}(list_to_binary("a"))."#), None),
            (format!(r#"{CHECK}(list_to_binary("a"#), None),
            (format!(r#"{CHECK}(<<"a\"#), None),
            ("1+1.".to_owned(), None),
            ("init:stop().".to_owned(), None),
        ] {
            assert_eq!(read(&text), expected, "{text}");
        }
    }
}
