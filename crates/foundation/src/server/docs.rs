//! The docs viewer at `/docs`: Swagger UI from the binary. No request leaves the host.

use std::sync::{LazyLock, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response};
use sha2::{Digest, Sha256};

use crate::declared;
use crate::server::compressed::Compressed;
use crate::server::document;

/// Our page around Swagger UI.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("docs.html").replace("{title}", declared::title()).replace("{name}", declared::name())
});

/// A file that a browser may keep as long as its tag holds.
struct Asset {
    content: String,
    etag: String,
    compressed: Compressed,
}

/// Style sheet and script, cut out of the page that poem-openapi carries.
fn assets() -> &'static (Asset, Asset) {
    static ASSETS: OnceLock<(Asset, Asset)> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let page = document::service().swagger_ui_html();
        let cut = |from: &str, to: &str| {
            let (_, rest) = page.split_once(from).expect("the page has its tags, `the_assets_are_whole` says so");
            let content = rest.split_once(to).expect("as above").0.to_owned();
            let hash: String = Sha256::digest(content.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
            // weak: the bytes on the wire may be compressed
            Asset { content, etag: format!("W/\"{hash}\""), compressed: Compressed::new() }
        };
        let style = cut("<style charset=\"UTF-8\">", "</style>");
        (style, cut("<script charset=\"UTF-8\">", "</script>\n</head>"))
    })
}

/// The page. Its policy lets the browser run our script only and talk to this host only.
pub fn page(request: &Request) -> Response {
    static COMPRESSED: Compressed = Compressed::new();
    static POLICY: OnceLock<String> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
        let (script, _) = script.expect("the page has its script, `the_policy_names_the_script` says so");
        let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
        format!(
            "default-src 'self'; script-src 'self' 'sha256-{hash}'; style-src 'self' 'unsafe-inline'; \
             img-src 'self' data:; frame-ancestors 'none'"
        )
    });
    let policy = HeaderValue::from_str(policy).expect("made of ASCII");
    let mut response = COMPRESSED.response(request.headers(), "text/html; charset=utf-8", &PAGE);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Its style sheet.
pub fn style(request: &Request) -> Response {
    asset(request, &assets().0, "text/css; charset=utf-8")
}

/// Its script.
pub fn script(request: &Request) -> Response {
    asset(request, &assets().1, "text/javascript; charset=utf-8")
}

fn asset(request: &Request, asset: &'static Asset, media_type: &str) -> Response {
    let mut response = if crate::http::etag::is_current(request.header(header::IF_NONE_MATCH), &asset.etag) {
        Response::builder().header(header::VARY, "Accept-Encoding").status(StatusCode::NOT_MODIFIED).finish()
    } else {
        asset.compressed.response(request.headers(), media_type, &asset.content)
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&asset.etag).expect("made of hexadecimal digits"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_script() {
        let page = page(&Request::default());
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.contains("'sha256-") && !policy.contains("script-src 'self' 'unsafe-inline'"));
    }

    #[test]
    fn the_assets_are_whole_and_name_no_other_host() {
        let (style, script) = assets();
        assert!(style.content.contains(".swagger-ui") && style.content.len() > 100_000);
        assert!(script.content.contains("SwaggerUIBundle") && script.content.len() > 1_000_000);
        assert!(!PAGE.contains("://"), "the page loads nothing from elsewhere");
    }

    #[test]
    fn tokens_are_stored_for_the_tab_only() {
        assert!(!PAGE.contains("persistAuthorization:") && !PAGE.contains("localStorage.setItem"));
        // what the page replaces is still there to be replaced
        let (_, script) = assets();
        assert!(
            script.content.contains("persistAuthorizationIfNeeded") && script.content.contains("restoreAuthorization")
        );
    }
}
