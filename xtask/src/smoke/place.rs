//! The vendor's settings, from documented variables and the vendor's credential chain.

use anyhow::{Context, Result};

use super::{Environment, NAME_PREFIX};

/// A vendor to test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Vendor {
    /// AWS Secrets Manager
    Aws,
    /// GCP Secret Manager
    Gcp,
    /// Azure Key Vault
    Azure,
    /// HashiCorp Vault
    Vault,
    /// OpenBAO
    #[value(name = "openbao")]
    OpenBao,
}

/// Variables that any process may need.
const COMMON: [&str; 9] = [
    "HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// The configuration for a vendor.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) vendor: Vendor,
    /// The block of `planton_secret_backend`.
    pub(super) block: String,
    /// The environment of the provider's process.
    pub(super) environment: Environment,
    /// The owner.
    pub(super) account: Account,
}

/// The source of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// The settings name it, as a project, vault or address.
    Named(String),
    /// AWS returns the account of the credentials in this region.
    OfCaller { region: String },
}

impl Vendor {
    /// Returns the argument on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Vault => "vault",
            Self::OpenBao => "openbao",
        }
    }

    /// Returns the text that the owner confirms.
    pub(super) fn account(self) -> &'static str {
        match self {
            Self::Aws => "AWS account",
            Self::Gcp => "GCP project",
            Self::Azure => "Azure key vault",
            Self::Vault => "Vault server",
            Self::OpenBao => "OpenBAO server",
        }
    }

    /// Returns the cost of a run.
    pub(super) fn costs(self) -> &'static str {
        match self {
            Self::Aws => {
                "less than 0.01 USD (0.40 USD a secret and month, for minutes; 0.05 USD for 10,000 \
                 requests)"
            }
            Self::Gcp => {
                "less than 0.01 USD (0.06 USD a version and month, for minutes; 0.03 USD for \
                 10,000 accesses)"
            }
            Self::Azure => "less than 0.01 USD (0.03 USD for 10,000 requests)",
            Self::Vault => "none on a server of your own; on HCP, clients count as billed",
            Self::OpenBao => "none",
        }
    }

    /// Returns the separator of the parts of a name.
    pub(super) fn separator(self) -> &'static str {
        match self {
            Self::Aws | Self::Vault | Self::OpenBao => "/",
            Self::Gcp => "_",
            Self::Azure => "--",
        }
    }

    /// Returns the prefix of this task's variables.
    fn prefix(self) -> String {
        format!("PLANTON_SMOKE_{}_", self.name().to_uppercase())
    }

    /// Returns the prefixes of the variables of the vendor's credential chain.
    fn chain(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["AWS_"],
            Self::Gcp => &["GOOGLE_", "GCE_", "CLOUDSDK_"],
            Self::Azure => &["AZURE_", "IDENTITY_", "MSI_", "ACTIONS_ID_TOKEN_"],
            Self::Vault => &["VAULT_"],
            Self::OpenBao => &["BAO_"],
        }
    }
}

impl Place {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// If a setting is missing.
    pub(super) fn new(vendor: Vendor, environment: &Environment) -> Result<Self> {
        let settings = Settings {
            vendor,
            environment,
        };
        let (lines, account) = match vendor {
            Vendor::Aws => settings.aws()?,
            Vendor::Gcp => settings.gcp()?,
            Vendor::Azure => settings.azure()?,
            Vendor::Vault | Vendor::OpenBao => settings.server()?,
        };
        let block_name = match vendor {
            Vendor::Aws => "aws_secrets_manager",
            Vendor::Gcp => "gcp_secret_manager",
            Vendor::Azure => "azure_key_vault",
            Vendor::Vault => "hashicorp_vault",
            Vendor::OpenBao => "openbao",
        };
        let passed = environment.iter().filter(|(name, _)| {
            let is_the_vendors = |start: &&str| name.starts_with(start);
            COMMON.contains(&name.as_str()) || vendor.chain().iter().any(is_the_vendors)
        });
        Ok(Self {
            vendor,
            block: format!(
                "  name_prefix = {NAME_PREFIX:?}\n  {block_name} = {{\n    {}\n  }}\n",
                lines.join("\n    ")
            ),
            environment: passed
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            account,
        })
    }
}

struct Settings<'a> {
    vendor: Vendor,
    environment: &'a Environment,
}

impl Settings<'_> {
    fn optional(&self, name: &str) -> Option<&str> {
        let found = self
            .environment
            .get(&format!("{}{name}", self.vendor.prefix()));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str, example: &str) -> Result<&str> {
        self.optional(name).with_context(|| {
            format!(
                "set {}{name}, for example to {example} (docs/smoke.md)",
                self.vendor.prefix()
            )
        })
    }

    /// Returns a line for each of these settings that is set.
    fn lines(&self, all: &[(&str, &str)]) -> Vec<String> {
        let line = |(name, attribute): &(&str, &str)| {
            let value = self.optional(name)?;
            Some(format!("{attribute} = {value:?}"))
        };
        all.iter().filter_map(line).collect()
    }

    fn aws(&self) -> Result<(Vec<String>, Account)> {
        let region = self.required("REGION", "eu-central-1")?;
        let mut lines = vec![
            format!("region = {region:?}"),
            "recovery_window_days = 0".to_owned(),
        ];
        lines.extend(self.lines(&[("KMS_KEY_ID", "kms_key_id")]));
        let region = region.to_owned();
        Ok((lines, Account::OfCaller { region }))
    }

    fn gcp(&self) -> Result<(Vec<String>, Account)> {
        let project = self.required("PROJECT", "acme-dev")?;
        let mut lines = vec![format!("project_id = {project:?}")];
        lines.extend(self.lines(&[
            ("ENDPOINT", "endpoint"),
            ("IMPERSONATE", "impersonate_service_account"),
        ]));
        Ok((lines, Account::Named(project.to_owned())))
    }

    fn azure(&self) -> Result<(Vec<String>, Account)> {
        let vault = self.required("VAULT_URL", "https://acme-dev.vault.azure.net")?;
        let vault = vault.trim_end_matches('/');
        let purge = self.optional("PURGE").unwrap_or("true") != "false";
        let lines = vec![
            format!("vault_url = {vault:?}"),
            format!("purge_on_destroy = {purge}"),
        ];
        Ok((lines, Account::Named(vault.to_owned())))
    }

    fn server(&self) -> Result<(Vec<String>, Account)> {
        let address = self.required("ADDRESS", "https://vault.example.com:8200")?;
        let address = address.trim_end_matches('/');
        let mut lines = vec![format!("address = {address:?}")];
        lines.extend(self.lines(&[
            ("NAMESPACE", "namespace"),
            ("KV_MOUNT_PATH", "kv_mount_path"),
        ]));
        Ok((lines, Account::Named(address.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn of(vendor: Vendor, variables: &[(&str, &str)]) -> Result<Place> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Place::new(vendor, &variables.iter().map(owned).collect())
    }

    #[test]
    fn a_missing_setting_is_named_with_an_example() {
        for (vendor, name) in [
            (Vendor::Aws, "PLANTON_SMOKE_AWS_REGION"),
            (Vendor::Gcp, "PLANTON_SMOKE_GCP_PROJECT"),
            (Vendor::Azure, "PLANTON_SMOKE_AZURE_VAULT_URL"),
            (Vendor::Vault, "PLANTON_SMOKE_VAULT_ADDRESS"),
            (Vendor::OpenBao, "PLANTON_SMOKE_OPENBAO_ADDRESS"),
        ] {
            for variables in [&[][..], &[(name, "")]] {
                let error = of(vendor, variables).unwrap_err().to_string();
                assert!(error.starts_with(&format!("set {name}, ")), "{error}");
            }
        }
    }

    #[test]
    fn the_provider_gets_the_vendors_own_variables_and_no_others() {
        let place = of(
            Vendor::Vault,
            &[
                ("PLANTON_SMOKE_VAULT_ADDRESS", "https://vault.example.com/"),
                ("PLANTON_SMOKE_VAULT_NAMESPACE", "team"),
                ("PLANTON_TOKEN", "of-a-platform"),
                ("BAO_TOKEN", "of-another"),
                ("VAULT_TOKEN", "of-this"),
                ("HOME", "/home/owner"),
            ],
        );
        let place = place.unwrap();
        let passed: Vec<_> = place.environment.keys().collect();
        assert_eq!(passed, ["HOME", "VAULT_TOKEN"]);
        let named = Account::Named("https://vault.example.com".to_owned());
        assert_eq!(place.account, named);
        assert!(
            place.block.contains("namespace = \"team\""),
            "{}",
            place.block
        );
    }
}
