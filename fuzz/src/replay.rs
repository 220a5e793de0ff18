//! Replays the kept corpus, without libFuzzer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{TARGETS, Target, Verdict};

/// The most bytes that a target may allocate at once for an input of this length. A length
/// inside an input must never be trusted before the bytes are there.
fn permitted_bytes(input: usize) -> usize {
    256 * 1024 + 16 * input
}

/// The greatest size of the whole corpus, which every clone of the repository carries.
const MAX_CORPUS_BYTES: u64 = 600 * 1024;

/// Records the largest allocation of each thread.
struct Recording;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn record(layout: Layout, size: usize) {
    let _ = layout;
    // A thread that ends allocates after its cell is gone.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout, layout.size());
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        record(layout, size);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Recording = Recording;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

/// Replays the corpus of a target, and returns how many inputs it accepted and refused.
fn replay(target: Target) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    for file in files(&folder("corpus").join(target.name)) {
        let input = fs::read(&file).expect("an input");
        // Once, so that what is made at the first use is not counted.
        let _ = (target.body)(&input);
        LARGEST.set(0);
        match (target.body)(&input) {
            Verdict::Accepted => accepted += 1,
            Verdict::Refused => refused += 1,
        }
        let largest = LARGEST.get();
        assert!(
            largest <= permitted_bytes(input.len()),
            "{}: {largest} bytes at once for {} bytes of input",
            file.display(),
            input.len()
        );
    }
    (accepted, refused)
}

/// Without an input that is accepted, a corpus has gone stale: the format has changed, and
/// `write_seeds` must be run.
#[test]
fn every_target_holds_for_its_corpus_which_has_inputs_of_both_kinds() {
    for target in TARGETS {
        let (accepted, refused) = replay(target);
        assert!(accepted > 0, "{}: nothing is accepted", target.name);
        assert!(refused > 0, "{}: nothing is refused", target.name);
    }
}

#[test]
fn every_prefix_and_every_flipped_byte_of_a_seed_keeps_the_properties() {
    for target in TARGETS {
        let corpus = files(&folder("corpus").join(target.name));
        let is_seed = |file: &&PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("seed-")
        };
        for file in corpus.iter().filter(is_seed) {
            let input = fs::read(file).expect("a seed");
            // About fifty positions of each seed: the fuzzer tries the others.
            let step = input.len().div_ceil(50).max(1);
            for at in (0..input.len()).step_by(step) {
                (target.body)(&input[..at]);
                let mut flipped = input.clone();
                flipped[at] ^= 0x80;
                (target.body)(&flipped);
            }
        }
    }
}

#[test]
fn each_target_has_a_binary_and_a_corpus_and_there_are_no_others() {
    let names: BTreeSet<String> = TARGETS.iter().map(|one| one.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    let stems = |folder: PathBuf| -> BTreeSet<String> {
        let files = files(&folder).into_iter();
        let stem = |file: PathBuf| file.file_stem().map(|stem| stem.to_string_lossy().into());
        files.filter_map(stem).collect()
    };
    assert_eq!(stems(folder("fuzz_targets")), names);
    assert_eq!(stems(folder("corpus")), names);
    for name in names {
        let binary = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs")));
        let call = format!("planton_fuzz::run(\"{name}\", input)");
        assert!(binary.expect("a binary").contains(&call), "{name}");
    }
}

#[test]
fn the_corpus_is_small() {
    let targets = files(&folder("corpus")).into_iter();
    let inputs = targets.flat_map(|target| files(&target));
    let bytes: u64 = inputs
        .map(|file| fs::metadata(file).expect("an input").len())
        .sum();
    assert!(bytes <= MAX_CORPUS_BYTES, "{bytes} bytes");
}
