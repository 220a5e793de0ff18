//! Keys of a backend: the blocks `encryption` and `escrow`.

use super::blocks;
use super::settings::TRIGGER;
use crate::diagnostics::{explain_at, same_key};
use crate::fields::{block_state, collect, has_unknown_credential, innermost, settings_of};
use crate::session::Configured;
use planton_core::operations::{
    BackendView, DeclaredKek, DeclaredKeys, KekSettings, KekSlot, KekView, MAX_ESCROW_KEYS,
    OperationError, StoreCredential, pin_of,
};
use planton_plugin::{
    Attribute, AttributePath, AttributeType, Diagnostic, Diagnostics, Nesting, Value,
};
use planton_vendors::{KEY_TYPES, KeyType, KeyUsage};

pub(super) const ENCRYPTION: &str = "encryption";
pub(super) const ESCROW: &str = "escrow";
pub(super) const KEY_IDS: &str = "key_ids";

/// Returns the attributes of the keys.
pub(super) fn attributes() -> [Attribute; 3] {
    let main = KEY_TYPES
        .iter()
        .filter(|known| known.usage == KeyUsage::Any);
    let escrow = KEY_TYPES.iter();
    [
        Attribute::object(ENCRYPTION, main.map(|known| block(known)))
            .optional()
            .describe(
                "Key that encrypts the data keys of this backend's secrets. Exactly one block. \
                 Without it, the organization's key on its platform. A change applies to new \
                 versions; `terraform-provider-planton rewrap` moves the others.",
            ),
        Attribute::nested(
            ESCROW,
            Nesting::List,
            escrow.map(|known| block(known)),
        )
        .optional()
        .describe(format!(
            "Further keys, at most {MAX_ESCROW_KEYS}, each with exactly one block. Every data key \
             is encrypted with each of them as well, so that any one of them opens the secrets if \
             the main key is lost. The provider itself never decrypts with them."
        )),
        Attribute::list(KEY_IDS, AttributeType::String)
            .computed()
            .describe(
                "Identifiers of the keys that encrypt data keys, the main key first, in the form \
                 of the provider's `allowed_key_ids`. An alias is resolved when it is saved.",
            ),
    ]
}

fn block(of: &KeyType) -> Attribute {
    blocks::object(of.name, of.fields).describe(of.description)
}

/// A block of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyBlock<'a> {
    /// The role of the key.
    pub(super) slot: KekSlot,
    /// The path of the block, without the type.
    pub(super) path: AttributePath,
    value: &'a Value,
}

/// Returns the blocks of all keys that are set or may become set, the main key first.
pub(super) fn key_blocks(config: &Value) -> Vec<KeyBlock<'_>> {
    let encryption = config.attribute(ENCRYPTION);
    let main = (!encryption.is_null()).then(|| KeyBlock {
        slot: KekSlot::Encryption,
        path: path_of(KekSlot::Encryption),
        value: encryption,
    });
    let escrow = config.attribute(ESCROW).elements().iter().enumerate();
    let escrow = escrow.map(|(at, value)| KeyBlock {
        slot: KekSlot::Escrow(at),
        path: path_of(KekSlot::Escrow(at)),
        value,
    });
    main.into_iter().chain(escrow).collect()
}

/// Returns the path of the block of a key.
pub(super) fn path_of(slot: KekSlot) -> AttributePath {
    match slot {
        KekSlot::Encryption => AttributePath::attribute(ENCRYPTION),
        KekSlot::Escrow(at) => AttributePath::attribute(ESCROW).index(at),
    }
}

impl<'a> KeyBlock<'a> {
    /// Returns the types that are set.
    fn set_types(&self) -> Vec<&'static KeyType> {
        let is_set = |known: &&KeyType| self.value.attribute(known.name).is_set();
        KEY_TYPES.iter().copied().filter(is_set).collect()
    }

    /// Returns the type and its block; `None` unless exactly one is set and no other may
    /// become set.
    pub(super) fn chosen(&self) -> Option<(&'static KeyType, &'a Value)> {
        let mut possible = KEY_TYPES
            .iter()
            .copied()
            .filter(|known| !self.value.attribute(known.name).is_null());
        let (only, None) = (possible.next()?, possible.next()) else {
            return None;
        };
        let inner = self.value.attribute(only.name);
        inner.is_set().then_some((only, inner))
    }

    /// Returns the settings; `None` if part of them is unknown.
    fn settings(&self) -> Option<KekSettings> {
        let (known, inner) = self.chosen()?;
        Some(KekSettings {
            kind: known.name.to_owned(),
            configuration: settings_of(known.fields, inner)?,
        })
    }

    /// Returns the configured parts of the credential of a type.
    fn credential(&self, of: &KeyType) -> StoreCredential {
        let mut parts = StoreCredential::new();
        collect(of.fields, self.value.attribute(of.name), &mut parts);
        parts
    }

    fn has_unknown_credential(&self, of: &KeyType) -> bool {
        has_unknown_credential(of.fields, self.value.attribute(of.name))
    }

    /// Returns the type, if the key certainly has no credential of its own.
    fn bare_type(&self) -> Option<&'static KeyType> {
        let (of, _) = self.chosen()?;
        (self.credential(of).is_empty() && !self.has_unknown_credential(of)).then_some(of)
    }

    /// Returns true if both certainly name one key. Equal settings with other credentials may
    /// name two: an alias belongs to one account.
    fn names_the_key_of(&self, other: &Self) -> bool {
        let are_bare = self.bare_type().is_some() && other.bare_type().is_some();
        are_bare
            && self
                .settings()
                .is_some_and(|one| other.settings() == Some(one))
    }
}

/// Returns the settings of all keys, as far as they are known.
pub(super) fn all_settings(config: &Value) -> Vec<KekSettings> {
    let blocks = key_blocks(config);
    blocks.iter().filter_map(KeyBlock::settings).collect()
}

fn is_triggered(prior: Option<&Value>, planned: &Value) -> bool {
    prior.is_none_or(|prior| prior.attribute(TRIGGER) != planned.attribute(TRIGGER))
}

/// Returns true if a plan changes a key, or the credential of one. A write-only part of a
/// credential, which a plan has and a state has not, is no change.
pub(super) fn change(prior: &Value, planned: &Value) -> bool {
    let keys = |value| {
        let blocks = key_blocks(value).into_iter();
        let keys = blocks.map(|block| (block.slot, block.settings()));
        keys.collect::<Vec<_>>()
    };
    let (before, now) = (keys(prior), keys(planned));
    let is_unknown = planned.attribute(ESCROW).is_unknown()
        || now.iter().any(|(_, settings)| settings.is_none());
    let is_triggered = prior.attribute(TRIGGER) != planned.attribute(TRIGGER);
    is_unknown || before != now || (!now.is_empty() && is_triggered)
}

/// Returns the configured keys that certainly have no credential.
pub(super) fn bare_keys(config: &Value) -> Vec<(KekSlot, &'static str)> {
    let blocks = key_blocks(config).into_iter();
    let bare = blocks.filter_map(|block| Some((block.slot, block.bare_type()?.name)));
    bare.collect()
}

/// Sets the planned identifiers of the keys: the present ones if nothing changes them.
pub(super) fn decide_ids(planned: &mut Value, prior: Option<&Value>) {
    let ids = match prior {
        Some(prior) if !change(prior, planned) => prior.attribute(KEY_IDS).clone(),
        _ => Value::Unknown,
    };
    planned.set(KEY_IDS, ids);
}

/// Returns the keys of an apply, without `prior` for a creation. Settings come from the plan,
/// which alone reflects `ignore_changes`, and write-only values from the configuration.
pub(super) fn declared(
    prior: Option<&Value>,
    planned: &Value,
    config: &Value,
) -> Result<DeclaredKeys, Diagnostic> {
    let triggered = is_triggered(prior, planned);
    let before: Vec<_> = prior.map(key_blocks).unwrap_or_default();
    let configured = key_blocks(config);
    let mut keys = DeclaredKeys {
        resolves_again: prior.is_some() && planned.attribute(KEY_IDS).is_unknown(),
        ..DeclaredKeys::default()
    };
    for block in key_blocks(planned) {
        let settings = block.settings().ok_or_else(|| {
            Diagnostic::bug("The settings of a key were unknown during its apply.")
        })?;
        let of = KeyType::of(&settings.kind)
            .ok_or_else(|| Diagnostic::bug("The type of a key was unknown during its apply."))?;
        // `ignore_changes` may leave other keys in the plan than in the configuration, and a
        // credential goes to no other key than its own.
        let given = configured.iter().find(|given| {
            same_role(given.slot, block.slot) && given.settings().as_ref() == Some(&settings)
        });
        let given = given.map(|given| given.credential(of)).unwrap_or_default();
        let is_kept = before.iter().any(|known| {
            same_role(known.slot, block.slot) && known.settings().as_ref() == Some(&settings)
        });
        let key = DeclaredKek {
            settings,
            credential: (triggered || (!is_kept && !given.is_empty())).then_some(given),
        };
        match block.slot {
            KekSlot::Encryption => keys.encryption = Some(key),
            KekSlot::Escrow(_) => keys.escrow.push(key),
        }
    }
    Ok(keys)
}

/// Returns true for two main keys, and for two escrow keys: their order does not matter.
fn same_role(one: KekSlot, other: KekSlot) -> bool {
    matches!(one, KekSlot::Encryption) == matches!(other, KekSlot::Encryption)
}

/// Checks the known part of the keys without any I/O, and the credentials that a plan takes.
pub(super) fn check(
    prior: Option<&Value>,
    planned: &Value,
    config: &Value,
    session: Option<&Configured>,
) -> Result<(), Diagnostic> {
    let Some(session) = session else {
        return Ok(());
    };
    let connector = session.organization.kek_connector();
    let triggered = is_triggered(prior, planned);
    for block in key_blocks(config) {
        let (Some((of, _)), Some(settings)) = (block.chosen(), block.settings()) else {
            continue;
        };
        let credential = block.credential(of);
        // `ignore_changes` may hide a credential until the apply of an update.
        let is_taken = prior.is_none() || (triggered && !credential.is_empty());
        let is_known = !block.has_unknown_credential(of);
        let credential = (is_taken && is_known).then_some(&credential);
        connector.check(&settings, credential).map_err(|error| {
            let slot = block.slot;
            located(config, &OperationError::KeyProbeFailed { slot, error })
        })?;
    }
    Ok(())
}

/// Returns the path of a setting of a key, as a vendor's code names it.
pub(super) fn path_of_setting(config: &Value, slot: KekSlot, named: &str) -> AttributePath {
    let blocks = key_blocks(config);
    let block = blocks.iter().find(|block| block.slot == slot);
    match block.and_then(KeyBlock::chosen) {
        Some((of, _)) => innermost(path_of(slot).then(of.name), of.name, of.fields, named),
        None => path_of(slot),
    }
}

fn located(config: &Value, error: &OperationError) -> Diagnostic {
    explain_at(error, |about| super::plan::attribute_of(config, about))
}

/// Checks the form of the blocks: one type in each, not too many, and no key twice.
pub(super) fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    let blocks = key_blocks(config);
    for (at, block) in blocks.iter().enumerate() {
        let mut earlier = blocks[..at].iter();
        if let Some(first) = earlier.find(|first| first.names_the_key_of(block)) {
            diagnostics.push(same_key(&first.path, &block.path));
        }
    }
    for block in blocks {
        if block.value.is_unknown() {
            continue;
        }
        let names: Vec<_> = KEY_TYPES
            .iter()
            .filter(|known| block.slot != KekSlot::Encryption || known.usage == KeyUsage::Any)
            .map(|known| known.name)
            .collect();
        let names = names.join(", ");
        let set = block.set_types();
        let is_empty = KEY_TYPES
            .iter()
            .all(|known| block.value.attribute(known.name).is_null());
        let path = block.path.clone();
        if is_empty {
            diagnostics.push(
                Diagnostic::error(
                    "Encryption Key Missing",
                    format!("The block names no key.\n\nSet exactly one of {names}, or remove the block."),
                )
                .at(path),
            );
        } else if let [_, second, ..] = set.as_slice() {
            diagnostics.push(
                Diagnostic::error(
                    "Conflicting Encryption Keys",
                    format!(
                        "The block names several keys.\n\nSet exactly one of {names}. For a key in \
                         addition to the main key, add a block to escrow."
                    ),
                )
                .at(path.then(second.name)),
            );
        }
    }
    let escrow = config.attribute(ESCROW).elements().len();
    if escrow > MAX_ESCROW_KEYS {
        let error = OperationError::TooManyKeys { keys: escrow + 1 };
        diagnostics.push(located(config, &error));
    }
}

/// Returns the blocks whose settings can be checked, with their types.
pub(super) fn checkable(config: &Value) -> Vec<(AttributePath, &'static KeyType, &Value)> {
    let blocks = key_blocks(config).into_iter();
    let of_one_type = blocks.filter_map(|block| {
        let (of, inner) = block.chosen()?;
        Some((block.path.then(of.name), of, inner))
    });
    of_one_type.collect()
}

/// Sets the attributes of the keys from `view`.
pub(super) fn set_state(state: &mut Value, view: &BackendView) {
    let main = |known: &&&KeyType| known.usage == KeyUsage::Any;
    let encryption = view.encryption.as_ref();
    state.set(
        ENCRYPTION,
        encryption.map_or(Value::Null, |key| {
            key_state(KEY_TYPES.iter().filter(main).copied(), key)
        }),
    );
    let escrow = view.escrow.iter();
    let escrow = escrow.map(|key| key_state(KEY_TYPES.iter().copied(), key));
    state.set(
        ESCROW,
        match view.escrow.is_empty() {
            true => Value::Null,
            false => Value::list(escrow),
        },
    );
}

/// Keeps `escrow = []` as the former state has it: a record cannot tell it from an absent one.
pub(super) fn keep_empty_escrow(found: Value, former: &Value) -> Value {
    let escrow = former.attribute(ESCROW);
    let is_empty = escrow.is_set() && escrow.elements().is_empty();
    if is_empty && found.attribute(ESCROW).is_null() {
        return found.with(ESCROW, escrow.clone());
    }
    found
}

/// Sets the computed identifiers from `view`.
pub(super) fn set_ids(state: &mut Value, view: &BackendView) {
    state.set(KEY_IDS, ids(view));
}

/// Returns the identifiers of the keys, the main key first.
pub(crate) fn ids(view: &BackendView) -> Value {
    Value::list(view.key_ids.iter().map(|id| Value::from(pin_of(id))))
}

fn key_state(types: impl Iterator<Item = &'static KeyType>, key: &KekView) -> Value {
    Value::object(types.map(|known| {
        let is_this = known.name == key.settings.kind;
        let inner = is_this.then(|| block_state(known.fields, &key.settings.configuration));
        (known.name, inner.unwrap_or(Value::Null))
    }))
}
