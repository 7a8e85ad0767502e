//! Answers: what an operation says when it did what was asked, and every refusal.
//!
//! Refusals are the same everywhere, so they stand among the components once; which of them an
//! operation can answer follows from its path and its class of access.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

use super::schemas::{Schemas, any_of, of_kind};
use super::{examples, verbs};
use crate::endpoint::{Access, AnswerHeader, Endpoint, Format, Operation, Status};
use crate::error::ErrorBody;
use crate::parameter::{Kind, VHOST_HEADER};
use crate::wire;

/// A refusal that many operations share.
struct Refusal {
    status: Status,
    name: &'static str,
    /// Whether there is ever a body.
    says_why: bool,
    applies: fn(&Endpoint, &Operation) -> bool,
}

const RETRY_AFTER: AnswerHeader = AnswerHeader { name: "Retry-After", summary: "Seconds until it is worth a try." };
const CHALLENGE: AnswerHeader =
    AnswerHeader { name: "WWW-Authenticate", summary: "Asks for basic credentials; sent when there were none." };
pub(super) const ALLOW: AnswerHeader = AnswerHeader { name: "Allow", summary: "Methods the path answers." };

/// Paths that do without the application.
fn is_of_node(endpoint: &Endpoint) -> bool {
    endpoint.prefix.is_empty() || endpoint.path.starts_with("/warren/")
}

fn needs_login(operation: &Operation) -> bool {
    operation.access != Access::Public
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        status: Status::new(
            400,
            "The request is wrong: credentials that cannot be read, a parameter or a body that makes no sense, a body that is too large, or what is asked for is refused",
        ),
        name: "BadRequest",
        says_why: true,
        applies: |_, _| true,
    },
    Refusal {
        status: Status::new(401, "No credentials, wrong ones, or a user who may not do this").headers(&[CHALLENGE]),
        name: "Unauthorized",
        says_why: true,
        applies: |_, operation| needs_login(operation) || operation.request.is_some(),
    },
    Refusal {
        status: Status::new(404, "Something the request names does not exist, or the caller may not know of it"),
        name: "NotFound",
        says_why: true,
        applies: |endpoint, operation| {
            endpoint.parameters().next().is_some() || operation.request_headers().any(|header| *header == VHOST_HEADER)
        },
    },
    Refusal {
        status: Status::new(406, "The answer cannot be written in anything that `Accept` admits"),
        name: "NotAcceptable",
        says_why: false,
        applies: |_, _| true,
    },
    Refusal {
        status: Status::new(408, "The request did not arrive in time"),
        name: "RequestTimeout",
        says_why: true,
        applies: |_, _| true,
    },
    Refusal {
        status: Status::new(415, "The content type of the request cannot be read, or is not taken here"),
        name: "UnsupportedMediaType",
        says_why: false,
        applies: |_, _| true,
    },
    Refusal {
        status: Status::new(429, "Too many failed logins of late; the credentials were not looked at")
            .headers(&[RETRY_AFTER]),
        name: "TooManyRequests",
        says_why: true,
        applies: |_, operation| needs_login(operation) || operation.request.is_some(),
    },
    Refusal {
        status: Status::new(500, "A defect of the broker"),
        name: "InternalError",
        says_why: true,
        applies: |_, _| true,
    },
    Refusal {
        status: Status::new(503, "The application is stopped on this node, or what is asked for cannot be done now"),
        name: "Unavailable",
        says_why: true,
        applies: |endpoint, operation| !is_of_node(endpoint) || needs_login(operation),
    },
];

/// Name of the answer to a method that a path does not offer.
pub(super) const NOT_ALLOWED_NAME: &str = "MethodNotAllowed";

/// Name of what answers `HEAD`.
pub(super) const BODILESS: &str = "Bodiless";

const AS_GET: Status = Status::new(200, "As `GET` would answer, without a body");

/// Of a method that a path does not offer.
const NOT_ALLOWED: Status = Status::new(405, "The path does not answer this method").headers(&[ALLOW]);

/// Refusals for the components, by name.
pub(super) fn shared(schemas: &mut Schemas) -> Vec<(&'static str, Response)> {
    let said = schemas.body(wire::<ErrorBody>());
    let mut shared: Vec<_> = REFUSALS
        .iter()
        .map(|refusal| (refusal.name, response(&refusal.status, refusal.says_why.then(|| json(said.clone())))))
        .collect();
    shared.push((NOT_ALLOWED_NAME, response(&NOT_ALLOWED, None)));
    shared.push((BODILESS, response(&AS_GET, None)));
    shared.push((verbs::OPTIONS_NAME, verbs::options_answer()));
    shared
}

/// Adds all answers of an operation.
pub(super) fn describe(
    mut described: OperationBuilder,
    id: &str,
    endpoint: &Endpoint,
    operation: &Operation,
    schemas: &mut Schemas,
) -> OperationBuilder {
    for success in operation.successes() {
        let schema = match success.body {
            Some(body) => Some(schemas.answer(operation, body)),
            None if success.code == 200 && operation.format != Format::Json => Some(of_kind(Kind::Text).into()),
            None => None,
        };
        let example = examples::response(id, success.code);
        let content = schema.map(|schema| {
            let content = ContentBuilder::new().schema(Some(schema)).example(example).build();
            (operation.format.content_type(), content)
        });
        described = described.response(success.code.to_string(), response(&success, content));
    }
    let mut own = BTreeMap::<u16, Vec<&Status>>::new();
    for refusal in operation.own_refusals() {
        own.entry(refusal.code).or_default().push(refusal);
    }
    for refusal in REFUSALS.iter().filter(|refusal| (refusal.applies)(endpoint, operation)) {
        if !own.contains_key(&refusal.status.code) {
            let refers = RefOr::<Response>::Ref(Ref::from_response_name(refusal.name));
            described = described.response(refusal.status.code.to_string(), refers);
        }
    }
    for (code, refusals) in own {
        let shared = REFUSALS
            .iter()
            .filter(|refusal| refusal.status.code == code && (refusal.applies)(endpoint, operation))
            .map(|refusal| &refusal.status);
        described = described.response(code.to_string(), merged(&refusals, shared.collect(), schemas));
    }
    described
}

/// One answer for a status that has several reasons.
fn merged(own: &[&Status], shared: Vec<&Status>, schemas: &mut Schemas) -> Response {
    let mut bodies: Vec<_> = own.iter().filter_map(|status| status.body).map(|body| schemas.body(body)).collect();
    let says_why = own.iter().any(|status| status.body.is_none() && status.code >= 400) || !shared.is_empty();
    if says_why {
        bodies.push(schemas.body(wire::<ErrorBody>()));
    }
    let schema = match bodies.len() {
        0 => None,
        1 => bodies.pop(),
        _ => Some(any_of(bodies)),
    };
    let when: Vec<_> = own.iter().copied().chain(shared.iter().copied()).map(|status| status.when).collect();
    let described = ResponseBuilder::new().description(when.join(". Or: "));
    let headers = own.iter().copied().chain(shared).flat_map(|status| status.headers);
    let described = headers.fold(described, |described, header| described.header(header.name, of(header)));
    match schema.map(json) {
        Some((kind, content)) => described.content(kind, content).build(),
        None => described.build(),
    }
}

fn response(status: &Status, content: Option<(&str, Content)>) -> Response {
    let described = ResponseBuilder::new().description(status.when);
    let described =
        status.headers.iter().fold(described, |described, header| described.header(header.name, of(header)));
    match content {
        Some((kind, content)) => described.content(kind, content).build(),
        None => described.build(),
    }
}

pub(super) fn of(header: &AnswerHeader) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(of_kind(Kind::Text))).description(Some(header.summary)).build()
}

fn json(schema: RefOr<Schema>) -> (&'static str, Content) {
    (Format::Json.content_type(), Content::new(Some(schema)))
}
