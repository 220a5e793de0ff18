//! Searches the memory of a process that has sealed, opened and rewrapped.
//!
//! The search runs in a process of its own, which starts this test binary again: no other
//! test shares its memory, and it can read its own without any privilege.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use super::*;
use crate::derive::VersionKeys;
use crate::{DataKey, KeyFile};

const CHILD: &str = "PLANTON_ENVELOPE_TEST_SEARCHES_MEMORY";
const TEST: &str = "tests::memory::nothing_secret_is_left_in_memory_after_seal_open_and_rewrap";

/// Length of what is searched for. An allocator overwrites the first bytes of freed memory,
/// so each part of a secret is searched for by itself.
const PART_BYTES: usize = 16;

/// What no secret is ever equal to while it is searched for.
const MASK: u8 = 0xA5;

/// A secret to search for, masked: the search must not find itself.
struct Needle {
    what: &'static str,
    parts: Vec<[u8; PART_BYTES]>,
}

impl Needle {
    fn of(what: &'static str, secret: &[u8]) -> Self {
        let (parts, rest) = secret.as_chunks();
        assert!(rest.is_empty() && !parts.is_empty());
        let masked = |part: &[u8; PART_BYTES]| std::array::from_fn(|at| part[at] ^ MASK);
        Self {
            what,
            parts: parts.iter().map(masked).collect(),
        }
    }

    fn occurs_at(&self, bytes: &[u8]) -> bool {
        let is_at = |part: &[u8; PART_BYTES]| {
            bytes.len() >= PART_BYTES && (0..PART_BYTES).all(|at| bytes[at] ^ MASK == part[at])
        };
        self.parts.iter().any(is_at)
    }
}

/// Returns what occurs in the writable memory of this process: heap, stacks, static data.
fn found(needles: &[&Needle]) -> Vec<&'static str> {
    const BLOCK: usize = 1 << 16;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    // One block at a time, and wiped after each. So the block itself holds nothing but what
    // is being searched.
    let mut block = vec![0; BLOCK + PART_BYTES];
    let begins: [bool; 256] = std::array::from_fn(|byte| {
        let mut parts = needles.iter().flat_map(|needle| &needle.parts);
        parts.any(|part| usize::from(part[0] ^ MASK) == byte)
    });
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        for start in (from..to).step_by(BLOCK) {
            let length = block.len().min(usize::try_from(to - start).unwrap());
            if memory.read_exact_at(&mut block[..length], start).is_err() {
                // A guard page, or memory that was unmapped in the meantime.
                continue;
            }
            for (at, byte) in block[..length].iter().enumerate() {
                if begins[usize::from(*byte)] {
                    let rest = &block[at..length];
                    let here = needles.iter().filter(|needle| needle.occurs_at(rest));
                    found.extend(here.map(|needle| needle.what));
                }
            }
            block.fill(0);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Seals, opens and rewraps, and searches while everything is in use. Returns what must be
/// gone when everything is dropped.
#[inline(never)]
fn work() -> Vec<Needle> {
    // Drawn into the heap at once: an array would be copied through the stack.
    let mut value = vec![0; 64];
    getrandom::fill(&mut value).unwrap();
    let plaintext = SecretBytes::new(value);
    let mut file = KeyFile::generate().unwrap();
    let former = LocalKey::new(file.current(), "acme");
    let sealer = Sealer::new(context(), &plaintext).unwrap();
    let mut needles = vec![
        Needle::of("plaintext", plaintext.expose()),
        Needle::of("data key", sealer.data_key().expose()),
        Needle::of("root key", file.current().expose()),
        Needle::of("wrapping key", former.wrap_key_bytes()),
    ];
    let in_use = found(&needles.iter().collect::<Vec<_>>());
    assert_eq!(
        in_use,
        ["data key", "plaintext", "root key", "wrapping key"]
    );

    let wrapped = former
        .wrap(sealer.data_key(), &sealer.binding(former.id()))
        .unwrap();
    let fingerprint = sealer.fingerprint();
    let wraps = vec![(former.id().clone(), wrapped)];
    let stored = sealer.seal(wraps).unwrap().encode_text();

    let opened = open_stored(stored.as_bytes(), &former, &context()).unwrap();
    assert_eq!(opened.fingerprint(&plaintext), fingerprint);

    assert!(file.rotate().unwrap());
    let new = LocalKey::new(file.current(), "acme");
    needles.push(Needle::of("new root key", file.current().expose()));
    needles.push(Needle::of("new wrapping key", new.wrap_key_bytes()));
    let mut envelope = Envelope::parse_stored(stored.as_bytes()).unwrap();
    let rewrapped = {
        let (_, wrapped) = &envelope.wrapped_keys()[0];
        let dek = former
            .unwrap(wrapped, &envelope.binding(former.id()))
            .unwrap();
        let keys = VersionKeys::derive(&dek, envelope.salt(), &context().encode());
        needles.push(Needle::of("encryption key", keys.encryption.as_slice()));
        new.wrap(&dek, &envelope.binding(new.id())).unwrap()
    };
    let wraps = vec![(new.id().clone(), rewrapped)];
    envelope.replace_wrapped_keys(wraps).unwrap();
    let reopened = open_stored(&envelope.encode(), &new, &context()).unwrap();
    assert_eq!(reopened.fingerprint(&plaintext), fingerprint);
    let written = file.encode();
    assert!(KeyFile::decode(&written).is_some());
    needles
}

/// Copies a secret as careless code does: to the end of a vector that is freed and not
/// wiped.
#[inline(never)]
fn forget_carelessly() -> Needle {
    let mut copy = vec![0; 4096];
    let (_, end) = copy.split_last_chunk_mut::<64>().unwrap();
    getrandom::fill(end).unwrap();
    Needle::of("careless copy", std::hint::black_box(end))
}

fn search() {
    let kept = DataKey::generate().unwrap();
    let control = Needle::of("kept key", kept.expose());
    let secrets = work();
    let careless = forget_carelessly();
    let mut needles: Vec<&Needle> = secrets.iter().collect();
    needles.extend([&control, &careless]);
    let found = found(&needles);
    // The search sees what is in use, and what was freed without being wiped.
    assert_eq!(found, ["careless copy", "kept key"]);
    drop(kept);
}

#[test]
fn nothing_secret_is_left_in_memory_after_seal_open_and_rewrap() {
    if std::env::var_os(CHILD).is_some() {
        return search();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([TEST, "--exact", "--test-threads=1"])
        .env(CHILD, "1");
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
