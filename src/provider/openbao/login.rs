//! Chooses the login to the platform: from the block, otherwise from the environment.

use std::path::PathBuf;

use super::super::settings::{LOGINS, invalid_mount, invalid_path};
use super::{Reader, at};
use planton_plugin::{AttributePath, Diagnostic, Value};
use planton_secret::SecretString;
use planton_vendors::openbao::client::{
    DEFAULT_KUBERNETES_TOKEN_FILE, JwtSource, MountPath, OpenBaoAuth, check_path,
};

impl Reader<'_> {
    pub(super) fn auth(&self) -> Result<OpenBaoAuth, Diagnostic> {
        let chosen = LOGINS
            .into_iter()
            .find(|name| self.block.attribute(name).is_set());
        let Some(chosen) = chosen else {
            return self.auth_of_environment();
        };
        let block = self.block.attribute(chosen);
        let path = at(chosen);
        let secret = |name: &str| {
            block
                .attribute(name)
                .as_secret()
                .cloned()
                .unwrap_or_default()
        };
        let text = |name: &str| {
            block
                .attribute(name)
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Ok(match chosen {
            "token" => OpenBaoAuth::Token(block.as_secret().cloned().unwrap_or_default()),
            "token_file" => OpenBaoAuth::TokenFile(block.as_str().unwrap_or_default().into()),
            "approle" => OpenBaoAuth::AppRole {
                mount_path: mount(block, path.then("mount_path"), "mount_path", "approle")?,
                role_id: secret("role_id"),
                secret_id: secret("secret_id"),
            },
            "jwt" => OpenBaoAuth::Jwt {
                mount_path: mount(block, path.then("mount_path"), "mount_path", "jwt")?,
                role: text("role"),
                source: match block.attribute("token").as_secret() {
                    Some(token) => JwtSource::Token(token.clone()),
                    None => JwtSource::File(text("token_file").into()),
                },
            },
            _ => OpenBaoAuth::Kubernetes {
                mount_path: mount(block, path.then("mount_path"), "mount_path", "kubernetes")?,
                role: text("role"),
                token_file: PathBuf::from(
                    block
                        .attribute("token_file")
                        .as_str()
                        .unwrap_or(DEFAULT_KUBERNETES_TOKEN_FILE),
                ),
            },
        })
    }

    fn auth_of_environment(&self) -> Result<OpenBaoAuth, Diagnostic> {
        if let Some(token) = self.environment.first(&["PLANTON_TOKEN", "BAO_TOKEN"]) {
            return Ok(OpenBaoAuth::Token(SecretString::new(token)));
        }
        if let Some(file) = self.environment.first(&["PLANTON_TOKEN_FILE"]) {
            let unusable = |error| invalid_path("PLANTON_TOKEN_FILE", &error, at("token_file"));
            check_path(&file).map_err(unusable)?;
            return Ok(OpenBaoAuth::TokenFile(file.into()));
        }
        Err(Diagnostic::error(
            "Platform Credentials Missing",
            "No credentials for the platform are configured.\n\nSet one of token, token_file, \
             approle, jwt and kubernetes in the openbao block, or the variable PLANTON_TOKEN, \
             BAO_TOKEN or PLANTON_TOKEN_FILE.",
        )
        .at(AttributePath::attribute("openbao")))
    }
}

fn mount(
    block: &Value,
    path: AttributePath,
    name: &str,
    default: &str,
) -> Result<MountPath, Diagnostic> {
    let text = block.attribute(name).as_str().unwrap_or(default);
    MountPath::parse(text).map_err(|error| invalid_mount(&error, path))
}
