//! Fields of a vendor's registration, as attributes of a schema and as values of a block.

mod attribute;
mod check;
mod values;

pub(crate) use attribute::{CredentialFields, attribute_name, field_attribute};
pub(crate) use check::{Checked, Mistake, check_key, report_mistakes};
pub(crate) use values::{block_state, collect, has_unknown_credential, innermost, settings_of};
