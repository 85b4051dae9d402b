//! Who is at the other end, as far as a request tells: what a session shows its owner.

use poem::http::header;
use poem::{FromRequest, Request, RequestBody, Result};

/// Characters that are kept of what a client calls itself: enough for the names of browsers.
const USER_AGENT: usize = 200;

/// The sender of a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address.
    pub address: Option<String>,
    /// What it calls itself, cut to 200 characters; none if that is not visible ASCII.
    pub user_agent: Option<String>,
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let address = request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical().to_string());
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        let user_agent = user_agent.map(|name| name.chars().take(USER_AGENT).collect());
        Ok(Self { address, user_agent })
    }
}
