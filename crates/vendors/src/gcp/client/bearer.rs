//! Bearer tokens: what they are requested for, and how they are sent.

use http::HeaderValue;
use zeroize::Zeroizing;

/// The one scope that both Secret Manager and Cloud KMS take.
pub(super) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Returns the header for a token; `None` for what cannot be one.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
