//! The credential: a service account's key file, or Application Default Credentials.

use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use planton_secret::SecretString;

/// A source of tokens.
#[derive(Clone, Debug)]
pub enum GcpCredential {
    /// A key file. It signs tokens itself, so no token request is needed.
    ServiceAccount(ServiceAccountKey),
    /// Application Default Credentials: `GOOGLE_APPLICATION_CREDENTIALS`, the file of
    /// `gcloud auth application-default login`, or the metadata server:
    /// <https://cloud.google.com/docs/authentication/application-default-credentials>
    ApplicationDefault,
}

/// A service account's key file whose private key can sign.
///
/// # Security
///
/// Zeroized on drop, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub struct ServiceAccountKey {
    json: SecretString,
    universe_domain: Option<String>,
}

/// The text is not a service account's key file. The error omits the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceAccountKey {
    /// Not JSON, or not an object.
    #[error("it is not a JSON object")]
    NotJson,
    /// Another type of credential.
    #[error("its \"type\" is not \"service_account\"")]
    OtherType,
    /// A required field is missing or is not text.
    #[error("it has no {0:?} that is text")]
    Missing(&'static str),
    /// The private key has another format.
    #[error("its \"private_key\" is not an RSA key in PKCS#8 PEM form")]
    NoPrivateKey,
}

/// A parsed file, whose texts are zeroized on drop.
struct KeyFile(Map<String, Value>);

impl ServiceAccountKey {
    /// Parses a key file, as the console and `gcloud iam service-accounts keys create`
    /// write it.
    ///
    /// # Errors
    ///
    /// [`InvalidServiceAccountKey`], which quotes nothing of `json`.
    pub fn parse(json: &SecretString) -> Result<Self, InvalidServiceAccountKey> {
        use InvalidServiceAccountKey as E;
        let text = json.expose().trim_start_matches('\u{feff}');
        // The parser's error may quote the text, so it is omitted.
        let file = KeyFile(serde_json::from_str(text).map_err(|_| E::NotJson)?);
        if file.text("type") != Some("service_account") {
            return Err(E::OtherType);
        }
        for name in ["client_email", "private_key_id", "project_id"] {
            file.text(name).ok_or(E::Missing(name))?;
        }
        let name = "private_key";
        let private_key = file.text(name).ok_or(E::Missing(name))?;
        let parsed = PrivateKeyDer::from_pem_slice(private_key.as_bytes());
        let Ok(key @ PrivateKeyDer::Pkcs8(_)) = parsed else {
            return Err(E::NoPrivateKey);
        };
        any_supported_type(&key)
            .ok()
            .and_then(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]))
            .ok_or(E::NoPrivateKey)?;
        Ok(Self {
            json: text.into(),
            universe_domain: file.text("universe_domain").map(str::to_owned),
        })
    }

    /// Returns the account's universe domain, if the file names one. `googleapis.com`
    /// is Google's own cloud.
    #[must_use]
    pub fn universe_domain(&self) -> Option<&str> {
        self.universe_domain.as_deref()
    }

    pub(super) fn json(&self) -> &SecretString {
        &self.json
    }
}

impl KeyFile {
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        Some(text).filter(|text| !text.is_empty())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn parse(file: &Value) -> Result<ServiceAccountKey, InvalidServiceAccountKey> {
        ServiceAccountKey::parse(&SecretString::new(file.to_string()))
    }

    fn pem(der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    fn key_file() -> Value {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        use aws_lc_rs::rsa::{KeyPair, KeySize};
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        json!({
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "0badcafe",
            "private_key": pem(der.as_ref()),
            "client_email": "ci@acme.iam.gserviceaccount.com",
            "universe_domain": "googleapis.com",
        })
    }

    #[test]
    fn a_key_file_is_taken_and_never_printed() {
        let file = key_file();
        let key = parse(&file).unwrap();
        assert_eq!(key.universe_domain(), Some("googleapis.com"));
        assert_eq!(
            format!("{key:?}"),
            "ServiceAccountKey { json: SecretString(redacted), universe_domain: Some(\"googleapis.com\") }"
        );
        let text = SecretString::new(format!("\u{feff}{file}\n"));
        assert!(ServiceAccountKey::parse(&text).is_ok());
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_there_is_not_repeated() {
        use InvalidServiceAccountKey as E;
        let ec = rcgen::KeyPair::generate().unwrap();
        let good = key_file();
        let with = |name: &str, value: Value| {
            let mut file = good.clone();
            file[name] = value;
            parse(&file).unwrap_err()
        };
        assert_eq!(with("type", json!("authorized_user")), E::OtherType);
        assert_eq!(with("type", json!(1)), E::OtherType);
        for name in [
            "client_email",
            "private_key_id",
            "private_key",
            "project_id",
        ] {
            for nothing in [Value::Null, json!(""), json!(["hunter2"])] {
                assert_eq!(with(name, nothing), E::Missing(name));
            }
        }
        for other in [
            "hunter2".to_owned(),
            pem(b"hunter2"),
            pem(&ec.serialize_der()),
        ] {
            assert_eq!(with("private_key", json!(other)), E::NoPrivateKey);
        }
        assert_eq!(parse(&json!("hunter2")).unwrap_err(), E::NotJson);
        let text = ServiceAccountKey::parse(&"hunter2 {".into()).unwrap_err();
        assert_eq!(text, E::NotJson);
        for error in [E::NotJson, E::Missing("client_email"), E::NoPrivateKey] {
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
