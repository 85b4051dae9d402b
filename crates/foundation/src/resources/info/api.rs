//! `GET /api/v1/info`

use poem_openapi::{ApiResponse, OpenApi};

use super::model::Info;
use crate::auth::Public;
use crate::http::fail::Fail;
use crate::http::payload::JsonOut;
use crate::resources::Tag;

/// The operations.
#[derive(Default)]
pub struct InfoApi;

/// The answer of `get_info`.
#[derive(ApiResponse)]
pub enum InfoResponse {
    /// What is running
    #[oai(status = 200)]
    Found(JsonOut<Info>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Info")]
impl InfoApi {
    /// Read version and contract
    ///
    /// Tells which version is running and, as a checksum, which contract it serves. Needs no token.
    #[oai(path = "/info", method = "get", operation_id = "get_info")]
    async fn get(&self, _public: Public) -> Result<InfoResponse, Fail<()>> {
        Ok(InfoResponse::Found(JsonOut(Info::of_process())))
    }
}
