//! A call with the session's token, repeated once with another token after a denial.

use http::{Method, StatusCode};

use super::call::{Call, Route};
use super::error::{OpenBaoError, OpenBaoErrorKind, missing_engine};
use super::login::Token;
use super::openbao_client::OpenBaoClient;
use super::wrapping;
use crate::http::HttpResponse;

impl OpenBaoClient {
    /// Sends `call` with the token in use. After a denial, sends it once more with another
    /// token, if there is one.
    ///
    /// Returns successful responses, 404, whose body describes a deleted version, and 400
    /// to a batch.
    pub(super) async fn call(&self, call: &Call) -> Result<HttpResponse, OpenBaoError> {
        let response = self.call_wrapped(call).await?;
        let wrapping = match call.route {
            Route::Any => None,
            Route::Active => wrapping::token_in(&response),
        };
        match wrapping {
            Some(wrapping) => self.unwrap(call, &wrapping).await,
            None => Ok(response),
        }
    }

    /// Describes an unsuccessful response, with commands of the server's vendor.
    pub(super) async fn refusal(&self, response: &HttpResponse, call: &Call) -> OpenBaoError {
        let error = OpenBaoError::from_response(response, call.operation, &call.path);
        if !error.concerns_engine() {
            return error;
        }
        let vendor = self.vendor().await;
        error.with_remedy(missing_engine(&call.path, vendor))
    }

    /// Fetches a wrapped response. Only the active node keeps it, and returns it once.
    async fn unwrap(&self, call: &Call, wrapping: &Token) -> Result<HttpResponse, OpenBaoError> {
        let unwrap = Call::new(call.operation, Method::POST, wrapping::UNWRAP);
        let mut response = self.send(&unwrap, Some(wrapping)).await?;
        for _ in 0..wrapping::TRIES {
            // A standby that has not replicated the token yet returns 400.
            if response.status != StatusCode::BAD_REQUEST {
                break;
            }
            tokio::time::sleep(wrapping::WAIT).await;
            response = self.send(&unwrap, Some(wrapping)).await?;
        }
        if response.status.is_success() || response.status == StatusCode::NOT_FOUND {
            return Ok(response);
        }
        if call.writes {
            // The write has landed, and its outcome is unknown.
            self.0.consistency.doubt();
        }
        let refused = OpenBaoError::from_response(&response, unwrap.operation, &unwrap.path);
        Err(
            OpenBaoError::new(OpenBaoErrorKind::Unavailable, call.operation, &call.path)
                .with_source(refused),
        )
    }

    async fn call_wrapped(&self, call: &Call) -> Result<HttpResponse, OpenBaoError> {
        let token = self.0.session.token(self).await?;
        let mut response = self.send(call, Some(&token)).await?;
        if response.status == StatusCode::FORBIDDEN {
            let denial = OpenBaoError::from_response(&response, call.operation, &call.path);
            let known_invalid = denial.kind() == OpenBaoErrorKind::Unauthenticated;
            // The server returns "permission denied" for an expired token too.
            if !known_invalid && !token.has_expired() && self.is_valid(&token).await? {
                return Err(denial);
            }
            let Some(other) = self.0.session.renewed(&token, self).await? else {
                return Err(invalid_token(call).with_source(denial));
            };
            response = self.send(call, Some(&other)).await?;
        }
        let has_items = call.has_items && response.status == StatusCode::BAD_REQUEST;
        if response.status.is_success() || response.status == StatusCode::NOT_FOUND || has_items {
            return Ok(response);
        }
        Err(self.refusal(&response, call).await)
    }

    /// Returns true if `token` may look itself up, which tells an expired token from a
    /// missing permission: <https://openbao.org/api-docs/auth/token/>.
    async fn is_valid(&self, token: &Token) -> Result<bool, OpenBaoError> {
        let call = Call::new("look up token", Method::GET, "auth/token/lookup-self");
        let response = self.send(&call, Some(token)).await?;
        Ok(response.status.is_success())
    }
}

fn invalid_token(call: &Call) -> OpenBaoError {
    OpenBaoError::new(
        OpenBaoErrorKind::Unauthenticated,
        call.operation,
        &call.path,
    )
    .with_remedy(
        "The token is invalid or has expired: renew it. (A valid token whose policies do not \
         allow auth/token/lookup-self looks the same.)",
    )
}
