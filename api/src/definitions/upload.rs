//! A definitions file uploaded as a form, as browsers send it.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;

use crate::error::ApiError;

/// Longest address to go to afterwards, in bytes.
const REDIRECT_BYTES_MAX: usize = 2048;

/// What was uploaded.
pub(super) struct Upload {
    /// The document; empty when the form has no file.
    pub(super) document: Bytes,
    /// Where to send the browser afterwards.
    pub(super) redirect: Option<String>,
}

/// Reads the parts of a form. The body has been read and bounded before.
pub(super) async fn read(content_type: &str, body: Bytes) -> Result<Upload, ApiError> {
    let malformed = || ApiError::bad_request("the form cannot be read");
    let request = Request::builder().header(CONTENT_TYPE, content_type).body(Body::from(body));
    let mut request = request.map_err(|_| malformed())?;
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| malformed())?;
    let mut upload = Upload { document: Bytes::new(), redirect: None };
    while let Some(part) = form.next_field().await.map_err(|_| malformed())? {
        match part.name() {
            Some("file") => upload.document = part.bytes().await.map_err(|_| malformed())?,
            Some("redirect") => {
                let target = part.text().await.map_err(|_| malformed())?;
                if target.len() > REDIRECT_BYTES_MAX {
                    return Err(malformed());
                }
                upload.redirect = Some(target);
            }
            _ => {}
        }
    }
    Ok(upload)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(body: &str, expected: Result<(&str, Option<&str>), u16>) {
        let got = read("multipart/form-data; boundary=B", Bytes::copy_from_slice(body.as_bytes())).await;
        let got = got.map(|upload| (upload.document.to_vec(), upload.redirect)).map_err(|error| error.status.as_u16());
        let expected = expected.map(|(document, redirect)| (document.as_bytes().to_vec(), redirect.map(str::to_owned)));
        assert_eq!(got, expected, "{body}");
    }

    #[tokio::test]
    async fn the_part_named_file_is_the_document() {
        let part = |name: &str, text: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        check(&(part("file", "{}") + "--B--\r\n"), Ok(("{}", None))).await;
        check(&(part("redirect", "/x") + &part("file", "{}") + "--B--\r\n"), Ok(("{}", Some("/x")))).await;
        check(&(part("other", "{}") + "--B--\r\n"), Ok(("", None))).await;
        // Larger than what the form reader takes by itself.
        let large = "x".repeat(3 << 20);
        check(&(part("file", &large) + "--B--\r\n"), Ok((&large, None))).await;
        check("nonsense", Err(400)).await;
        check(&(part("redirect", &"x".repeat(3000)) + "--B--\r\n"), Err(400)).await;
    }
}
