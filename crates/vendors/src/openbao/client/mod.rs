//! A client of OpenBAO and of HashiCorp Vault, which has the same API: login, KV v2,
//! Transit, and protection against stale reads from standbys.

mod authorize;
mod call;
mod config;
mod consistency;
mod error;
mod fence;
mod fence_state;
mod files;
mod identify;
mod kv;
mod login;
mod openbao_client;
mod policy;
mod server;
mod transit;
mod transit_batch;
mod wrapping;

pub use config::{
    InvalidAddress, InvalidMountPath, JwtSource, MountPath, OpenBaoAddress, OpenBaoAuth,
    OpenBaoConfig,
};
#[cfg(feature = "testing")]
pub use consistency::fuzz_index;
pub use error::{OpenBaoError, OpenBaoErrorKind, OpenBaoErrorParts};
pub use fence::{Fenced, fence_slot};
pub use files::{InvalidPath, UnreadableFile, check_path, read_certificate, read_private_key};
pub use kv::{KvCurrent, KvDetailed, KvEntry, KvListed, KvMetadata, KvV2, KvVersion, KvWritten};
pub use login::DEFAULT_KUBERNETES_TOKEN_FILE;
pub use openbao_client::OpenBaoClient;
pub(crate) use policy::policy_rule;
pub use policy::{
    PolicyPart, PolicyRole, PolicyScope, StorePaths, StoreRequest, first_use_text, policy_part,
    policy_text, store_policy_part, store_policy_text,
};
pub(crate) use server::Clusters;
pub use server::ServerVendor;
pub(crate) use transit::period_text;
pub use transit::{Transit, TransitKey};
pub use transit_batch::{Encrypted, MAX_BATCH, Outcomes, Plain};
