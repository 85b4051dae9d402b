//! What goes over the wire for info.

use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use crate::server::document::{self, About};

/// What is running
#[derive(Debug, Clone, Object, Serialize)]
#[oai(example)]
pub struct Info {
    /// Version of the contract and of the server
    pub version: String,
    /// Commit the server was built from, or `unknown`
    pub commit: String,
    /// SHA-256 of `/openapi.yaml`, in hexadecimal: equal sums, equal contracts
    #[oai(validator(pattern = "^[0-9a-f]{64}$"))]
    pub contract_sha256: String,
}

impl Info {
    /// The version and the contract of this process.
    pub fn of_process() -> Self {
        let About { version, commit, .. } = *document::about();
        Self { version: version.into(), commit: commit.into(), contract_sha256: document::checksum().into() }
    }
}

impl Example for Info {
    fn example() -> Self {
        Self {
            version: "0.1.0".into(),
            commit: "4f2a9c1".into(),
            contract_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        }
    }
}
