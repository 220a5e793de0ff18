//! Places of a practitioner's own where sealed versions are stored, each with
//! the vendor's own way to look inside.

use std::collections::BTreeMap;
use std::path::Path;

use xtask::azure::{AzureFake, AzureFakeOptions};
use xtask::gcp::GcpFake;
use xtask::moto::Moto;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::terraform::Workspace;
use xtask::tools::Tools;

use super::front::Front;
use crate::scene::{Scene, read_values_in};

pub(super) const PROJECT: &str = "acme-prod";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const ACCESS_KEY: &str = "AKIAPLANTONTEST0001";
pub(super) const READER_KEY: &str = "AKIAREADER0000000001";
pub(super) const READER_SECRET: &str = "aPersonWithAConsoleAndItsOwnSecretKey000";
pub(super) const AZURE_READER_SECRET: &str = "a~person~with~a~console";

/// A place to store, with its servers.
pub(crate) struct Place {
    pub(super) kind: Kind,
    /// The name of the block, and so of the type.
    pub(crate) block_name: &'static str,
    /// The credential that its block takes from `var.backend_secret`.
    pub(crate) secret: String,
    /// What the environment of the provider has besides.
    more: Vec<(&'static str, String)>,
    pub(super) front: Option<Front>,
}

pub(super) enum Kind {
    OpenBao {
        server: Box<OpenBao>,
        namespace: Option<&'static str>,
    },
    Aws(Box<Moto>),
    Gcp(Box<GcpFake>),
    Azure(Box<AzureFake>),
}

impl Place {
    /// Starts a self-hosted OpenBAO.
    pub(crate) fn openbao() -> Self {
        Self::openbao_with(&ServerOptions::default())
    }

    /// Starts a self-hosted OpenBAO with these options.
    pub(crate) fn openbao_with(options: &ServerOptions) -> Self {
        let server = start_openbao(options);
        server.api().enable_kv2("secret").unwrap();
        Self {
            block_name: "openbao",
            secret: server.root_token().to_owned(),
            front: None,
            more: Vec::new(),
            kind: Kind::OpenBao {
                server,
                namespace: None,
            },
        }
    }

    /// Starts what stands for a HashiCorp Vault: an OpenBAO with a namespace.
    pub(crate) fn vault() -> Self {
        Self::vault_with(&ServerOptions::default())
    }

    /// As [`vault`](Self::vault), with these options.
    pub(crate) fn vault_with(options: &ServerOptions) -> Self {
        let server = start_openbao(options);
        server.api().create_namespace("team").unwrap();
        let inside = server.api().in_namespace("team");
        inside.enable_kv2("secret").unwrap();
        Self {
            block_name: "hashicorp_vault",
            secret: server.root_token().to_owned(),
            front: None,
            more: Vec::new(),
            kind: Kind::OpenBao {
                server,
                namespace: Some("team"),
            },
        }
    }

    /// Starts AWS's emulator.
    pub(crate) fn aws() -> Self {
        Self::aws_with("wJalrXUtnFEMI/K7MDENG/plantonTestSecret0", None)
    }

    /// Starts AWS's emulator, which knows our access key by this secret.
    pub(crate) fn aws_with(secret: &str, session_token: Option<&str>) -> Self {
        let moto = Moto::start(&Tools::locate().unwrap()).unwrap();
        let secret = secret.to_owned();
        moto.allow_key(ACCESS_KEY, &secret, session_token).unwrap();
        moto.allow_key(READER_KEY, READER_SECRET, None).unwrap();
        Self {
            block_name: "aws_secrets_manager",
            secret,
            front: None,
            more: Vec::new(),
            kind: Kind::Aws(Box::new(moto)),
        }
    }

    /// Starts the fake of GCP Secret Manager.
    pub(crate) fn gcp() -> Self {
        let fake = GcpFake::start(&Tools::locate().unwrap()).unwrap();
        let email = format!("planton@{PROJECT}.iam.gserviceaccount.com");
        Self {
            block_name: "gcp_secret_manager",
            secret: fake.key_file(&email).unwrap(),
            front: None,
            more: Vec::new(),
            kind: Kind::Gcp(Box::new(fake)),
        }
    }

    /// Starts the fake of Azure Key Vault.
    pub(crate) fn azure() -> Self {
        Self::azure_with(AzureFakeOptions::default())
    }

    /// Starts the fake of Azure Key Vault for who is known by these.
    pub(crate) fn azure_with(options: AzureFakeOptions) -> Self {
        let secret = options.client_secret.clone();
        let fake = AzureFake::start(&Tools::locate().unwrap(), options).unwrap();
        // Its block asks for purges.
        fake.grant(&["purge"]).unwrap();
        fake.add_client_secret(AZURE_READER_SECRET).unwrap();
        Self {
            block_name: "azure_key_vault",
            secret,
            front: None,
            more: Vec::new(),
            kind: Kind::Azure(Box::new(fake)),
        }
    }

    /// Takes another credential.
    pub(crate) fn with_secret(self, secret: String) -> Self {
        Self { secret, ..self }
    }

    /// Puts the credential into the environment, as the vendor's own tools find
    /// it; `folder` takes what is found in files.
    pub(crate) fn with_ambient_secret(mut self, folder: &Path) -> Self {
        let secret = self.secret.clone();
        self.more = match &self.kind {
            Kind::OpenBao {
                namespace: None, ..
            } => vec![("BAO_TOKEN", secret)],
            Kind::OpenBao { .. } => vec![("VAULT_TOKEN", secret)],
            Kind::Aws(_) => vec![
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", secret),
            ],
            Kind::Gcp(_) => {
                let file = folder.join("key.json");
                std::fs::write(&file, secret).unwrap();
                let file = file.display().to_string();
                vec![("GOOGLE_APPLICATION_CREDENTIALS", file)]
            }
            Kind::Azure(_) => vec![
                ("AZURE_TENANT_ID", AzureFake::TENANT.to_owned()),
                ("AZURE_CLIENT_ID", AzureFake::CLIENT.to_owned()),
                ("AZURE_CLIENT_SECRET", secret),
            ],
        };
        self
    }

    /// Returns the variables that give the credential.
    pub(crate) fn ambient_variables(&self) -> Vec<(&'static str, String)> {
        self.more.clone()
    }

    /// Returns the block without a credential: the ambient chain serves.
    pub(crate) fn ambient_block(&self) -> String {
        let block = self.block();
        let given =
            |line: &&str| !line.contains("var.backend_secret") && !line.contains("access_key_id");
        let lines = block.lines().filter(given);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Returns AWS's emulator.
    pub(crate) fn moto(&self) -> &Moto {
        match &self.kind {
            Kind::Aws(moto) => moto,
            _ => panic!("{} is not AWS", self.block_name),
        }
    }

    /// Returns the fake of GCP Secret Manager.
    pub(crate) fn gcp_fake(&self) -> &GcpFake {
        match &self.kind {
            Kind::Gcp(fake) => fake,
            _ => panic!("{} is not GCP", self.block_name),
        }
    }

    /// Returns the fake of Azure Key Vault.
    pub(crate) fn azure_fake(&self) -> &AzureFake {
        match &self.kind {
            Kind::Azure(fake) => fake,
            _ => panic!("{} is not Azure", self.block_name),
        }
    }

    /// Returns the server of Vault's protocol.
    pub(crate) fn server(&self) -> &OpenBao {
        match &self.kind {
            Kind::OpenBao { server, .. } => server,
            _ => panic!("{} speaks another protocol", self.block_name),
        }
    }

    /// Returns what the provider's process needs in its environment to trust the
    /// place, through what stands before it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.more.clone();
        // What was never granted is denied at once, and what is gone is gone soon.
        environment.push(("PLANTON_TEST_GRANT_WAIT_MS", "0".to_owned()));
        environment.push(("PLANTON_TEST_ABSENCE_WAIT_MS", "100".to_owned()));
        if let Some(front) = &self.front {
            environment.extend(front.environment(&self.kind));
        } else if let Kind::Azure(fake) = &self.kind {
            let file = fake.ca_file().display().to_string();
            environment.push(("SSL_CERT_FILE", file));
        }
        environment
    }

    /// Returns the environment by which AWS's default chain leads here.
    pub(crate) fn ambient(&self) -> [(&'static str, String); 3] {
        assert!(matches!(self.kind, Kind::Aws(_)), "{}", self.block_name);
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
            ("AWS_ENDPOINT_URL", self.address()),
        ]
    }

    /// Makes a workspace of `scene` whose provider trusts this place.
    pub(crate) fn workspace(&self, scene: &Scene) -> Workspace {
        let mut workspace = scene.workspace("");
        for (name, value) in self.environment() {
            workspace.env(name, value);
        }
        // Between two looks at what is missing, instead of 30 s.
        workspace.env("PLANTON_TEST_ABSENCE_WAIT_MS", "50");
        workspace
    }

    /// Returns the current value of a secret of organization scope, as a consumer
    /// gets it.
    pub(crate) fn read(&self, scene: &Scene, name: &str) -> String {
        let selector = format!("name = {name:?}");
        let mut values = self.read_each(scene, &[("it", selector)]);
        values.remove("it").unwrap()
    }

    /// Returns what consumers get by these selectors, by their keys.
    pub(crate) fn read_each(
        &self,
        scene: &Scene,
        selectors: &[(&str, String)],
    ) -> BTreeMap<String, String> {
        read_values_in(&self.workspace(scene), selectors)
    }

    /// Returns the block for `planton_secret_backend`, with its credential from
    /// `var.backend_secret`.
    pub(crate) fn block(&self) -> String {
        self.block_at(&self.address())
    }

    /// Returns the block for another address of the same place.
    pub(crate) fn block_at(&self, address: &str) -> String {
        let lines = match &self.kind {
            Kind::OpenBao { namespace, .. } => {
                let namespace = namespace.map_or_else(String::new, |namespace| {
                    format!("    namespace = {namespace:?}\n")
                });
                format!("    address = {address:?}\n{namespace}    token_wo = var.backend_secret\n")
            }
            Kind::Aws(_) => format!(
                "    region = {REGION:?}\n    endpoint = {address:?}\n    access_key_id = \
                 {ACCESS_KEY:?}\n    secret_access_key_wo = var.backend_secret\n    \
                 recovery_window_days = 0\n"
            ),
            Kind::Gcp(_) => format!(
                "    project_id = {PROJECT:?}\n    endpoint = {address:?}\n    \
                 service_account_key_json_wo = var.backend_secret\n"
            ),
            Kind::Azure(fake) => format!(
                "    vault_url = {address:?}\n    authority_host = {:?}\n    tenant_id = {:?}\n    \
                 client_id = {:?}\n    client_secret_wo = var.backend_secret\n    purge_on_destroy \
                 = true\n",
                fake.vault_url(),
                AzureFake::TENANT,
                AzureFake::CLIENT,
            ),
        };
        format!("  {} = {{\n{lines}  }}\n", self.block_name)
    }

    /// Returns where it answers.
    pub(crate) fn address(&self) -> String {
        if let Some(front) = &self.front {
            return front.proxy().address().to_owned();
        }
        match &self.kind {
            Kind::OpenBao { server, .. } => server.address().to_owned(),
            Kind::Aws(moto) => moto.address().to_owned(),
            Kind::Gcp(fake) => fake.address().to_owned(),
            Kind::Azure(fake) => fake.vault_url(),
        }
    }

    /// Returns replacements in a declaration of the backend `own`, each of which
    /// makes another place of it: nothing in it is reached.
    pub(crate) fn elsewhere(&self) -> Vec<(&'static str, &'static str)> {
        let token = "    token_wo";
        match &self.kind {
            Kind::OpenBao { namespace, .. } => vec![
                (token, "    kv_mount_path = \"other\"\n    token_wo"),
                match namespace {
                    Some(_) => ("\"team\"", "\"other-team\""),
                    None => (token, "    namespace = \"team\"\n    token_wo"),
                },
                match namespace {
                    Some(_) => ("  hashicorp_vault =", "  openbao ="),
                    None => ("  openbao =", "  hashicorp_vault ="),
                },
            ],
            Kind::Aws(_) => vec![("eu-central-1", "eu-west-1")],
            Kind::Gcp(_) => vec![
                ("\"acme-prod\"", "\"acme-other\""),
                (
                    "    project_id",
                    "    replica_locations = [\"europe-west3\"]\n    project_id",
                ),
            ],
            // The vault's address is all that says where it is.
            Kind::Azure(_) => vec![(
                "name = \"own\"",
                "name = \"own\"\n  name_prefix = \"other\"",
            )],
        }
    }

    /// Says whether each version has a path of its own, so that one that no record
    /// names stays when the secret goes.
    pub(crate) fn stores_versions_apart(&self) -> bool {
        matches!(self.kind, Kind::OpenBao { .. })
    }

    /// Says whether one version can be deleted, and the others left.
    pub(crate) fn deletes_versions(&self) -> bool {
        matches!(self.kind, Kind::OpenBao { .. } | Kind::Gcp(_))
    }
}

fn start_openbao(options: &ServerOptions) -> Box<OpenBao> {
    let tools = Tools::locate().unwrap();
    Box::new(OpenBao::start(&tools, options).unwrap())
}
