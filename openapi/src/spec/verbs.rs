//! `HEAD` and `OPTIONS`, which no handler stands behind: they follow from the other methods of a path.
//!
//! `HEAD` is answered as `GET` would be, without a body; `OPTIONS` by anybody, with `Allow`. Any other method of HTTP is
//! answered 405, and one that HTTP does not know 501; that has no place in a path, so it stands once,
//! in an extension of the document.

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder};

use super::answers::{ALLOW, BODILESS, NOT_ALLOWED_NAME, of};

/// The answer to `OPTIONS`.
pub(super) const OPTIONS_NAME: &str = "Options";

/// What `OPTIONS` gives.
pub(super) fn options_answer() -> Response {
    ResponseBuilder::new()
        .description("The methods of the path stand in `Allow`; credentials are not looked at")
        .header(ALLOW.name, of(&ALLOW))
        .build()
}

fn refers(name: &str) -> RefOr<Response> {
    RefOr::Ref(Ref::from_response_name(name))
}

/// `HEAD`, where `GET` is `get`.
pub(super) fn head(get: &Operation) -> Operation {
    let mut head = get.clone();
    head.operation_id = get.operation_id.as_deref().map(|id| id.replacen("get", "head", 1));
    head.summary = get.summary.as_deref().map(|summary| format!("{summary}: what `GET` answers, without the body"));
    head.description.clone_from(&get.description);
    for answer in head.responses.responses.values_mut() {
        let headers = match answer {
            RefOr::T(answer) => std::mem::take(&mut answer.headers),
            RefOr::Ref(_) => Default::default(),
        };
        *answer = match answer {
            RefOr::T(answer) if !headers.is_empty() => {
                let mut bare = ResponseBuilder::new().description(answer.description.clone()).build();
                bare.headers = headers;
                bare.into()
            }
            _ => refers(BODILESS),
        };
    }
    head
}

/// `OPTIONS` of a path on which `other` is.
pub(super) fn options(other: &Operation, path_id: &str) -> Operation {
    let described = OperationBuilder::new()
        .operation_id(Some(format!("options{path_id}")))
        .summary(Some("The methods of the path"))
        .response("200", refers(OPTIONS_NAME))
        .response("400", refers(BODILESS));
    let mut options = described.build();
    options.tags.clone_from(&other.tags);
    let in_path = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path);
    options.parameters = other.parameters.clone();
    if let Some(parameters) = &mut options.parameters {
        parameters.retain(in_path);
    }
    options
}

/// What every other method is answered, for the document's extension. A second extension beside it would come in no
/// defined order.
pub(super) fn otherwise() -> Value {
    json!({"405": {"$ref": format!("#/components/responses/{NOT_ALLOWED_NAME}")}})
}
