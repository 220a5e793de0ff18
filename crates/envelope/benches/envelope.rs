//! Measures sealing and opening without a KEK, beside AES-256-GCM of aws-lc-rs alone.

use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use planton_envelope::{Context, DataKey, Envelope, KekId, Purpose, Sealer, WrappedKey};
use planton_secret::SecretBytes;
use uuid::Uuid;

const SIZES: [(&str, usize); 3] = [("32 B", 32), ("1 KiB", 1024), ("64 KiB", 64 * 1024)];

fn context() -> Context {
    Context {
        purpose: Purpose::Secret,
        organization: Uuid::from_bytes([1; 16]),
        object: Uuid::from_bytes([2; 16]),
        backend: Uuid::from_bytes([3; 16]),
        version: 1,
        extension: None,
    }
}

fn wraps() -> Vec<(KekId, WrappedKey)> {
    let kek = KekId {
        provider: "local".to_owned(),
        id: "0190a0b0-0000-4000-8000-000000000001/acme".to_owned(),
    };
    vec![(kek, WrappedKey::new(vec![0; 60]))]
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    for (name, bytes) in SIZES {
        let plaintext = SecretBytes::new(vec![0x61; bytes]);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                wraps,
                |wraps| {
                    let sealer = Sealer::new(context(), black_box(&plaintext));
                    let envelope = sealer.expect("randomness").seal(wraps);
                    envelope.expect("within the limits").encode()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    for (name, bytes) in SIZES {
        let plaintext = SecretBytes::new(vec![0x61; bytes]);
        let sealer = Sealer::new(context(), &plaintext).expect("randomness");
        let key = DataKey::copy_of(sealer.data_key().expose());
        let envelope = sealer.seal(wraps()).expect("within the limits");
        let stored = envelope.encode();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let envelope = Envelope::parse(black_box(&stored)).expect("well-formed");
                envelope.open(&key, &context()).expect("its own key")
            });
        });
    }
    group.finish();
}

fn raw_key() -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, black_box(&[7; 32]));
    LessSafeKey::new(key.expect("a key of 32 bytes"))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// One encryption into a buffer of its own: no key is drawn or derived, and nothing encoded.
fn raw_seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("raw seal");
    for (name, bytes) in SIZES {
        let plaintext = vec![0x61; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut sealed = Vec::with_capacity(bytes + 16);
                sealed.extend_from_slice(black_box(&plaintext));
                let aad = Aad::from([0; 64]);
                let done = raw_key().seal_in_place_append_tag(nonce(), aad, &mut sealed);
                done.expect("within the limits");
                sealed
            });
        });
    }
    group.finish();
}

/// One decryption in a copy, as an envelope is opened.
fn raw_open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("raw open");
    for (name, bytes) in SIZES {
        let mut sealed = vec![0x61; bytes];
        let aad = || Aad::from([0; 64]);
        let done = raw_key().seal_in_place_append_tag(nonce(), aad(), &mut sealed);
        done.expect("within the limits");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut opened = black_box(&sealed).clone();
                let done = raw_key().open_in_place(nonce(), aad(), &mut opened);
                done.expect("its own key");
                opened
            });
        });
    }
    group.finish();
}

criterion_group!(benches, seal, raw_seal, open, raw_open);
criterion_main!(benches);
