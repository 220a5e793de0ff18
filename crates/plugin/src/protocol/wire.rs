//! Generated messages and services of `proto/`.

use std::fmt;

use zeroize::Zeroize;

pub(crate) use tfplugin6::*;

#[expect(unreachable_pub, clippy::all, reason = "generated")]
mod tfplugin6 {
    include!(concat!(env!("OUT_DIR"), "/tfplugin6.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod go_plugin {
    include!(concat!(env!("OUT_DIR"), "/plugin.rs"));
}

#[expect(unreachable_pub, clippy::all, reason = "generated")]
pub(crate) mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

impl fmt::Debug for DynamicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynamicValue(redacted)")
    }
}

impl fmt::Debug for RawState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawState(redacted)")
    }
}

// Decoding takes a field and leaves an empty one. The rest is wiped on drop: a request that is
// rejected before it is decoded, and a response that was sent.
impl Drop for DynamicValue {
    fn drop(&mut self) {
        wipe(&mut self.msgpack);
        wipe(&mut self.json);
    }
}

impl Drop for RawState {
    fn drop(&mut self) {
        wipe(&mut self.json);
        for (_, mut value) in self.flatmap.drain() {
            value.zeroize();
        }
    }
}

fn wipe(bytes: &mut Vec<u8>) {
    #[cfg(test)]
    tests::WIPED.with(|wiped| wiped.set(wiped.get() + bytes.len()));
    bytes.zeroize();
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How many bytes this thread has wiped.
        pub(super) static WIPED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn what_nobody_took_out_is_wiped() {
        let before = WIPED.get();
        drop(DynamicValue {
            msgpack: vec![1; 3],
            json: vec![1; 5],
        });
        assert_eq!(WIPED.get() - before, 8);
        let raw = || RawState {
            json: vec![1; 7],
            flatmap: Default::default(),
        };
        drop(raw());
        assert_eq!(WIPED.get() - before, 15);
        assert_eq!(std::mem::take(&mut raw().json).len(), 7);
        assert_eq!(WIPED.get() - before, 15);
    }
}
