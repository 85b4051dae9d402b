//! What the stories hold the server to: the committed document, and the habits that `setup.yaml` tells.

use std::sync::LazyLock;

use accord_contract::conformity::{Violation, hold};
use accord_contract::recorder::{self, Origin};
use accord_contract::{Answer, Document, Setup};

use crate::server;

/// `openapi/accord.yaml` as it is on disk.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let read = Document::read(&server::root().join("openapi").join("accord.yaml"));
        read.unwrap_or_else(|error| panic!("{error}; `cargo xtask spec write` makes it"))
    });
    &DOCUMENT
}

/// `contract-tests/setup.yaml` as it is on disk.
pub fn setup() -> &'static Setup {
    static SETUP: LazyLock<Setup> = LazyLock::new(|| {
        let read = Setup::read(&server::root().join("contract-tests").join("setup.yaml"));
        read.unwrap_or_else(|error| panic!("{error}"))
    });
    &SETUP
}

/// Holds an answer to the document, and notes it.
///
/// # Panics
/// It breaks a promise: with the promise, and with the request as a line to paste.
pub(crate) fn record(answer: &Answer, origin: Origin) {
    if let Err(Violation { check, sentence, expected }) = hold(document(), &setup().habits, answer) {
        let operation = document().operation(&answer.request.method, answer.request.path());
        let name = operation.map_or("-", |operation| &operation.id);
        let got = String::from_utf8_lossy(&answer.bytes);
        panic!(
            "{check} {name}: {sentence}\nexpected: {expected}\ngot: {} {:#?}\n{}\n{}",
            answer.status,
            answer.headers,
            got.chars().take(2000).collect::<String>(),
            answer.request.curl("http://127.0.0.1:3000"),
        );
    }
    recorder::note(document(), answer, origin);
}
