//! The content of a place, and changes by people, each through the vendor's own client.

use xtask::reader::Object;

use super::Place;

impl Place {
    /// Returns all objects, sorted by name.
    pub(crate) fn objects(&self) -> Vec<Object> {
        self.fixture.console().objects()
    }

    /// Returns the names of all stored secrets, without markers.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let names = self.objects().into_iter().map(|object| object.name);
        names.filter(|name| !name.contains("backend")).collect()
    }

    /// Returns the names of all objects of any kind, and of deleted ones that can
    /// be recovered.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let mut names = self.fixture.console().left_behind();
        names.sort_unstable();
        names
    }

    /// Checks that the place has no object, deleted or not. In KV the fences stay,
    /// without content.
    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        self.assert_left(&[]);
    }

    /// Checks the same as [`assert_empty`](Self::assert_empty), except for these names.
    #[track_caller]
    pub(super) fn assert_left(&self, names: &[String]) {
        let mut left = self.left_behind();
        self.fixture.take_permanent(&mut left);
        assert_eq!(left, names);
    }

    /// Deletes an object, as a user of the vendor's console would.
    pub(crate) fn remove(&self, name: &str) {
        self.fixture.console().remove(name);
    }

    /// Stores a plaintext, as a user of the vendor's console would.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        self.fixture.console().plant(name, value);
    }

    /// Returns the value that a copy of a planted plaintext has.
    pub(crate) fn copied(&self, value: &str) -> String {
        self.fixture.console().copied(value)
    }

    /// Stores a payload with a description, as a user of the vendor's console would.
    pub(crate) fn put(&self, name: &str, about: &str, payload: &str) {
        self.fixture.console().put(name, about, payload);
    }

    /// Returns everything that is stored as one text, with all metadata that the console
    /// shows.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        for object in self.objects() {
            let about = [&[object.name], &object.about[..]].concat().join("\n");
            dump.extend_from_slice(about.as_bytes());
            for payload in object.payloads {
                dump.push(b'\n');
                dump.extend(payload);
            }
        }
        dump
    }
}
