//! Texts that never change, compressed once: compressing the viewer's script takes 50 ms of CPU, and anonymous clients
//! may request it as often as they like.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use poem::http::{HeaderMap, header};
use poem::{Body, Response};

/// The gzip form of one static text, made at its first use.
#[derive(Default)]
pub struct Compressed(OnceLock<Bytes>);

impl Compressed {
    /// Compresses nothing yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns a response with `text`, compressed if the client accepts gzip. A `Compressed` belongs to one text.
    pub fn response(&self, request: &HeaderMap, media_type: &str, text: &'static str) -> Response {
        let response = Response::builder().content_type(media_type).header(header::VARY, "Accept-Encoding");
        if !accepts_gzip(request) {
            return response.body(text);
        }
        let compressed = self.0.get_or_init(|| gzip(text));
        response.header(header::CONTENT_ENCODING, "gzip").body(Body::from_bytes(compressed.clone()))
    }
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("writing into memory does not fail").into()
}

/// Whether `Accept-Encoding` allows gzip (RFC 9110 section 12.5.3): named or by `*`, with a weight above zero.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for value in request.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            let allowed = Some(weight.is_some_and(|weight| weight > 0.0));
            match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => named = allowed,
                "*" => any = allowed,
                _ => {}
            }
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use poem::http::HeaderValue;

    use super::*;

    fn headers(accepted: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))])
    }

    #[test]
    fn gzip_is_sent_only_where_the_client_accepts_it() {
        for accepted in ["gzip", "br, GZIP;q=0.5", "x-gzip", "*", "identity, *;q=0.1", "deflate,gzip ; q=1"] {
            assert!(accepts_gzip(&headers(accepted)), "{accepted}");
        }
        for refused in ["", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=x", "gzipped"] {
            assert!(!accepts_gzip(&headers(refused)), "{refused}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn text_is_compressed_once_and_decompresses_to_itself() {
        let (compressed, text): (_, &'static str) =
            (Compressed::new(), "the same again and again ".repeat(1000).leak());
        let plain = compressed.response(&HeaderMap::new(), "text/plain", text);
        assert!(compressed.0.get().is_none() && !plain.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(plain.into_body().into_string().await.expect("text"), text);

        let mut bodies = vec![];
        for _ in 0..2 {
            let response = compressed.response(&headers("gzip"), "text/plain", text);
            assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
            bodies.push(response.into_body().into_bytes().await.expect("bytes"));
        }
        assert_eq!(bodies[0].as_ptr(), bodies[1].as_ptr(), "both responses share one buffer");
        let mut read = String::new();
        GzDecoder::new(&bodies[0][..]).read_to_string(&mut read).expect("gzip");
        assert!(read == text && bodies[0].len() < text.len() / 10);
    }
}
