//! The key file of the embedded platform: one root key, or several after a rotation.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::primitives::{self, KeyBytes};

/// The most root keys that a key file contains.
pub const MAX_ROOT_KEYS: usize = 16;

/// The length of the longest key file in bytes.
pub const MAX_KEY_FILE_BYTES: usize = HEAD_BYTES + 1 + MAX_ROOT_KEYS * ROOT_BYTES + CHECKSUM_BYTES;

pub(crate) const MAGIC: &[u8; 4] = b"PLK1";
/// The format of a file with one root key.
const ONE: u8 = 1;
/// The format of a file with several.
const SEVERAL: u8 = 2;
/// Magic and format.
const HEAD_BYTES: usize = 5;
/// A UUID and a key.
const ROOT_BYTES: usize = 16 + 32;
const CHECKSUM_BYTES: usize = 32;

/// A random root key and its identifier.
///
/// # Security
///
/// Zeroized on drop, redacted `Debug`.
pub struct RootKey {
    id: Uuid,
    key: KeyBytes,
}

impl RootKey {
    /// Draws a root key and its identifier from the operating system.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let id = uuid::Builder::from_random_bytes(primitives::random()?);
        Ok(Self {
            id: id.into_uuid(),
            key: primitives::random_key()?,
        })
    }

    /// Returns the identifier, which each key derived from this one carries.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, bytes) = bytes.split_at_checked(16)?;
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let mut key = primitives::zeroed_key();
        key.copy_from_slice(bytes);
        Some(Self {
            id: Uuid::from_slice(id).ok()?,
            key,
        })
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The content of a key file.
#[derive(Debug)]
pub struct KeyFile {
    /// The current root key first, then the former ones, newest first.
    roots: Vec<RootKey>,
}

impl KeyFile {
    /// Draws the root key of a new file.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self {
            roots: vec![RootKey::generate()?],
        })
    }

    /// Decodes a key file; `None` if it is of another form, or damaged.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file of another length.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file with another magic or format.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file whose SHA-256 differs.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file of format 2 with fewer than 2 or more than 16 root
    //# keys, or with the same UUID twice.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        let (head, rest) = body.split_at_checked(HEAD_BYTES)?;
        let [magic @ .., format] = head else {
            return None;
        };
        if magic != MAGIC || primitives::sha256(&[body]) != *checksum {
            return None;
        }
        let (count, roots) = match *format {
            ONE => (1, rest),
            SEVERAL => {
                let (count, roots) = rest.split_first()?;
                let count = usize::from(*count);
                (2..=MAX_ROOT_KEYS)
                    .contains(&count)
                    .then_some((count, roots))?
            }
            _ => return None,
        };
        if roots.len() != count * ROOT_BYTES {
            return None;
        }
        let roots = roots.chunks_exact(ROOT_BYTES).map(RootKey::decode);
        let roots: Vec<RootKey> = roots.collect::<Option<_>>()?;
        let is_twice = |(at, root): (usize, &RootKey)| roots[..at].iter().any(|r| r.id == root.id);
        if roots.iter().enumerate().any(is_twice) {
            return None;
        }
        Some(Self { roots })
    }

    /// Encodes the key file.
    //= docs/format.md#13-local-kek
    //# A writer MUST encode a key file with one root key as the fields of this table, in this
    //# order.
    //= docs/format.md#13-local-kek
    //# A writer MUST encode a key file with several root keys as the fields of this table, in
    //# this order, the current root key first.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Of the full size at once: a growing buffer would leave copies of keys behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_BYTES));
        bytes.extend_from_slice(MAGIC);
        match self.roots.len() {
            1 => bytes.push(ONE),
            count => {
                let count = u8::try_from(count).expect("rotate adds no seventeenth root key");
                bytes.extend_from_slice(&[SEVERAL, count]);
            }
        }
        for root in &self.roots {
            bytes.extend_from_slice(root.id.as_bytes());
            bytes.extend_from_slice(root.key.as_slice());
        }
        let checksum = primitives::sha256(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Returns the root key whose keys wrap.
    #[must_use]
    pub fn current(&self) -> &RootKey {
        self.roots
            .first()
            .expect("decode and generate give at least one")
    }

    /// Returns the root keys whose keys only unwrap, newest first.
    #[must_use]
    pub fn former(&self) -> &[RootKey] {
        &self.roots[1..]
    }

    /// Draws a new current root key, and keeps the others as former ones. Returns false if
    /// the file is full.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    pub fn rotate(&mut self) -> Result<bool, getrandom::Error> {
        if self.roots.len() == MAX_ROOT_KEYS {
            return Ok(false);
        }
        self.roots.insert(0, RootKey::generate()?);
        Ok(true)
    }

    /// Removes the former root key `id`. Returns false if it is none.
    pub fn remove_former(&mut self, id: Uuid) -> bool {
        let Some(at) = self.former().iter().position(|root| root.id == id) else {
            return false;
        };
        self.roots.remove(at + 1);
        true
    }
}

#[cfg(test)]
mod tests;
