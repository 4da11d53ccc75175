//! The calls of the merchant, as they came and as they were answered.

use std::time::SystemTime;

use crate::clock::now;

/// So many characters of a body are remembered.
const REMEMBERED: usize = 4_096;

/// One call. Its URL is left out, because it has the plug-in secret.
#[derive(Debug)]
pub(crate) struct RecordedCall {
    pub(crate) at: SystemTime,
    /// The path without its query.
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
    /// The fault that was ordered for it.
    pub(crate) fault: Option<String>,
}

impl RecordedCall {
    pub(crate) fn new(path: &str, request: &[u8], status: u16, answer: &[u8], fault: Option<String>) -> Self {
        let path = path.to_owned();
        Self { at: now(), path, request: cut(request), status, answer: cut(answer), fault }
    }

    /// How many bytes it needs.
    pub(crate) fn bytes(&self) -> usize {
        [&self.path, &self.request, &self.answer].into_iter().map(String::len).fold(0, usize::saturating_add)
    }
}

fn cut(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.char_indices().nth(REMEMBERED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}
