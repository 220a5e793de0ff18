//! The target of a request and of a redirect.

use http::{Method, header};
use url::Url;

use super::answer::HttpResponse;

/// Returns the target of a redirect. For methods other than GET, the status must
/// preserve method and body.
pub(super) fn redirect(method: &Method, response: &HttpResponse, url: &Url) -> Option<Url> {
    let keeps_method = matches!(response.status.as_u16(), 307 | 308);
    let rewrites = matches!(response.status.as_u16(), 301 | 302);
    if !(keeps_method || rewrites && method == Method::GET) {
        return None;
    }
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    url.join(location).ok()
}

/// Returns true if both URLs have the same origin, so that they may share credentials.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Returns the host, and the port if it is not the scheme's default.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("-");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Returns the description of a request in errors and logs: method, host and path.
pub(super) fn target(method: &Method, url: &Url) -> String {
    format!("{method} {}{}", url.host_str().unwrap_or("-"), url.path())
}
