//! One method of an endpoint: who may call it, what goes in, and every status that comes out.
//!
//! Owns which statuses follow from the method and the class of access, so that a declaration
//! names only what is special about it. Knows no single resource.

use std::borrow::Cow;

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::endpoint::{Access, Method};
use crate::parameter::{Header, Query};

/// A wire type by its schema, so that a constant can name it.
#[derive(Clone, Copy)]
pub struct Wire {
    /// Name of the schema.
    pub name: fn() -> Cow<'static, str>,
    /// The schema itself.
    pub schema: fn() -> RefOr<Schema>,
    /// Schemas it refers to.
    pub references: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Whether the body is an array of it.
    pub list: bool,
}

/// The wire type `T`.
#[must_use]
pub const fn wire<T: ToSchema>() -> Wire {
    Wire {
        name: <T as ToSchema>::name,
        schema: <T as PartialSchema>::schema,
        references: <T as ToSchema>::schemas,
        list: false,
    }
}

/// An array of the wire type `T`.
#[must_use]
pub const fn wire_list<T: ToSchema>() -> Wire {
    Wire { list: true, ..wire::<T>() }
}

/// What an answer is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// Plain text.
    Text,
    /// A page.
    Html,
    /// How a page looks.
    Css,
    /// What a page does.
    Script,
}

impl Format {
    /// The content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Html => "text/html; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
        }
    }
}

/// How a request body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// As JSON, whatever the content type says.
    Json,
    /// As the fields of a form.
    Form,
    /// As JSON, or as the part `file` of a form with parts. Other content types are refused.
    JsonOrParts,
}

/// What a request body holds.
#[derive(Clone, Copy)]
pub struct Request {
    /// Its shape.
    pub wire: Wire,
    /// How it is written.
    pub upload: Upload,
    /// Whether it may be left out.
    pub optional: bool,
}

/// A header of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHeader {
    /// Its name.
    pub name: &'static str,
    /// What it says, in one line.
    pub summary: &'static str,
}

/// A status an operation answers with.
#[derive(Clone, Copy)]
pub struct Status {
    /// The code.
    pub code: u16,
    /// When, in one line.
    pub when: &'static str,
    /// What the body holds; a refusal without says what all refusals say.
    pub body: Option<Wire>,
    /// Headers that matter.
    pub headers: &'static [AnswerHeader],
}

impl Status {
    /// A status with a body that holds nothing special.
    #[must_use]
    pub const fn new(code: u16, when: &'static str) -> Self {
        Self { code, when, body: None, headers: &[] }
    }

    /// With a body.
    #[must_use]
    pub const fn gives(mut self, body: Wire) -> Self {
        self.body = Some(body);
        self
    }

    /// With headers that matter.
    #[must_use]
    pub const fn headers(mut self, headers: &'static [AnswerHeader]) -> Self {
        self.headers = headers;
        self
    }

    /// Whether the request was done.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code < 300
    }
}

/// The change was made; it is not said whether there was anything before.
pub const CHANGED: Status = Status::new(204, "Changed");

const CREATED: Status = Status::new(201, "Created");
const EXISTED: Status = Status::new(204, "It existed, and is now as asked for");
const DELETED: Status = Status::new(204, "Deleted");
const DONE: Status = Status::new(204, "Done");

/// What is put together piece by piece in a constant: groups of query parameters, headers, statuses.
const PIECES_MAX: usize = 5;

/// One method of an endpoint.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// Who may call it.
    pub access: Access,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What the request body holds.
    pub request: Option<Request>,
    /// What the answer holds; `None`: no body, or none of a fixed shape.
    pub response: Option<Wire>,
    /// What the answer is written in.
    pub format: Format,
    query: [&'static [Query]; PIECES_MAX],
    headers: [Option<Header>; PIECES_MAX],
    statuses: [Option<Status>; PIECES_MAX],
    creates: bool,
}

impl Operation {
    const fn new(method: Method, access: Access, summary: &'static str) -> Self {
        Self {
            method,
            access,
            summary,
            request: None,
            response: None,
            format: Format::Json,
            query: [&[]; PIECES_MAX],
            headers: [None; PIECES_MAX],
            statuses: [None; PIECES_MAX],
            creates: false,
        }
    }

    /// A `GET`. Answers 200.
    #[must_use]
    pub const fn get(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Get, access, summary)
    }

    /// A `PUT`. Answers 201 when it creates and 204 when it changes, if nothing else is said.
    #[must_use]
    pub const fn put(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Put, access, summary)
    }

    /// A `POST`. Answers 204 if nothing else is said.
    #[must_use]
    pub const fn post(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Post, access, summary)
    }

    /// A `DELETE`. Answers 204 if nothing else is said.
    #[must_use]
    pub const fn delete(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Delete, access, summary)
    }

    /// With query parameters, beside those given before.
    #[must_use]
    pub const fn query(mut self, query: &'static [Query]) -> Self {
        let mut at = 0;
        while !self.query[at].is_empty() {
            at += 1;
        }
        self.query[at] = query;
        self
    }

    /// With a header that it looks at.
    #[must_use]
    pub const fn header(mut self, header: Header) -> Self {
        let mut at = 0;
        while self.headers[at].is_some() {
            at += 1;
        }
        self.headers[at] = Some(header);
        self
    }

    /// With a status of its own. A success takes the place of those that follow from the method.
    #[must_use]
    pub const fn status(mut self, status: Status) -> Self {
        let mut at = 0;
        while self.statuses[at].is_some() {
            at += 1;
        }
        self.statuses[at] = Some(status);
        self
    }

    /// With a request body.
    #[must_use]
    pub const fn takes(mut self, wire: Wire) -> Self {
        self.request = Some(Request { wire, upload: Upload::Json, optional: false });
        self
    }

    /// With a request body that may be left out.
    #[must_use]
    pub const fn may_take(mut self, wire: Wire) -> Self {
        self.request = Some(Request { wire, upload: Upload::Json, optional: true });
        self
    }

    /// With a request body written in a certain way.
    #[must_use]
    pub const fn takes_upload(mut self, wire: Wire, upload: Upload) -> Self {
        self.request = Some(Request { wire, upload, optional: false });
        self
    }

    /// With an answer that is not JSON.
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// With an answer that holds something new: 201.
    #[must_use]
    pub const fn creates(mut self, response: Wire) -> Self {
        self.creates = true;
        self.gives(response)
    }

    /// With an answer body: 200.
    #[must_use]
    pub const fn gives(mut self, response: Wire) -> Self {
        self.response = Some(response);
        self
    }

    /// Its query parameters.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.query.iter().copied().flatten()
    }

    /// Its query parameter of some name.
    #[must_use]
    pub fn has_query(&self, name: &str) -> bool {
        self.queries().any(|query| query.name == name)
    }

    /// Headers it looks at.
    pub fn request_headers(&self) -> impl Iterator<Item = &Header> {
        self.headers.iter().flatten()
    }

    /// What it answers when it does what was asked.
    #[must_use]
    pub fn successes(&self) -> Vec<Status> {
        let own: Vec<_> = self.statuses.iter().flatten().filter(|status| status.is_success()).copied().collect();
        if !own.is_empty() {
            return own;
        }
        match (self.response, self.method) {
            (Some(response), _) if self.creates => vec![CREATED.gives(response)],
            (Some(response), _) => vec![Status::new(200, "Done").gives(response)],
            (None, Method::Get) => vec![Status::new(200, "Done")],
            (None, Method::Put) => vec![CREATED, EXISTED],
            (None, Method::Post) => vec![DONE],
            (None, Method::Delete) => vec![DELETED],
        }
    }

    /// Statuses of its own that are no success.
    pub fn own_refusals(&self) -> impl Iterator<Item = &Status> {
        self.statuses.iter().flatten().filter(|status| !status.is_success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(operation: &Operation) -> Vec<u16> {
        operation.successes().iter().map(|status| status.code).collect()
    }

    #[test]
    fn what_an_operation_answers_follows_from_its_method() {
        assert_eq!(codes(&Operation::get(Access::Any, "g")), [200]);
        assert_eq!(codes(&Operation::put(Access::Any, "p")), [201, 204]);
        assert_eq!(codes(&Operation::put(Access::Any, "p").status(CHANGED)), [204]);
        assert_eq!(codes(&Operation::post(Access::Any, "p")), [204]);
        assert_eq!(codes(&Operation::post(Access::Any, "p").gives(wire::<bool>())), [200]);
        assert_eq!(codes(&Operation::post(Access::Any, "p").creates(wire::<bool>())), [201]);
        assert_eq!(codes(&Operation::delete(Access::Any, "d").status(Status::new(412, "Protected"))), [204]);
    }

    #[test]
    fn pieces_are_kept_beside_each_other() {
        const ONE: &[Query] = &[Query::text("one", "1")];
        const TWO: &[Query] = &[Query::text("two", "2")];
        let operation = Operation::get(Access::Any, "g").query(ONE).query(TWO);
        assert!(operation.has_query("one") && operation.has_query("two") && !operation.has_query("three"));
    }
}
