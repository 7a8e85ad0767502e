//! What an import did, for whoever asks: the reference answers 204 and says nothing.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use broker::{ImportCounts, ImportReport};
use openapi::definitions as wire;

use super::read::Places;
use crate::call::Call;
use crate::reply::Reply;
use crate::route::Answer;

/// A preference of the caller (RFC 7240); clients of the reference do not send it.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Which preference was honoured.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The preference for an answer with a body.
const REPRESENTATION: &str = "return=representation";

/// Whether the caller wants the report.
fn is_wanted(call: &Call) -> bool {
    let values = call.headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';']));
    call.query.is_true("report") || preferences.any(|one| one.trim().eq_ignore_ascii_case(REPRESENTATION))
}

/// The answer to an import that was done.
pub(super) fn answer(call: &Call, report: &ImportReport, places: &Places) -> Answer {
    if !is_wanted(call) {
        return Ok(Reply::no_content());
    }
    let reply = Reply::json_status(StatusCode::OK, &to_wire(report, places))?;
    Ok(reply.header(PREFERENCE_APPLIED, HeaderValue::from_static(REPRESENTATION)))
}

fn to_wire(report: &ImportReport, places: &Places) -> wire::ImportReport {
    let ImportCounts { created, updated, unchanged, skipped } = report.totals();
    let kinds = report.kinds.iter().map(|(kind, counts)| {
        let ImportCounts { created, updated, unchanged, skipped } = *counts;
        ((*kind).to_owned(), wire::ImportCounts { created, updated, unchanged, skipped })
    });
    let skipped_objects = report.skipped.iter().map(|object| {
        let (section, index) = places.in_document(object.section, object.index);
        wire::SkippedObject {
            section: section.to_owned(),
            index,
            name: object.name.clone(),
            vhost: object.vhost.to_string(),
            reason: object.reason.clone(),
        }
    });
    wire::ImportReport {
        created,
        updated,
        unchanged,
        skipped,
        kinds: kinds.collect(),
        skipped_objects: skipped_objects.collect(),
    }
}
