//! What a client accepts: the `Accept` header, and whether an answer is within it.
//!
//! Knows headers only. As strict as the reference: what is no list of media ranges is a bad
//! request, a range with parameters of its own admits nothing we have, and quality does not
//! matter, since there is one format to choose.

use axum::http::{HeaderMap, StatusCode, header};
use openapi::endpoint::Format;

use crate::bert::BERT;
use crate::error::ApiError;

/// One entry of the list.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    kind: String,
    subtype: String,
    /// Whether it names more than a type and its quality.
    has_parameters: bool,
}

impl Range {
    fn admits(&self, content_type: &str) -> bool {
        let own = content_type.split(';').next().unwrap_or_default();
        let (kind, subtype) = own.split_once('/').unwrap_or_default();
        let is_within = match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => true,
            (wanted, "*") => wanted == kind,
            (wanted, named) => wanted == kind && named == subtype,
        };
        is_within && !self.has_parameters
    }
}

/// Whether the answer is to be written as Erlang terms, which is when nothing else is accepted.
pub(crate) fn negotiate(headers: &HeaderMap, format: Format) -> Result<bool, ApiError> {
    let Some(accept) = headers.get(header::ACCEPT) else { return Ok(false) };
    let ranges = accept.to_str().ok().and_then(parse);
    let ranges = ranges.ok_or_else(|| ApiError::bare(StatusCode::BAD_REQUEST))?;
    let accepts = |content_type: &str| ranges.iter().any(|range| range.admits(content_type));
    if accepts(format.content_type()) {
        Ok(false)
    } else if format == Format::Json && accepts(BERT) {
        Ok(true)
    } else {
        Err(ApiError::bare(StatusCode::NOT_ACCEPTABLE))
    }
}

/// Whether a `Content-Type` header can be read; which type it names does not matter here.
pub(crate) fn is_media_type(text: &str) -> bool {
    let mut rest = Rest(text);
    rest.skip_space();
    let found = range(&mut rest);
    rest.skip_space();
    found.is_some() && rest.0.is_empty()
}

/// The ranges of a list; `None` when it is none. Empty entries are passed over.
fn parse(text: &str) -> Option<Vec<Range>> {
    let mut rest = Rest(text);
    let mut ranges = Vec::new();
    loop {
        rest.skip_space();
        if rest.0.is_empty() {
            return Some(ranges);
        }
        if rest.take(',') {
            continue;
        }
        ranges.push(range(&mut rest)?);
        rest.skip_space();
        if !rest.0.is_empty() && !rest.take(',') {
            return None;
        }
    }
}

fn range(rest: &mut Rest<'_>) -> Option<Range> {
    let kind = rest.token()?.to_ascii_lowercase();
    if !rest.take('/') {
        return None;
    }
    let subtype = rest.token()?.to_ascii_lowercase();
    let (mut has_parameters, mut has_quality) = (false, false);
    loop {
        rest.skip_space();
        if !rest.take(';') {
            return Some(Range { kind, subtype, has_parameters });
        }
        rest.skip_space();
        let name = rest.token()?;
        if has_quality {
            // Extensions of the header itself, with or without a value.
            if rest.take('=') {
                rest.value()?;
            }
            continue;
        }
        if !rest.take('=') {
            return None;
        }
        if name == "q" {
            has_quality = is_quality(rest.token()?);
            if !has_quality {
                return None;
            }
        } else {
            rest.value()?;
            has_parameters = true;
        }
    }
}

/// From 0 to 1, with up to three digits behind the dot (RFC 9110, 12.4.2).
fn is_quality(text: &str) -> bool {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let allowed = match whole {
        "0" => "0123456789",
        "1" => "0",
        _ => return false,
    };
    digits.len() <= 3 && digits.chars().all(|digit| allowed.contains(digit))
}

/// What is left of a header.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.0.strip_prefix(wanted);
        self.0 = found.unwrap_or(self.0);
        found.is_some()
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token or a text in quotes, in which a backslash keeps the next character.
    fn value(&mut self) -> Option<()> {
        if !self.take('"') {
            return self.token().map(|_| ());
        }
        let mut characters = self.0.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(());
                }
                '\\' => drop(characters.next()),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, format: Format) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        match negotiate(&headers, format) {
            Ok(false) => 200,
            Ok(true) => 201,
            Err(error) => error.status.as_u16(),
        }
    }

    /// As the reference answers; 201 stands for Erlang terms.
    #[test]
    fn accept_is_negotiated() {
        for (accept, json, text) in [
            ("*/*", 200, 200),
            ("", 406, 406),
            (",", 406, 406),
            ("application/json", 200, 406),
            ("APPLICATION/JSON", 200, 406),
            ("application/*", 200, 406),
            ("text/html,application/json;q=0.5", 200, 406),
            ("text/html,,application/json", 200, 406),
            ("text/plain, */*;q=0", 200, 200),
            ("application/json;q=0", 200, 406),
            ("application/json;q=0.5;a=b", 200, 406),
            ("application/json ,text/html", 200, 406),
            ("application/xml", 406, 406),
            ("application/bert", 201, 406),
            ("*/json", 406, 406),
            ("application/json;version=1", 406, 406),
            ("application/json;Q=1", 406, 406),
            ("application/json;a=\"b,c\", text/html", 406, 406),
            ("*/*;a=b", 406, 406),
            ("nonsense", 400, 400),
            ("*", 400, 400),
            (";", 400, 400),
            ("a/b/c", 400, 400),
            ("application / json", 400, 400),
            ("application/json;", 400, 400),
            ("application/json;charset", 400, 400),
            ("application/json;q=2", 400, 400),
            ("application/json;q=0.1234", 400, 400),
            ("application/json; q = 1", 400, 400),
            ("application/json;a=\"b", 400, 400),
            ("application/json, nonsense", 400, 400),
        ] {
            assert_eq!((check(accept, Format::Json), check(accept, Format::Text)), (json, text), "{accept}");
        }
    }
}
