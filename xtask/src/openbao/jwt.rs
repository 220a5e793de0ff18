//! Signed JWTs, as a CI system would issue them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::process;
use crate::tools::Tools;

const SCRIPT: &str = include_str!("../../jwt.py");
const BOUND: Duration = Duration::from_secs(60);

/// An issuer with its own key pair.
#[derive(Debug)]
pub struct JwtIssuer {
    python: PathBuf,
    folder: TempDir,
    public_key: String,
}

impl JwtIssuer {
    /// Creates an issuer with a new key.
    ///
    /// # Errors
    ///
    /// If Python or its `cryptography` is missing.
    pub fn new(tools: &Tools) -> Result<Self> {
        let folder = tempfile::tempdir().context("creating an issuer's folder")?;
        fs::write(folder.path().join("jwt.py"), SCRIPT).context("writing the issuer's script")?;
        let mut issuer = Self {
            python: tools.python().to_owned(),
            folder,
            public_key: String::new(),
        };
        issuer.public_key = issuer.run(&["new-key"])?;
        Ok(issuer)
    }

    /// Returns the public key in PEM, for
    /// [`Api::jwt_role`](super::Api::jwt_role).
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs `claims` with ES256. By default, `aud` is `planton`, `exp` is in ten
    /// minutes, and `iat` is now.
    ///
    /// # Errors
    ///
    /// If the script fails.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let token = self.run(&["sign", &claims.to_string()])?;
        Ok(token.trim().to_owned())
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.python);
        command
            .current_dir(self.folder.path())
            .arg("jwt.py")
            .args(arguments);
        Ok(process::run(&mut command, BOUND)?.ok()?.stdout)
    }
}
