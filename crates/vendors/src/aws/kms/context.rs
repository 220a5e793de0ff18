//! The encryption context of a wrap, and the form in which it is kept beside the wrap.

use std::collections::BTreeMap;

use planton_core::kek::{KeyPurpose, WrapContext, WrapNames, WrapObject};
use planton_core::names::{SecretName, Slug};
use planton_envelope::WrappedKey;

/// The first byte of a wrap.
const FORMAT: u8 = 1;

const ORGANIZATION: &str = "planton:organization";
const ENVIRONMENT: &str = "planton:environment";
const SECRET: &str = "planton:secret";
const BACKEND: &str = "planton:backend";
const PURPOSE: &str = "planton:purpose";
const BINDING: &str = "planton:binding";

/// The value of `planton:environment` without an environment.
const NO_ENVIRONMENT: &str = "-";

/// The length of the longest encryption context: that of a secret with three slugs of 63
/// characters.
pub(super) const MAX_CONTEXT_BYTES: usize = 373;

/// Returns the encryption context of a wrap. CloudTrail shows it in plaintext, and a key
/// policy may require any of its pairs:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>.
//= docs/format.md#26-kek-in-aws-kms
//# A writer MUST encrypt with this encryption context, and no other pair.
pub(super) fn encryption_context(context: WrapContext<'_>) -> BTreeMap<String, String> {
    let names = context.names;
    let (environment, object) = match &names.object {
        Some(WrapObject::Secret(name)) => (
            name.environment.as_ref().map(ToString::to_string),
            Some((SECRET, name.name.to_string())),
        ),
        Some(WrapObject::Backend(name)) => (None, Some((BACKEND, name.to_string()))),
        None => (None, None),
    };
    let environment = environment.unwrap_or_else(|| NO_ENVIRONMENT.to_owned());
    let pairs = [
        (ORGANIZATION, names.organization.to_string()),
        (ENVIRONMENT, environment),
        (PURPOSE, names.purpose.as_str().to_owned()),
        (BINDING, hex::encode(context.binding.as_bytes())),
    ];
    let pairs = pairs.into_iter().chain(object);
    pairs.map(|(key, text)| (key.to_owned(), text)).collect()
}

/// Joins a ciphertext with its encryption context.
//= docs/format.md#26-kek-in-aws-kms
//# A writer MUST write as `wrapped` the byte 1, `LP(context)` and the ciphertext that KMS
//# returns.
pub(super) fn join(context: &BTreeMap<String, String>, ciphertext: &[u8]) -> WrappedKey {
    let json = to_json(context);
    let length = u16::try_from(json.len()).unwrap_or(u16::MAX);
    WrappedKey::new([&[FORMAT], &length.to_be_bytes()[..], &json, ciphertext].concat())
}

/// Returns the ciphertext of a wrap, if the wrap has exactly this encryption context.
//= docs/format.md#26-kek-in-aws-kms
//# A reader that has the catalog MUST refuse a `wrapped` whose context is not byte for byte
//# the one that it computes, before it calls KMS.
pub(super) fn split<'a>(
    wrapped: &'a WrappedKey,
    expected: &BTreeMap<String, String>,
) -> Option<&'a [u8]> {
    let (json, ciphertext) = parts(wrapped)?;
    (json == to_json(expected) && !ciphertext.is_empty()).then_some(ciphertext)
}

/// Returns the names in the encryption context of a wrap. They are claims, until
/// [`split`] has compared the whole context with the one that they and a computed binding
/// give.
//= docs/format.md#26-kek-in-aws-kms
//# A reader without the catalog MUST refuse a `wrapped` whose `planton:binding` is not the
//# binding that it computes.
pub(super) fn claimed_names(wrapped: &WrappedKey) -> Option<WrapNames> {
    let (json, _) = parts(wrapped)?;
    let context: BTreeMap<String, String> = serde_json::from_slice(json).ok()?;
    let slug = |name: &str| context.get(name).and_then(|text| text.parse::<Slug>().ok());
    let environment = match context.get(ENVIRONMENT)?.as_str() {
        NO_ENVIRONMENT => None,
        _ => Some(slug(ENVIRONMENT)?),
    };
    let object = match (slug(SECRET), slug(BACKEND)) {
        (Some(name), None) => Some(WrapObject::Secret(SecretName { environment, name })),
        (None, Some(name)) => Some(WrapObject::Backend(name)),
        _ => None,
    };
    Some(WrapNames {
        organization: slug(ORGANIZATION)?,
        object,
        purpose: KeyPurpose::of(context.get(PURPOSE)?)?,
    })
}

/// Splits a wrap into the JSON of its context and its ciphertext.
//= docs/format.md#26-kek-in-aws-kms
//# A reader MUST refuse a `wrapped` with another first byte.
fn parts(wrapped: &WrappedKey) -> Option<(&[u8], &[u8])> {
    let rest = wrapped.as_bytes().strip_prefix(&[FORMAT])?;
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Encodes a context as canonical JSON: keys in ascending order, no white space.
fn to_json(context: &BTreeMap<String, String>) -> Vec<u8> {
    serde_json::to_vec(context).expect("texts are plain JSON")
}

#[cfg(test)]
mod tests {
    use planton_envelope::{KekId, WrapBinding};
    use uuid::Uuid;

    use super::*;

    fn binding() -> WrapBinding {
        let kek = KekId {
            provider: "aws_kms".to_owned(),
            id: "arn".to_owned(),
        };
        WrapBinding::for_mac_key(Uuid::nil(), &kek)
    }

    fn json(names: &WrapNames) -> String {
        let context = encryption_context(names.bound(binding()));
        String::from_utf8(to_json(&context)).expect("UTF-8")
    }

    #[test]
    fn each_purpose_has_a_readable_context() {
        let acme = "acme".parse().expect("a slug");
        let binding = hex::encode(binding().as_bytes());
        let name = "prod/db-password".parse().expect("a name");
        assert_eq!(
            json(&WrapNames::secret(&acme, &name)),
            format!(
                r#"{{"planton:binding":"{binding}","planton:environment":"prod","planton:organization":"acme","planton:purpose":"secret","planton:secret":"db-password"}}"#
            )
        );
        let vault = "vault".parse().expect("a slug");
        let credential = WrapNames::backend(&acme, &vault, KeyPurpose::BackendCredential);
        assert_eq!(
            json(&credential),
            format!(
                r#"{{"planton:backend":"vault","planton:binding":"{binding}","planton:environment":"-","planton:organization":"acme","planton:purpose":"backend-credential"}}"#
            )
        );
        assert_eq!(
            json(&WrapNames::mac_key(&acme)),
            format!(
                r#"{{"planton:binding":"{binding}","planton:environment":"-","planton:organization":"acme","planton:purpose":"mac-key"}}"#
            )
        );
    }

    #[test]
    fn longest_names_have_the_longest_context() {
        let slug = "a".repeat(63);
        let organization = slug.parse().expect("a slug");
        let name = format!("{slug}/{slug}").parse().expect("a name");
        let longest = json(&WrapNames::secret(&organization, &name)).len();
        assert_eq!(longest, MAX_CONTEXT_BYTES);
        for purpose in [
            KeyPurpose::BackendCredential,
            KeyPurpose::KekCredential,
            KeyPurpose::KekProbe,
            KeyPurpose::BackendMarker,
        ] {
            let backend = slug.parse().expect("a slug");
            let names = WrapNames::backend(&organization, &backend, purpose);
            assert!(json(&names).len() < MAX_CONTEXT_BYTES, "{purpose:?}");
        }
    }

    #[test]
    fn wrap_of_another_context_or_form_has_no_ciphertext() {
        let acme = "acme".parse().expect("a slug");
        let (one, other) = (
            WrapNames::mac_key(&acme),
            WrapNames::backend(&acme, &acme, KeyPurpose::KekCredential),
        );
        let one = encryption_context(one.bound(binding()));
        let other = encryption_context(other.bound(binding()));
        let wrapped = join(&one, b"ciphertext");
        assert_eq!(split(&wrapped, &one), Some(&b"ciphertext"[..]));
        assert_eq!(split(&wrapped, &other), None);
        let bytes = wrapped.as_bytes();
        let head = 3 + to_json(&one).len();
        for bit in 0..head * 8 {
            let mut altered = bytes.to_vec();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(split(&WrappedKey::new(altered), &one), None, "bit {bit}");
        }
        for length in 0..=head {
            let cut = WrappedKey::new(bytes[..length].to_vec());
            assert_eq!(split(&cut, &one), None, "{length}");
        }
    }
}
