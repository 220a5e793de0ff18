//! Tokens: their sources, and their renewal.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::config::{JwtSource, MountPath, OpenBaoAuth};
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::files::read_secret_text;
use crate::http::{HttpResponse, json_object};
use planton_secret::{SecretBytes, SecretString};

/// Default path of a service account's token in a Kubernetes pod:
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
pub const DEFAULT_KUBERNETES_TOKEN_FILE: &str =
    "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The current token, and the source of the next one.
#[derive(Debug)]
pub(super) struct Session {
    auth: OpenBaoAuth,
    held: Mutex<Option<Arc<Token>>>,
}

/// A token in use.
#[derive(Debug)]
pub(super) struct Token {
    secret: SecretString,
    expires: Option<Instant>,
}

/// A login request: its path and its body.
pub(super) struct Login {
    pub(super) path: String,
    pub(super) body: SecretBytes,
}

/// A server that accepts logins.
#[async_trait]
pub(super) trait LogIn: Sync {
    /// Sends `login`.
    async fn log_in(&self, login: Login) -> Result<Token, OpenBaoError>;
}

/// The result of a login.
pub(super) struct Granted {
    pub(super) token: Token,
    /// False for a batch token, which the server does not store.
    pub(super) is_stored: bool,
}

impl Token {
    /// Returns the header's value, marked as sensitive. Its bytes are zeroized with the
    /// last copy.
    pub(super) fn header(&self) -> Result<HeaderValue, OpenBaoError> {
        let bytes = Bytes::from_owner(Zeroizing::new(self.secret.expose().as_bytes().to_vec()));
        let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| {
            refused("token").with_remedy("The token holds characters that no token has.")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Returns true if the token has expired.
    pub(super) fn has_expired(&self) -> bool {
        self.expires
            .is_some_and(|expires| expires <= Instant::now())
    }
}

impl Session {
    pub(super) fn new(auth: OpenBaoAuth) -> Self {
        Self {
            auth,
            held: Mutex::new(None),
        }
    }

    /// Returns true if new tokens come from a login.
    pub(super) fn logs_in(&self) -> bool {
        !matches!(self.auth, OpenBaoAuth::Token(_) | OpenBaoAuth::TokenFile(_))
    }

    /// Returns the current token, after a login if there is none. Concurrent callers
    /// wait and get the same one.
    pub(super) async fn token(&self, server: &dyn LogIn) -> Result<Arc<Token>, OpenBaoError> {
        let mut held = self.held.lock().await;
        if let Some(token) = &*held {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.obtain(server).await?);
        *held = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Returns a token to replace `old`, which was denied, or `None` if there is no
    /// other.
    ///
    /// It is one that another caller obtained in the meantime, one from a changed file,
    /// or one from a new login.
    pub(super) async fn renewed(
        &self,
        old: &Arc<Token>,
        server: &dyn LogIn,
    ) -> Result<Option<Arc<Token>>, OpenBaoError> {
        let mut held = self.held.lock().await;
        if let Some(token) = &*held
            && !Arc::ptr_eq(token, old)
        {
            return Ok(Some(Arc::clone(token)));
        }
        if matches!(self.auth, OpenBaoAuth::Token(_)) {
            return Ok(None);
        }
        let token = Arc::new(self.obtain(server).await?);
        let is_same = !self.logs_in() && same(&token.secret, &old.secret);
        if is_same {
            return Ok(None);
        }
        *held = Some(Arc::clone(&token));
        Ok(Some(token))
    }

    async fn obtain(&self, server: &dyn LogIn) -> Result<Token, OpenBaoError> {
        match &self.auth {
            OpenBaoAuth::Token(secret) => Ok(as_it_is(secret.clone())),
            OpenBaoAuth::TokenFile(path) => Ok(as_it_is(read_file("token_file", path).await?)),
            OpenBaoAuth::AppRole {
                mount_path,
                role_id,
                secret_id,
            } => {
                let fields = [
                    ("role_id", role_id.expose()),
                    ("secret_id", secret_id.expose()),
                ];
                server.log_in(login_at(mount_path, &fields)).await
            }
            OpenBaoAuth::Jwt {
                mount_path,
                role,
                source,
            } => {
                let jwt = match source {
                    JwtSource::Token(token) => token.clone(),
                    JwtSource::File(path) => read_file("jwt.token_file", path).await?,
                };
                server
                    .log_in(login_at(
                        mount_path,
                        &[("role", role), ("jwt", jwt.expose())],
                    ))
                    .await
            }
            OpenBaoAuth::Kubernetes {
                mount_path,
                role,
                token_file,
            } => {
                let jwt = read_file("kubernetes.token_file", token_file).await?;
                server
                    .log_in(login_at(
                        mount_path,
                        &[("role", role), ("jwt", jwt.expose())],
                    ))
                    .await
            }
        }
    }
}

/// Parses the response of a login.
pub(super) fn granted(response: &HttpResponse, path: &str) -> Result<Granted, OpenBaoError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        auth: Auth<'a>,
    }
    #[derive(Deserialize)]
    struct Auth<'a> {
        client_token: &'a str,
        lease_duration: u64,
        #[serde(default)]
        token_type: &'a str,
    }
    let answer: Answer<'_> = serde_json::from_slice(response.body.expose())
        .map_err(|_| OpenBaoError::unexpected(response, "login", path))?;
    let lease = Duration::from_secs(answer.auth.lease_duration);
    Ok(Granted {
        token: Token {
            secret: answer.auth.client_token.into(),
            expires: (!lease.is_zero()).then(|| Instant::now() + lease),
        },
        is_stored: answer.auth.token_type != "batch",
    })
}

pub(super) fn as_it_is(secret: SecretString) -> Token {
    Token {
        secret,
        expires: None,
    }
}

fn login_at(mount: &MountPath, fields: &[(&str, &str)]) -> Login {
    Login {
        path: format!("auth/{mount}/login"),
        body: json_object(fields),
    }
}

/// Reads the file that `setting` names. Its errors omit the path, which may be a
/// misplaced token.
async fn read_file(setting: &str, path: &Path) -> Result<SecretString, OpenBaoError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_secret_text(&path)).await;
    let read = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let text = read.map_err(|error| {
        refused("read token file")
            .with_remedy(format!(
                "Check the file that {setting} names, and its mode; {setting} takes a path, and \
                 not the token itself."
            ))
            .with_source(error)
    })?;
    let trimmed = text.expose().trim();
    if trimmed.is_empty() {
        return Err(refused("read token file")
            .with_remedy(format!("The file that {setting} names holds no token.")));
    }
    Ok(trimmed.into())
}

fn refused(operation: &'static str) -> OpenBaoError {
    OpenBaoError::new(OpenBaoErrorKind::Unauthenticated, operation, "auth")
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    use subtle::ConstantTimeEq;
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_token_is_sensitive_in_headers_and_redacted_in_debug() {
        let token = as_it_is("s.hunter2".into());
        let header = token.header().unwrap();
        assert!(header.is_sensitive());
        assert!(!format!("{header:?} {token:?}").contains("hunter2"));
        assert!(as_it_is("a\nb".into()).header().is_err());
    }

    #[derive(Default)]
    struct Counted(AtomicU32);

    #[async_trait]
    impl LogIn for Counted {
        async fn log_in(&self, _: Login) -> Result<Token, OpenBaoError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(as_it_is("t".into()))
        }
    }

    #[tokio::test]
    async fn only_one_of_many_logs_in() {
        let session = Session::new(OpenBaoAuth::AppRole {
            mount_path: MountPath::parse("approle").unwrap(),
            role_id: "r".into(),
            secret_id: "s".into(),
        });
        let server = Counted::default();
        let (a, b) = tokio::join!(session.token(&server), session.token(&server));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        let (c, d) = tokio::join!(session.renewed(&a, &server), session.renewed(&b, &server));
        assert!(Arc::ptr_eq(&c.unwrap().unwrap(), &d.unwrap().unwrap()));
        assert_eq!(server.0.into_inner(), 2);
    }

    #[tokio::test]
    async fn a_token_file_counts_again_only_once_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let session = Session::new(OpenBaoAuth::TokenFile(path.clone()));
        let server = Counted::default();
        let first = session.token(&server).await.unwrap();
        assert!(session.renewed(&first, &server).await.unwrap().is_none());
        std::fs::write(&path, "two\n").unwrap();
        let second = session.renewed(&first, &server).await.unwrap().unwrap();
        assert_eq!(second.secret.expose(), "two");
        std::fs::remove_file(&path).unwrap();
        let error = session.renewed(&second, &server).await.unwrap_err();
        assert_eq!(error.kind(), OpenBaoErrorKind::Unauthenticated);
        assert_eq!(server.0.into_inner(), 0);
    }

    #[tokio::test]
    async fn a_token_in_the_place_of_its_files_path_is_not_repeated() {
        let path = || "/s.hunter2".into();
        let mount_path = MountPath::parse("m").unwrap();
        let role = "r".to_owned();
        for (setting, auth) in [
            ("that token_file names", OpenBaoAuth::TokenFile(path())),
            (
                "that jwt.token_file names",
                OpenBaoAuth::Jwt {
                    mount_path: mount_path.clone(),
                    role: role.clone(),
                    source: JwtSource::File(path()),
                },
            ),
            (
                "that kubernetes.token_file names",
                OpenBaoAuth::Kubernetes {
                    mount_path,
                    role,
                    token_file: path(),
                },
            ),
        ] {
            let session = Session::new(auth);
            let error = session.token(&Counted::default()).await.unwrap_err();
            assert!(error.remedy().unwrap().contains(setting), "{error:?}");
            assert!(
                !format!("{error:?} {error}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
