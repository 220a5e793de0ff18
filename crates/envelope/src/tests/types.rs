//! Tests guarantees of the types.

use std::marker::PhantomData;

use super::*;
use crate::derive::KeyCommitment;

/// Detects the traits of `T`: an inherent constant takes precedence over one of a
/// trait.
struct Probe<T>(PhantomData<T>);

trait Otherwise {
    const IS_CLONE: bool = false;
    const IS_COMPARED: bool = false;
}

impl<T> Otherwise for Probe<T> {}

impl<T: Clone> Probe<T> {
    const IS_CLONE: bool = true;
}

impl<T: PartialEq> Probe<T> {
    const IS_COMPARED: bool = true;
}

//= docs/format.md#10-payload
//= type=test
//# A writer MUST NOT encrypt more than one plaintext under a DEK and a salt.
#[test]
fn sealing_uses_the_sealer_up() {
    // `seal` takes the sealer by value, and the sealer cannot be cloned.
    type Seal<'a> = fn(Sealer<'a>, Vec<(KekId, WrappedKey)>) -> Result<Envelope, SealError>;
    let _seal: Seal<'_> = Sealer::seal;
    let is_clone = [Probe::<Context>::IS_CLONE, Probe::<Sealer>::IS_CLONE];
    assert_eq!(is_clone, [true, false]);
}

//= docs/format.md#10-payload
//= type=test
//# A reader MUST compare the commitment in constant time.
#[test]
fn commitments_have_no_comparison_but_that_in_constant_time() {
    let is_compared = [
        Probe::<Context>::IS_COMPARED,
        Probe::<KeyCommitment>::IS_COMPARED,
    ];
    assert_eq!(is_compared, [true, false]);
}

#[test]
fn debug_of_sealing_and_opening_shows_identifiers_only() {
    let kek = local_key();
    assert_eq!(
        format!("{kek:?}"),
        format!("LocalKey {{ id: {:?}, .. }}", kek.id().id)
    );
    let plaintext = plaintext();
    let sealer = Sealer::new(context(), &plaintext).expect("sealer");
    assert_eq!(
        format!("{sealer:?}"),
        format!("Sealer {{ context: {:?}, .. }}", context())
    );
    let stored = seal(&[&kek], context(), &plaintext).encode();
    let opened = open_stored(&stored, &kek, &context()).expect("opened");
    assert_eq!(format!("{opened:?}"), "Opened(redacted)");
}
