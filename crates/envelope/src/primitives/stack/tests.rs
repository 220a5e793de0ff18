//! Measures how deep each call goes, by painting the stack first.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;

use super::super::*;
use super::WIPED_BYTES;

const PAINTED_BYTES: usize = 2 * WIPED_BYTES;
const PAINT: u8 = 0xE7;

/// What the frames above the wiped stack take: those of the measurement and of the call.
const FRAMES_BYTES: usize = 2048;

#[inline(never)]
fn paint() {
    black_box([PAINT; PAINTED_BYTES]);
}

/// Returns how many bytes of the stack below this function `call` has changed.
#[inline(never)]
fn depth(call: impl FnOnce()) -> usize {
    let memory = File::open("/proc/self/mem").expect("own memory");
    let mut below = vec![0; PAINTED_BYTES];
    let here = black_box(0_u8);
    let bottom = std::ptr::from_ref(&here).addr() - PAINTED_BYTES;
    paint();
    call();
    memory
        .read_exact_at(&mut below, bottom as u64)
        .expect("painted stack");
    // The frame of `paint` begins below `here`, so the last bytes of the paint are lower.
    let untouched = below.iter().position(|byte| *byte != PAINT);
    PAINTED_BYTES - untouched.expect("a call uses stack")
}

#[test]
fn no_call_uses_more_stack_than_is_wiped() {
    let key = [7; 32];
    let mut buffer = vec![0; 100_000];
    let depths = [
        depth(|| {
            aead_seal(&key, &[0; NONCE_BYTES], &key, &mut buffer).expect("sealed");
        }),
        depth(|| {
            let opened = aead_open(
                &key,
                &[0; NONCE_BYTES],
                &key,
                &mut [0; 100],
                &[0; TAG_BYTES],
            );
            assert_eq!(opened, Err(AeadRefused));
        }),
        depth(|| {
            black_box(hmac(&key, &[&key, &[1; 1000]]));
        }),
        depth(|| {
            black_box(derive_keys(&key, &key, [&[&key], &[], &[&[1; 1000]]]));
        }),
    ];
    for depth in depths {
        assert!(depth <= WIPED_BYTES + FRAMES_BYTES, "{depths:?}");
    }
}
