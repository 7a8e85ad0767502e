//! Patterns of permissions and policies: compiled once, matched many times, within a budget.
//!
//! The syntax is that of the reference, PCRE: unanchored, with look-around and back
//! references. Two rules are its own: the empty pattern of a permission means `^$`, and a
//! pattern is at most [`PATTERN_BYTES_MAX`] bytes long. Nothing here knows what is being matched.

use std::fmt;
use std::sync::OnceLock;

use fancy_regex::{CompileError, ParseError, Regex, RegexBuilder};

use super::permission::PATTERN_BYTES_MAX;

/// Most backtracking steps one match may take; a pattern that needs more does not match.
pub const MATCH_STEPS_MAX: usize = 50_000;

/// Most memory the compiled form of one pattern may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Why a text is not a pattern. `Display` is the term the reference prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes.
    pub at: usize,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{:?},{}}}", self.reason, self.at)
    }
}

/// What came of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The pattern is found in the text.
    Matched,
    /// It is not.
    Unmatched,
    /// The match took more than [`MATCH_STEPS_MAX`] steps.
    OverBudget,
    /// The text is not a pattern at all.
    Invalid,
}

/// A pattern and, once it was used, its compiled form. Compiling waits for the first use
/// because a node knows many more patterns than it ever needs.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    matcher: OnceLock<Matcher>,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// `.*` finds the empty string everywhere.
    Everything,
    /// The empty pattern stands for `^$`.
    Empty,
    Regex(Regex),
    Invalid(PatternError),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`]: too long, too big when compiled, or no regular expression.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        let pattern = Self::lenient(source);
        match pattern.matcher() {
            Matcher::Invalid(error) => Err(error.clone()),
            _ => Ok(pattern),
        }
    }

    /// A pattern that was accepted earlier, by us or by another broker. One that
    /// cannot be compiled is kept, matches nothing and says so.
    #[must_use]
    pub fn lenient(source: &str) -> Self {
        Self { source: source.to_owned(), matcher: OnceLock::new() }
    }

    /// As [`Self::lenient`], for patterns of policies: there the empty one matches
    /// everything, as any empty regular expression does.
    #[must_use]
    pub fn lenient_unanchored(source: &str) -> Self {
        let pattern = Self::lenient(source);
        if source.is_empty() { Self { matcher: Matcher::Everything.into(), ..pattern } } else { pattern }
    }

    fn matcher(&self) -> &Matcher {
        self.matcher.get_or_init(|| match self.source.as_str() {
            "" => Matcher::Empty,
            ".*" => Matcher::Everything,
            source => compile(source).map_or_else(Matcher::Invalid, Matcher::Regex),
        })
    }

    /// The pattern as given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Looks for the pattern anywhere in `text`.
    #[must_use]
    pub fn find_in(&self, text: &str) -> Outcome {
        let found = match self.matcher() {
            Matcher::Everything => true,
            Matcher::Empty => text.is_empty(),
            Matcher::Regex(regex) => match regex.is_match(text) {
                Ok(found) => found,
                Err(_) => return Outcome::OverBudget,
            },
            Matcher::Invalid(_) => return Outcome::Invalid,
        };
        if found { Outcome::Matched } else { Outcome::Unmatched }
    }
}

fn compile(source: &str) -> Result<Regex, PatternError> {
    if source.len() > PATTERN_BYTES_MAX {
        return Err(PatternError {
            reason: format!("pattern must not exceed {PATTERN_BYTES_MAX} bytes"),
            at: PATTERN_BYTES_MAX,
        });
    }
    RegexBuilder::new(&spell_literals(source)?)
        .backtrack_limit(MATCH_STEPS_MAX)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| explain(source, &error))
}

/// Spells out what PCRE takes literally and our engine does not: a `{` that starts no
/// quantifier (`^{x}$`), `\<`, and everything between `\Q` and `\E`.
fn spell_literals(source: &str) -> Result<String, PatternError> {
    let mut spelled = String::with_capacity(source.len());
    let mut in_class = false;
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let (token, after) = rest.split_at(character.len_utf8());
        rest = after;
        match character {
            '\\' => match rest.chars().next() {
                Some('Q') => {
                    let (literal, after) = rest[1..].split_once("\\E").unwrap_or((&rest[1..], ""));
                    literal.chars().for_each(|character| push_escaped(character, &mut spelled));
                    rest = after;
                }
                Some('E') => rest = &rest[1..],
                // A word boundary for our engine.
                Some(angle @ ('<' | '>')) => {
                    spelled.push(angle);
                    rest = &rest[1..];
                }
                Some(escaped) => {
                    let mut end = escaped.len_utf8();
                    // `\p{Greek}`, `\x{4E2D}`, `\k{name}`, `\g{1}`: the brace belongs to the escape.
                    if "pPxkgou".contains(escaped) && rest[end..].starts_with('{') {
                        end = rest.find('}').map_or(rest.len(), |at| at + 1);
                    }
                    spelled.push('\\');
                    spelled.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
                None => spelled.push('\\'),
            },
            '{' if !in_class => match quantifier(rest) {
                None => spelled.push_str("\\{"),
                Some((low, Some(high))) if low > high => {
                    return Err(PatternError {
                        reason: "numbers out of order in {} quantifier".into(),
                        at: source.len() - rest.len(),
                    });
                }
                Some(_) => spelled.push('{'),
            },
            '[' if !in_class => {
                in_class = true;
                spelled.push('[');
                // A `]` that comes first in a class is a member of it.
                for first in ["^]", "]", "^"] {
                    if let Some(after) = rest.strip_prefix(first) {
                        spelled.push_str(&first.replace(']', "\\]"));
                        rest = after;
                        break;
                    }
                }
            }
            '[' if rest.starts_with(':') && rest.contains(":]") => {
                let end = rest.find(":]").map_or(rest.len(), |at| at + 2);
                spelled.push('[');
                spelled.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            // PCRE has no set operations: inside a class these are ordinary members.
            '[' | '&' | '~' if in_class => push_escaped(character, &mut spelled),
            ']' if in_class => {
                in_class = false;
                spelled.push(']');
            }
            _ => spelled.push_str(token),
        }
    }
    Ok(spelled)
}

fn push_escaped(character: char, into: &mut String) {
    if r"\.+*?()|[]{}^$#&-~".contains(character) {
        into.push('\\');
    }
    into.push(character);
}

/// The bounds, when what follows a `{` is `n}`, `n,}` or `n,m}`.
fn quantifier(rest: &str) -> Option<(u64, Option<u64>)> {
    let (inside, _) = rest.split_once('}')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond any limit is a quantifier too; the engine refuses it.
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    match inside.split_once(',') {
        None => (!inside.is_empty() && digits(inside)).then(|| (number(inside), None)),
        Some((low, "")) => (!low.is_empty() && digits(low)).then(|| (number(low), None)),
        Some((low, high)) => {
            (!low.is_empty() && digits(low) && digits(high)).then(|| (number(low), Some(number(high))))
        }
    }
}

/// Words of the reference for the mistakes people make, the engine's own for the rest.
fn explain(source: &str, error: &fancy_regex::Error) -> PatternError {
    let unclosed_class =
        || PatternError { reason: "missing terminating ] for character class".into(), at: source.len() };
    match error {
        fancy_regex::Error::ParseError(at, error) => match error {
            ParseError::UnclosedOpenParen => PatternError { reason: "missing )".into(), at: source.len() },
            ParseError::InvalidClass => unclosed_class(),
            ParseError::TargetNotRepeatable | ParseError::InvalidRepeat => {
                PatternError { reason: "nothing to repeat".into(), at: *at }
            }
            ParseError::TrailingBackslash => PatternError { reason: "\\ at end of pattern".into(), at: source.len() },
            other => PatternError { reason: other.to_string(), at: *at },
        },
        fancy_regex::Error::CompileError(error) => {
            let reason = match error.as_ref() {
                CompileError::InnerError(inner) if inner.size_limit().is_some() => {
                    "regular expression is too large".to_owned()
                }
                CompileError::InnerError(inner) => match inner.syntax_error().map(ToString::to_string) {
                    Some(text) => match text.rsplit("error: ").next().unwrap_or_default().trim() {
                        "unclosed character class" => return unclosed_class(),
                        "repetition operator missing expression" => {
                            return PatternError { reason: "nothing to repeat".into(), at: 0 };
                        }
                        other => other.to_owned(),
                    },
                    None => inner.to_string(),
                },
                other => other.to_string(),
            };
            PatternError { reason, at: 0 }
        }
        other => PatternError { reason: other.to_string(), at: 0 },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let expected = if expected { Outcome::Matched } else { Outcome::Unmatched };
        assert_eq!(compiled.find_in(text), expected, "{pattern} in {text:?}");
    }

    #[test]
    fn patterns_are_unanchored_and_the_empty_one_means_the_empty_name() {
        for (pattern, text, found) in [
            ("", "", true),
            ("", "a", false),
            (".*", "", true),
            (".*", "a\nb", true),
            ("b", "abc", true),
            ("^b", "abc", false),
            ("^(a|b)$", "b", true),
            ("^amq\\.default$", "amq.default", true),
            ("^amq\\.default$", "amqXdefault", false),
            ("x|y", "zy", true),
            ("水", "水许传", true),
        ] {
            check(pattern, text, found);
        }
    }

    #[test]
    fn pcre_syntax_is_understood() {
        for (pattern, text, found) in [
            ("^(?!secret-)", "secret-a", false),
            ("^(?!secret-)", "open-a", true),
            ("(?<=a)b", "ab", true),
            ("(?<=a)b", "cb", false),
            ("^(a+)x\\1$", "aaxaa", true),
            ("(?i)ABC", "abc", true),
            ("(?>a+)b", "aab", true),
            ("a++b", "aab", true),
            ("^a{2,3}$", "aaa", true),
            ("^a{2}$", "aaa", false),
            ("^{x}$", "{x}", true),
            ("^a{,b}$", "a{,b}", true),
            ("^{client_id}$", "{client_id}", true),
            ("^\\Qa.b{2}\\E$", "a.b{2}", true),
            ("^\\Qa.b\\E$", "axb", false),
            ("^[[:alpha:]]+$", "ab", true),
            ("^[]a]+$", "]a", true),
            ("^[^]a]+$", "]", false),
            ("^[{a&&b}]+$", "{&}", true),
            ("^[a[]+$", "[a", true),
            ("^\\x{6c34}$", "水", true),
            ("^\\p{Greek}$", "α", true),
            ("(?#comment)a", "a", true),
        ] {
            check(pattern, text, found);
        }
    }

    #[test]
    fn mistakes_are_told_in_the_reference_words() {
        for (pattern, expected) in [
            ("[", r#"{"missing terminating ] for character class",1}"#),
            ("(", r#"{"missing )",1}"#),
            ("bar(", r#"{"missing )",4}"#),
            ("*", r#"{"nothing to repeat",0}"#),
            ("*a", r#"{"nothing to repeat",0}"#),
            ("\\", r#"{"\\ at end of pattern",1}"#),
            ("a{2,1}", r#"{"numbers out of order in {} quantifier",2}"#),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap_err().to_string(), expected, "{pattern}");
        }
        for pattern in ["\\p{Bad}", "x{100000}"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn length_size_and_steps_are_bounded() {
        assert!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX)).is_ok());
        assert!(Pattern::new(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
        assert!(Pattern::new("((a{1000}){1000}){1000}").is_err(), "a small text must not become a huge program");

        let hungry = Pattern::new("^(?=a)(a|aa)+(?!a)$").unwrap();
        assert_eq!(hungry.find_in(&format!("{}b", "a".repeat(200))), Outcome::OverBudget);
    }

    #[test]
    fn a_stored_pattern_that_cannot_be_compiled_matches_nothing() {
        let broken = Pattern::lenient("(");
        assert_eq!((broken.source(), broken.find_in("")), ("(", Outcome::Invalid));
    }

    proptest! {
        #[test]
        fn no_text_panics(pattern in "[\\[\\]{}()\\\\a-c,0-2:^|*+?QEpxk&.水-]{0,12}", text in ".{0,8}") {
            if let Ok(compiled) = Pattern::new(&pattern) {
                let _ = compiled.find_in(&text);
            }
        }

        #[test]
        fn an_escaped_name_matches_itself_alone(name in "[ -~]{1,12}", other in "[ -~]{0,12}") {
            let escaped: String = name.chars().fold(String::new(), |mut escaped, character| {
                push_escaped(character, &mut escaped);
                escaped
            });
            let pattern = Pattern::new(&format!("^{escaped}$")).unwrap();
            prop_assert_eq!(pattern.find_in(&name), Outcome::Matched);
            prop_assert_eq!(pattern.find_in(&other) == Outcome::Matched, name == other);
        }
    }
}
