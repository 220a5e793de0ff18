//! Login to the platform: from the openbao block, or from environment variables if the block
//! has none.

use super::Block;
use super::block::{unusable_variable, variables_of};
use planton_plugin::{AttributePath, Diagnostic};
use planton_secret::SecretString;
use planton_vendors::openbao::client::{OpenBaoAuth, check_path};
use planton_vendors::openbao::connection::{Connection, ConnectionBlock, Login, logins};

impl Block<'_> {
    /// Returns how to log in to the platform.
    pub(super) fn auth(&self, connection: &Connection) -> Result<OpenBaoAuth, Diagnostic> {
        if let Some(token) = self.at(&["token"]).as_secret() {
            return Ok(OpenBaoAuth::Token(token.clone()));
        }
        let configured = connection.login();
        let configured = configured.and_then(|login| login.with_secret(self.secret_of(login)));
        match configured {
            Some(auth) => Ok(auth),
            None => self.auth_of_environment(),
        }
    }

    fn secret_of(&self, login: &Login) -> Option<SecretString> {
        let path = match login {
            Login::AppRole { .. } => ["approle", "secret_id"],
            Login::Jwt { .. } => ["jwt", "token"],
            Login::Kubernetes { .. } | Login::TokenFile(_) => return None,
        };
        self.at(&path).as_secret().cloned()
    }

    fn auth_of_environment(&self) -> Result<OpenBaoAuth, Diagnostic> {
        let environment = self.environment;
        let first = |name| environment.and_then(|known| known.first(variables_of(name)));
        if let Some(token) = first("token") {
            return Ok(OpenBaoAuth::Token(SecretString::new(token)));
        }
        if let Some(file) = first("token_file") {
            let variable = variables_of("token_file").join(" or ");
            check_path(&file).map_err(|error| unusable_variable(&variable, error, "token_file"))?;
            return Ok(OpenBaoAuth::TokenFile(file.into()));
        }
        let variables = [variables_of("token"), variables_of("token_file")].concat();
        Err(Diagnostic::error(
            "Platform Credentials Missing",
            format!(
                "No credentials for the platform are configured.\n\nSet one of {} in the openbao \
                 block, or the environment variable {}.",
                listed(&logins(ConnectionBlock::Platform), "and"),
                listed(&variables, "or")
            ),
        )
        .at(AttributePath::attribute("openbao")))
    }
}

/// Joins words as `a, b and c`.
fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
