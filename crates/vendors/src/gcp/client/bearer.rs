//! Bearer tokens: their scope, and the header that contains them.

use http::HeaderValue;
use zeroize::Zeroizing;

/// The OAuth scope that both Secret Manager and Cloud KMS accept.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Returns the header for a token, or `None` if the token is no valid header value.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
