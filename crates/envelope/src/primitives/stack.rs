//! Wipes the stack of a cryptographic call.

use zeroize::zeroize_stack;

/// Bytes of stack that are wiped after each call.
const WIPED_BYTES: usize = 16 * 1024;

/// Runs `call`, and then overwrites the stack that it used.
///
/// # Security
///
/// The crates of the primitives wipe their own state. An optimized block loop also spills
/// registers, with blocks of the plaintext and the key schedule, and moves leave copies of a
/// state behind. All of that is below this function's frame: `call` runs in a frame of its
/// own that is never inlined, and the overwriting frame begins at the same address. What it
/// returns passes through this frame, so it must not be secret, or be a pointer.
///
/// Registers are not wiped. Later code overwrites them, but no rule says when.
pub(super) fn wiping_stack<T>(call: impl FnOnce() -> T) -> T {
    let result = on_its_own_frame(call);
    zeroize_stack::<WIPED_BYTES>();
    result
}

#[inline(never)]
fn on_its_own_frame<T>(call: impl FnOnce() -> T) -> T {
    call()
}

#[cfg(test)]
mod tests;
