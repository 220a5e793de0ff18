//! How one argument of a connection is described, for each block that has it.

use crate::openbao::kind::VaultKind;
use crate::registration::{Change, Field, Holds};

/// A block that configures a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionBlock {
    /// `openbao` in the provider block.
    Platform,
    /// `openbao` or `hashicorp_vault` in a secret backend.
    Backend(VaultKind),
    /// `vault_transit`, a customer's key.
    Key,
}

/// The form of an argument's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// URL of the server.
    Address,
    /// Namespace; `root` and `/` mean none.
    Namespace,
    /// Mount path of an engine or an auth method.
    Mount,
    /// Name of a key: one segment of a path.
    Key,
    /// Duration of at least an hour, or `0`.
    Period,
    /// Certificates in PEM.
    Certificates,
    /// Path of a file.
    Path,
    /// Credential, which must not be empty.
    Secret,
    /// Other text, which must not be empty.
    Text,
    /// A login, with arguments of its own.
    Login(&'static LoginArguments),
}

/// The arguments of a login.
#[derive(Debug)]
pub(super) struct LoginArguments {
    pub(super) arguments: &'static [Argument],
    pub(super) in_platform: &'static [Field],
    pub(super) in_backend: &'static [Field],
}

/// An argument, as each block has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument {
    pub(super) form: Form,
    in_platform: Option<Field>,
    in_backend: Option<Field>,
    in_key: Option<Field>,
    /// Environment variable of the argument in `openbao` and `hashicorp_vault`.
    backend_variables: Option<[&'static [&'static str]; 2]>,
}

impl ConnectionBlock {
    /// Returns true if the settings are stored in a state and in the catalog, so that a
    /// credential in the wrong argument would be stored with them.
    pub(super) fn is_stored(self) -> bool {
        match self {
            Self::Platform => false,
            Self::Backend(_) | Self::Key => true,
        }
    }
}

impl Argument {
    /// Describes an argument of all blocks.
    pub(super) const fn new(form: Form, field: Field) -> Self {
        let (mut in_platform, mut in_backend) = (field, field);
        if let Form::Login(login) = form {
            in_platform.holds = Holds::Block(login.in_platform);
            in_backend.holds = Holds::Block(login.in_backend);
        }
        Self {
            form,
            in_platform: Some(in_platform),
            in_backend: Some(in_backend),
            in_key: Some(in_backend),
            backend_variables: None,
        }
    }

    /// Removes the argument from all other blocks.
    pub(super) const fn only_in_platform(self) -> Self {
        Self {
            in_backend: None,
            in_key: None,
            ..self
        }
    }

    /// Removes the argument from all other blocks.
    pub(super) const fn only_in_key(self) -> Self {
        Self {
            in_platform: None,
            in_backend: None,
            ..self
        }
    }

    /// Removes the argument from the block of a key.
    pub(super) const fn not_in_key(self) -> Self {
        Self {
            in_key: None,
            ..self
        }
    }

    /// Sets the environment variables of the provider block, the first of which wins.
    pub(super) const fn variables(mut self, variables: &'static [&'static str]) -> Self {
        if let Some(field) = &mut self.in_platform {
            field.variables = variables;
        }
        self
    }

    /// Sets the environment variables of the `openbao` and the `hashicorp_vault` backend.
    pub(super) const fn backend_variables(
        self,
        openbao: &'static [&'static str],
        vault: &'static [&'static str],
    ) -> Self {
        Self {
            backend_variables: Some([openbao, vault]),
            ..self
        }
    }

    /// Sets a default for the provider block and another for the backend blocks.
    pub(super) const fn defaults(mut self, platform: &'static str, backend: &'static str) -> Self {
        if let Some(field) = &mut self.in_platform {
            field.default = Some(platform);
        }
        if let Some(field) = &mut self.in_backend {
            field.default = Some(backend);
        }
        self
    }

    /// Requires the argument in the backend blocks and in that of a key.
    pub(super) const fn required_in_backend(mut self) -> Self {
        if let Some(field) = self.in_backend {
            self.in_backend = Some(field.required());
        }
        if let Some(field) = self.in_key {
            self.in_key = Some(field.required());
        }
        self
    }

    /// Marks an argument whose change replaces the backend.
    pub(super) const fn replaces_backend(mut self) -> Self {
        if let Some(field) = self.in_backend {
            self.in_backend = Some(field.replaces());
        }
        self
    }

    /// Marks a credential: sensitive in the provider block, and in the other blocks the
    /// write-only argument `name` with the credential's `part`.
    pub(super) const fn credential(mut self, name: &'static str, part: &'static str) -> Self {
        if let Some(field) = &mut self.in_platform {
            field.change = Change::Credential(part);
        }
        if let Some(field) = &mut self.in_backend {
            field.name = name;
            field.change = Change::Credential(part);
            // Write-only values are absent after the apply.
            field.required = false;
        }
        if self.in_key.is_some() {
            self.in_key = self.in_backend;
        }
        self
    }

    /// Returns the argument as `block` has it, if it does.
    pub(super) const fn field(&self, block: ConnectionBlock) -> Option<Field> {
        let (field, kind) = match block {
            ConnectionBlock::Platform => return self.in_platform,
            ConnectionBlock::Backend(kind) => (self.in_backend, kind),
            // The variable that the command-line clients of both vendors read.
            ConnectionBlock::Key => (self.in_key, VaultKind::HashiCorpVault),
        };
        match (field, self.backend_variables) {
            (Some(field), Some([openbao, vault])) => Some(Field {
                variables: match kind {
                    VaultKind::OpenBao => openbao,
                    VaultKind::HashiCorpVault => vault,
                },
                ..field
            }),
            (field, _) => field,
        }
    }
}

/// Returns the number of arguments that `block` has.
pub(super) const fn count(arguments: &[Argument], block: ConnectionBlock) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < arguments.len() {
        if arguments[at].field(block).is_some() {
            count += 1;
        }
        at += 1;
    }
    count
}

/// Returns the arguments as `block` has them; `N` is their [`count`].
pub(super) const fn fields<const N: usize>(
    arguments: &[Argument],
    block: ConnectionBlock,
) -> [Field; N] {
    let mut fields = [Field::text("", ""); N];
    let (mut at, mut next) = (0, 0);
    while at < arguments.len() {
        if let Some(field) = arguments[at].field(block) {
            fields[next] = field;
            next += 1;
        }
        at += 1;
    }
    assert!(
        next == N,
        "N is the count of the arguments that the block has"
    );
    fields
}
