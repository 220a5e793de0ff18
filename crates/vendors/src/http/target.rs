//! Where a request goes, and where an answer redirects it.

use http::{Method, header};
use url::Url;

use super::answer::HttpResponse;

/// Returns where an answer redirects to. What is not a GET goes on only where
/// the status keeps method and body.
pub(super) fn redirect(method: &Method, response: &HttpResponse, url: &Url) -> Option<Url> {
    let keeps_method = matches!(response.status.as_u16(), 307 | 308);
    let rewrites = matches!(response.status.as_u16(), 301 | 302);
    if !(keeps_method || rewrites && method == Method::GET) {
        return None;
    }
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    url.join(location).ok()
}

/// Returns whether credentials for one may go to the other.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Returns the host, and the port where it is not the scheme's own.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("-");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Returns what errors and logs call a request: method, host and path.
pub(super) fn target(method: &Method, url: &Url) -> String {
    format!("{method} {}{}", url.host_str().unwrap_or("-"), url.path())
}
