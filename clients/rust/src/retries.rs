//! Retries of requests that are safe to send again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Response, StatusCode};

use crate::idempotent_posts::IDEMPOTENT_POSTS;
use crate::{Client, types};

/// Retries of a client that sets no other number.
pub const DEFAULT: u32 = 2;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The upper limit of the wait before the first retry. It doubles with each further retry.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait before a retry. A response that asks for a longer one is returned.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait while the first request with the same `Idempotency-Key` still runs.
const IN_USE_WAIT: Duration = Duration::from_secs(1);

impl Client {
    /// Sets the number of retries: 2 by default, 0 turns them off.
    ///
    /// The client retries requests whose method is idempotent (RFC 9110, section 9.2.2), and creates, to which it adds an
    /// `Idempotency-Key` unless the request has one. It retries after a connection error, after a time-out, after the
    /// status 429, 502, 503 or 504, and while the first request with the key still runs. It waits as long as
    /// `Retry-After` says, otherwise about 100 ms, 200 ms, and so on. A `Retry-After` above 30 s is not waited for.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }
}

impl ClientHooks for Client {
    async fn exec(&self, mut request: Request, _: &OperationInfo) -> reqwest::Result<Response> {
        let retries = if self.retries > 0 && is_repeatable(&mut request) { self.retries } else { 0 };
        for retry in 0..retries {
            // `None`: the body is a stream, which can be sent only once
            let Some(copy) = request.try_clone() else { break };
            let (result, wait) = with_wait(self.client().execute(copy).await, retry).await;
            let Some(wait) = wait else { return result };
            tokio::time::sleep(wait).await;
        }
        self.client().execute(request).await
    }
}

/// Returns whether a request may be sent again. Adds an `Idempotency-Key` to a create that has none.
fn is_repeatable(request: &mut Request) -> bool {
    if request.method() != Method::POST {
        return request.method().is_idempotent();
    }
    if !IDEMPOTENT_POSTS.iter().any(|path| request.url().path().ends_with(path)) {
        return false;
    }
    if !request.headers().contains_key(IDEMPOTENCY_KEY) {
        let mut key = [0; 16];
        let Ok(()) = getrandom::fill(&mut key) else { return false };
        let key = format!("{:032x}", u128::from_ne_bytes(key));
        request.headers_mut().insert(IDEMPOTENCY_KEY, HeaderValue::try_from(key).expect("hexadecimal digits"));
    }
    true
}

/// Returns a result together with the wait before the next retry, or `None` if the result is final.
async fn with_wait(result: reqwest::Result<Response>, retry: u32) -> (reqwest::Result<Response>, Option<Duration>) {
    let (result, default) = match result {
        Ok(response) if response.status() == StatusCode::CONFLICT => match key_in_use(response).await {
            Ok((response, in_use)) => (Ok(response), in_use.then_some(IN_USE_WAIT)),
            Err(error) => (Err(error), Some(backoff(retry))),
        },
        Ok(response) => {
            let temporary = matches!(response.status().as_u16(), 429 | 502 | 503 | 504);
            (Ok(response), temporary.then(|| backoff(retry)))
        }
        Err(error) => {
            let lost = error.is_request();
            (Err(error), lost.then(|| backoff(retry)))
        }
    };
    let asked = result.as_ref().ok().and_then(retry_after);
    let wait = default.map(|default| asked.unwrap_or(default)).filter(|wait| *wait <= LONGEST_WAIT);
    (result, wait)
}

/// Returns whether a 409 says that the first request with the key still runs, and a copy of the response, whose body was
/// read.
async fn key_in_use(response: Response) -> reqwest::Result<(Response, bool)> {
    let mut copy = http::Response::new(());
    (*copy.status_mut(), *copy.version_mut()) = (response.status(), response.version());
    copy.headers_mut().clone_from(response.headers());
    let body = response.bytes().await?;
    let problem = serde_json::from_slice::<types::Problem>(&body);
    let in_use = problem.is_ok_and(|problem| problem.code == types::Code::IdempotencyKeyInUse);
    Ok((copy.map(|()| body).into(), in_use))
}

/// Returns the time to wait that `Retry-After` gives, in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = u64::try_from(DateTime::parse_from_rfc2822(value).ok()?.timestamp()).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(date).saturating_sub(now))
}

/// Returns the wait before a retry: 100 ms, 200 ms, 400 ms and so on, shortened at random by up to a half.
fn backoff(retry: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(retry)).min(LONGEST_WAIT);
    let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    longest.mul_f64(0.5 + random / 2.0)
}
