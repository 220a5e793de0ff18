//! OpenBAO, and HashiCorp Vault, which speaks the same protocol: login, KV v2,
//! Transit, and what keeps a standby from answering with the past.

mod auth;
mod config;
mod consistency;
mod error;
mod fence;
mod files;
mod identify;
mod kv;
mod policy;
mod request;
mod server;
mod transit;
mod wrapping;

pub use auth::DEFAULT_KUBERNETES_TOKEN_FILE;
pub use config::{
    InvalidAddress, InvalidMountPath, JwtSource, MountPath, OpenBaoAddress, OpenBaoAuth,
    OpenBaoConfig,
};
#[cfg(feature = "fuzzing")]
pub use consistency::fuzz_index;
pub use error::{OpenBaoError, OpenBaoErrorKind, OpenBaoErrorParts};
pub use fence::{Fenced, fence_slot};
pub use files::{UnreadableFile, read_certificate, read_private_key};
pub use kv::{KvEntry, KvMetadata, KvV2, KvVersion, KvWritten};
pub(crate) use policy::policy_rule;
pub use policy::{
    PolicyPart, PolicyRole, PolicyScope, StorePaths, StoreRequest, policy_part, policy_text,
    store_policy_part, store_policy_text,
};
pub use request::OpenBaoClient;
pub use server::ServerVendor;
pub use transit::{Transit, TransitKey};

pub use files::{InvalidPath, check_path};
