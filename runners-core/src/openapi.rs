//! What a face that speaks HTTP serves about itself: an OpenAPI document, and a page made from it
//! that needs nothing from elsewhere.
//!
//! What is in the document is the face's own affair, and so is how it serves files.

mod page;

use bytes::Bytes;
use serde_json::Value;

/// The files that describe a face, to be served beside its calls.
#[derive(Clone, Debug)]
pub struct Documentation {
    document: Bytes,
    page: Bytes,
}

/// One file of a [`Documentation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DocumentationFile {
    /// The value of its `Content-Type` header.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: Bytes,
}

impl Documentation {
    /// Where the files are, below the prefix of the face: the document, the page, its style and its
    /// script.
    pub const PATHS: [&'static str; 4] = ["/openapi.json", "/docs", "/docs.css", "/docs.js"];

    /// The `Content-Security-Policy` of every file: the page loads its own style and script, and
    /// nothing from anywhere else.
    pub const POLICY: &'static str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                      form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

    /// Makes the page of an OpenAPI document in JSON, which is itself served as it stands.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn new(document: impl Into<Bytes>) -> Result<Self, DocumentationError> {
        let document = document.into();
        let read: Value = serde_json::from_slice(&document).map_err(|_| DocumentationError)?;
        let page = Bytes::from(page::render(&read));
        Ok(Self { document, page })
    }

    /// The file at one of [`PATHS`](Self::PATHS).
    #[must_use]
    pub fn file(&self, path: &str) -> Option<DocumentationFile> {
        let (media_type, bytes) = match path {
            "/openapi.json" => ("application/json", self.document.clone()),
            "/docs" => ("text/html; charset=utf-8", self.page.clone()),
            "/docs.css" => ("text/css; charset=utf-8", Bytes::from_static(page::STYLE)),
            "/docs.js" => ("text/javascript; charset=utf-8", Bytes::from_static(page::SCRIPT)),
            _ => return None,
        };
        Some(DocumentationFile { media_type, bytes })
    }
}

/// What was to be described is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an OpenAPI document is JSON, and this is not")]
#[non_exhaustive]
pub struct DocumentationError;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page_of(document: &Value) -> String {
        let files = Documentation::new(document.to_string()).unwrap();
        String::from_utf8(files.file("/docs").unwrap().bytes.to_vec()).unwrap()
    }

    #[test]
    fn every_path_has_a_file_and_no_other_has() {
        let files = Documentation::new("{}").unwrap();
        assert!(Documentation::PATHS.iter().all(|path| files.file(path).is_some()));
        assert!(files.file("/docs/").is_none());
        assert_eq!(files.file("/openapi.json").unwrap().bytes, "{}");
        assert!(Documentation::new("{").is_err());
    }

    #[test]
    fn what_is_described_stands_on_the_page_and_is_no_markup() {
        let page = page_of(&json!({
            "openapi": "3.1.0",
            "info": { "title": "<b>Bees</b>", "version": "1", "description": "About `bees`." },
            "tags": [{ "name": "Bees", "description": "They fly." }],
            "paths": { "/bees": { "get": {
                "tags": ["Bees"], "operationId": "listBees", "summary": "Lists bees.",
                "responses": { "200": { "description": "Bees.", "content": { "application/json": {
                    "schema": { "oneOf": [
                        { "const": "none" },
                        { "type": "object", "properties": {
                            "name": { "type": "string", "maxLength": 9 },
                            "age": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                        }, "required": ["name"] },
                    ] },
                } } } },
            } } },
        }));
        assert!(page.contains("&lt;b&gt;Bees&lt;/b&gt;") && !page.contains("<b>Bees"), "{page}");
        for part in ["About <code>bees</code>.", "id=\"listBees\"", "<code>name</code>", "&quot;none&quot;"] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(page.contains("at most 9") && !page.contains("4294967295"), "{page}");
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_has_an_end() {
        let page = page_of(&json!({
            "tags": [{ "name": "Trees" }],
            "components": { "schemas": { "Tree": {
                "type": "object", "properties": { "branch": { "$ref": "#/components/schemas/Tree" } },
            } } },
            "paths": { "/trees": { "post": { "tags": ["Trees"], "responses": {}, "requestBody": { "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/Tree" } },
            } } } } },
        }));
        assert!(page.contains("branch"), "{page}");
    }
}
