//! Parses envelopes strictly, and writes them in their only form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::context::{Context, FORMAT, Purpose, SUITE};
use super::error::{EnvelopeError, SealError};
use super::keys::{KekId, WrappedKey};
use super::limits::{
    MAX_KEK_ID_BYTES, MAX_PROVIDER_BYTES, MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS, MAX_WRAPS_BYTES,
    wrap_bytes,
};
use super::primitives::{self, TAG_BYTES};

/// Prefix of the text form.
pub const TEXT_PREFIX: &str = "pse1.";

/// Prefix of the binary form.
const MAGIC: &[u8; 4] = b"PSE1";

/// Length of the part before the wrapped keys.
pub(super) const HEADER_BYTES: usize = 65;

const SALT_BYTES: usize = 32;
const COMMITMENT_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;
const BEFORE_CIPHERTEXT_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES + LENGTH_BYTES;

/// Length of the payload part without the plaintext's length.
pub(super) const PAYLOAD_OVERHEAD_BYTES: usize = BEFORE_CIPHERTEXT_BYTES + TAG_BYTES;

/// A well-formed envelope that is not opened.
///
/// Until [`open`](Self::open) succeeds, only its form is proven.
#[derive(Clone, Debug)]
pub struct Envelope {
    context: Context,
    wrapped_keys: Vec<(KekId, WrappedKey)>,
    /// Salt, commitment, length, ciphertext and tag, in their stored form.
    payload: Vec<u8>,
}

impl Envelope {
    /// Parses the binary form.
    ///
    /// # Errors
    ///
    /// `Malformed`, `UnsupportedFormat`, `UnsupportedSuite`.
    //= docs/format.md#5-precedence-of-refusals
    //# Where several refusals apply, a reader MUST report the first in this order: magic,
    //# format, suite, purpose, number of wrapped DEKs, the parts of each wrapped DEK, the
    //# rules on all of them together, the payload part.
    //= docs/format.md#5-precedence-of-refusals
    //# A reader MUST refuse a truncated envelope as *malformed* at the field that is cut,
    //# unless an earlier field is already refused.
    //= docs/format.md#5-precedence-of-refusals
    //# A reader MUST NOT check the number of wrapped DEKs before the first 65 bytes are
    //# present.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(bytes);
        //= docs/format.md#4-well-formed-envelopes
        //# A reader MUST refuse as *malformed* an envelope with another magic.
        if reader.array()? != *MAGIC {
            return Err(EnvelopeError::Malformed("it does not begin with PSE1"));
        }
        let [format] = reader.array()?;
        //= docs/format.md#4-well-formed-envelopes
        //# A reader MUST refuse as *unsupported* an envelope of another format than 1.
        if format != FORMAT {
            return Err(EnvelopeError::UnsupportedFormat(format));
        }
        let [count] = reader.array()?;
        let suite = u16::from_be_bytes(reader.array()?);
        //= docs/format.md#4-well-formed-envelopes
        //# A reader MUST refuse as *unsupported* an envelope of another suite than 0x0001.
        if suite != SUITE {
            return Err(EnvelopeError::UnsupportedSuite(suite));
        }
        let [purpose] = reader.array()?;
        let context = Context {
            purpose: Purpose::from_byte(purpose)
                .ok_or(EnvelopeError::Malformed("its purpose is unknown"))?,
            organization: Uuid::from_bytes(reader.array()?),
            object: Uuid::from_bytes(reader.array()?),
            backend: Uuid::from_bytes(reader.array()?),
            version: u64::from_be_bytes(reader.array()?),
            extension: None,
        };
        let count = usize::from(count);
        //= docs/format.md#4-well-formed-envelopes
        //# A reader MUST refuse as *malformed* an envelope with zero or more than four wrapped
        //# DEKs.
        if !(1..=MAX_WRAPPED_KEYS).contains(&count) {
            return Err(EnvelopeError::Malformed("it holds not 1 to 4 wrapped keys"));
        }
        let wrapped_keys = (0..count)
            .map(|_| reader.wrapped_key())
            .collect::<Result<Vec<_>, _>>()?;
        check_wrapped_keys(&wrapped_keys)
            .map_err(|_| EnvelopeError::Malformed("its wrapped keys break the rules"))?;
        Ok(Self {
            context,
            wrapped_keys,
            payload: parse_payload(reader.0)?.to_vec(),
        })
    }

    /// Parses the result of a store: the text form if it has the prefix, or the binary
    /// form.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); `Malformed` for base64url that is padded or not
    /// canonical.
    //= docs/format.md#6-text-form
    //# A reader MUST refuse as *malformed* any text but the canonical encoding: no `=`, no
    //# white space, unused bits zero.
    //= docs/format.md#6-text-form
    //# A reader MUST read bytes that begin with `pse1.` as the text form, and all others as
    //# the binary form.
    pub fn parse_stored(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        match bytes.strip_prefix(TEXT_PREFIX.as_bytes()) {
            Some(text) => {
                let binary = URL_SAFE_NO_PAD.decode(text).map_err(|_| {
                    EnvelopeError::Malformed("its text is not canonical unpadded base64url")
                })?;
                Self::parse(&binary)
            }
            None => Self::parse(bytes),
        }
    }

    /// Returns the binary form.
    //= docs/format.md#3-layout
    //# A writer MUST encode an envelope as the fields of this table, in this order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let count = self.wrap_count();
        let [format, body @ ..] = self.context.encode_fixed();
        let mut bytes = Vec::with_capacity(self.encoded_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[format, count]);
        bytes.extend_from_slice(&body);
        self.append_wraps(&mut bytes);
        bytes.extend_from_slice(&self.payload);
        debug_assert_eq!(bytes.len(), self.encoded_bytes());
        bytes
    }

    fn append_wraps(&self, bytes: &mut Vec<u8>) {
        for (kek, wrapped) in &self.wrapped_keys {
            for part in [
                kek.provider.as_bytes(),
                kek.id.as_bytes(),
                wrapped.as_bytes(),
            ] {
                let length = u16::try_from(part.len())
                    .expect("check_wrapped_keys lets nothing beyond 2,048 bytes pass");
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
    }

    /// Returns the text form: `pse1.` and canonical unpadded base64url.
    //= docs/format.md#6-text-form
    //# A writer MUST encode the text form as `pse1.` and the envelope in base64url without
    //# padding (RFC 4648, section 5).
    #[must_use]
    pub fn encode_text(&self) -> String {
        let mut text = TEXT_PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(self.encode(), &mut text);
        text
    }

    /// Returns the context that the envelope claims.
    ///
    /// It never has an extension, since envelopes do not contain one.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the wrapped keys and the KEKs that wrapped them.
    #[must_use]
    pub fn wrapped_keys(&self) -> &[(KekId, WrappedKey)] {
        &self.wrapped_keys
    }

    /// Returns the SHA-256 of the payload part, from the salt to the tag.
    ///
    /// The payload part follows the wrapped keys, so a rewrap does not change it.
    //= docs/format.md#16-payload-digest
    //# A writer MUST record as payload digest SHA-256 of the payload part in its binary form.
    #[must_use]
    pub fn payload_digest(&self) -> [u8; 32] {
        primitives::sha256(&[&self.payload])
    }

    /// Returns SHA-256 of the list of wraps: byte 5, and the wrapped keys as they are
    /// encoded. A rewrap changes it.
    //= docs/format.md#25-digest-of-the-wraps
    //# A writer MUST record as wraps digest SHA-256 of byte 5 of the envelope and its wrapped
    //# DEKs, as they are encoded.
    #[must_use]
    pub fn wraps_digest(&self) -> [u8; 32] {
        let mut bytes = vec![self.wrap_count()];
        self.append_wraps(&mut bytes);
        primitives::sha256(&[&bytes])
    }

    fn wrap_count(&self) -> u8 {
        u8::try_from(self.wrapped_keys.len())
            .expect("check_wrapped_keys lets no more than four pass")
    }

    /// Returns the salt.
    #[must_use]
    pub fn salt(&self) -> &[u8; 32] {
        self.payload
            .first_chunk()
            .expect("a payload begins with a salt of 32 bytes")
    }

    /// Replaces the wrapped keys, and keeps every other byte.
    ///
    /// # Errors
    ///
    /// `WrappedKeyCount`, `KekId`, `DuplicateKek`, `WrappedKey`, `WrapsTooLong`; the
    /// envelope is then unchanged.
    //= docs/format.md#12-wrapped-deks
    //# A rewrap MUST NOT change any byte of an envelope other than byte 5 and the wrapped
    //# DEKs.
    pub fn replace_wrapped_keys(
        &mut self,
        wrapped_keys: Vec<(KekId, WrappedKey)>,
    ) -> Result<(), SealError> {
        check_wrapped_keys(&wrapped_keys)?;
        self.wrapped_keys = wrapped_keys;
        Ok(())
    }

    /// Creates an envelope with a payload part that was just sealed.
    pub(super) fn from_sealed(
        context: &Context,
        wrapped_keys: Vec<(KekId, WrappedKey)>,
        payload: Vec<u8>,
    ) -> Result<Self, SealError> {
        check_wrapped_keys(&wrapped_keys)?;
        Ok(Self {
            context: context.without_extension(),
            wrapped_keys,
            payload,
        })
    }

    pub(super) fn commitment(&self) -> &[u8; 32] {
        self.payload[SALT_BYTES..]
            .first_chunk()
            .expect("a commitment of 32 bytes follows the salt")
    }

    pub(super) fn length_bytes(&self) -> &[u8] {
        &self.payload[SALT_BYTES + COMMITMENT_BYTES..BEFORE_CIPHERTEXT_BYTES]
    }

    pub(super) fn ciphertext(&self) -> &[u8] {
        &self.payload[BEFORE_CIPHERTEXT_BYTES..self.payload.len() - TAG_BYTES]
    }

    pub(super) fn tag(&self) -> &[u8; TAG_BYTES] {
        self.payload
            .last_chunk()
            .expect("a payload ends with a tag of 16 bytes")
    }

    fn encoded_bytes(&self) -> usize {
        HEADER_BYTES + encoded_wraps_bytes(&self.wrapped_keys) + self.payload.len()
    }
}

/// Rejects wrapped keys that exceed the limits of the format.
//= docs/format.md#3-layout
//# A writer MUST NOT seal or rewrap an envelope with fewer than one or more than four wrapped
//# DEKs.
//= docs/format.md#3-layout
//# A writer MUST NOT write a `provider`, `kek_id` or `wrapped` outside the limits of this
//# table.
//= docs/format.md#3-layout
//# A writer MUST NOT write the same pair of `provider` and `kek_id` twice in one envelope.
//= docs/format.md#4-well-formed-envelopes
//# A reader MUST refuse as *malformed* an envelope with an empty `provider`, `kek_id` or
//# `wrapped`.
//= docs/format.md#4-well-formed-envelopes
//# A reader MUST refuse as *malformed* an envelope with the same pair of `provider` and
//# `kek_id` twice.
//= docs/format.md#3-layout
//# A writer MUST NOT write wrapped DEKs that take more than 6,296 bytes together.
//= docs/format.md#4-well-formed-envelopes
//# A reader MUST refuse as *malformed* an envelope whose wrapped DEKs take more than 6,296
//# bytes together.
fn check_wrapped_keys(wrapped_keys: &[(KekId, WrappedKey)]) -> Result<(), SealError> {
    if !(1..=MAX_WRAPPED_KEYS).contains(&wrapped_keys.len()) {
        return Err(SealError::WrappedKeyCount(wrapped_keys.len()));
    }
    for (index, (kek, wrapped)) in wrapped_keys.iter().enumerate() {
        let provider = (1..=MAX_PROVIDER_BYTES).contains(&kek.provider.len());
        let id = (1..=MAX_KEK_ID_BYTES).contains(&kek.id.len());
        if !(provider && id) {
            return Err(SealError::KekId(kek.clone()));
        }
        if !(1..=MAX_WRAPPED_KEY_BYTES).contains(&wrapped.as_bytes().len()) {
            return Err(SealError::WrappedKey(kek.clone()));
        }
        if wrapped_keys[..index].iter().any(|(other, _)| other == kek) {
            return Err(SealError::DuplicateKek(kek.clone()));
        }
    }
    let bytes = encoded_wraps_bytes(wrapped_keys);
    if bytes > MAX_WRAPS_BYTES {
        return Err(SealError::WrapsTooLong(bytes));
    }
    Ok(())
}

fn encoded_wraps_bytes(wrapped_keys: &[(KekId, WrappedKey)]) -> usize {
    let bytes = wrapped_keys.iter().map(|(kek, wrapped)| {
        wrap_bytes(kek.provider.len(), kek.id.len(), wrapped.as_bytes().len())
    });
    bytes.sum()
}

/// Returns `bytes` if they are exactly one payload part.
//= docs/format.md#4-well-formed-envelopes
//# A reader MUST refuse as *malformed* an envelope that continues after the tag.
fn parse_payload(bytes: &[u8]) -> Result<&[u8], EnvelopeError> {
    let mut reader = Reader(bytes);
    reader.array::<SALT_BYTES>()?;
    reader.array::<COMMITMENT_BYTES>()?;
    let length = u32::from_be_bytes(reader.array()?);
    reader.take(length as usize)?;
    reader.array::<TAG_BYTES>()?;
    if reader.0.is_empty() {
        Ok(bytes)
    } else {
        Err(EnvelopeError::Malformed("something follows its tag"))
    }
}

/// The unparsed rest of an envelope. Lengths are checked before any allocation.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST refuse as *malformed* an envelope that ends before its last field is
    //# complete.
    const TRUNCATED: EnvelopeError = EnvelopeError::Malformed("it ends too early");

    fn take(&mut self, length: usize) -> Result<&'a [u8], EnvelopeError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Self::TRUNCATED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Self::TRUNCATED)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn wrapped_key(&mut self) -> Result<(KekId, WrappedKey), EnvelopeError> {
        let kek = KekId {
            provider: self.text(MAX_PROVIDER_BYTES)?,
            id: self.text(MAX_KEK_ID_BYTES)?,
        };
        let wrapped = self.prefixed(MAX_WRAPPED_KEY_BYTES)?.to_vec();
        Ok((kek, WrappedKey::new(wrapped)))
    }

    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST refuse as *malformed* an envelope whose `provider` or `kek_id` is not
    //# UTF-8.
    fn text(&mut self, max: usize) -> Result<String, EnvelopeError> {
        std::str::from_utf8(self.prefixed(max)?)
            .map(str::to_owned)
            .map_err(|_| EnvelopeError::Malformed("the identifier of a key is not UTF-8"))
    }

    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST refuse as *malformed* an envelope with a `provider`, `kek_id` or
    //# `wrapped` beyond its limit.
    fn prefixed(&mut self, max: usize) -> Result<&'a [u8], EnvelopeError> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        if length > max {
            return Err(EnvelopeError::Malformed("a wrapped key exceeds its limits"));
        }
        self.take(length)
    }
}
