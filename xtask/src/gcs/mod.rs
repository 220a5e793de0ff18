//! A fake of Google Cloud Storage. No emulator in a package registry enforces generations
//! on both APIs.
//!
//! It serves the part of the XML API and of the JSON API that a bucket with records needs,
//! over one state, and follows Google's references:
//! <https://cloud.google.com/storage/docs/xml-api/reference-methods>,
//! <https://cloud.google.com/storage/docs/json_api/v1>,
//! <https://cloud.google.com/storage/docs/request-preconditions>. A [`GcpFake`] issues and
//! verifies its tokens. A test runs Google's own client against it.

mod answer;
mod checksum;
mod date;
mod json;
mod serve;
mod state;
#[cfg(test)]
mod tests;
mod xml;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::bucket::Metadata;
use crate::gcp::GcpFake;
use serve::Shared;
use state::State;

/// A running fake. It stops on drop.
#[derive(Debug)]
pub struct GcsFake {
    state: Arc<Mutex<State>>,
    address: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl GcsFake {
    /// Starts a fake without buckets, on a free loopback port, for the principals of
    /// `identity`.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub fn start(identity: &GcpFake) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        listener.set_nonblocking(true).context("listening")?;
        let port = listener.local_addr().context("listening")?.port();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("making a runtime")?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Shared::new(Arc::clone(&state), identity.address());
        let (stop, stopped) = watch::channel(false);
        let serving = serve::run(Arc::new(shared), listener, stopped);
        let thread = std::thread::Builder::new()
            .name("gcs-fake".to_owned())
            .spawn(move || runtime.block_on(serving))
            .context("starting a thread")?;
        Ok(Self {
            state,
            address: format!("http://127.0.0.1:{port}"),
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the address, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates a bucket.
    pub fn create_bucket(&self, name: &str) {
        self.state().create_bucket(name);
    }

    /// Limits the changes of one object in a bucket to one in this time; Google's is a second:
    /// <https://cloud.google.com/storage/quotas#objects>
    pub fn limit_writes(&self, bucket: &str, window: Duration) {
        self.state().windows.insert(bucket.to_owned(), window);
    }

    /// Returns at most this number of objects of a bucket on a page, and never zero. Google may
    /// return fewer than a client asks for:
    /// <https://cloud.google.com/storage/docs/json_api/v1/objects/list>
    pub fn shorten_pages(&self, bucket: &str, objects: usize) {
        self.state().pages.insert(bucket.to_owned(), objects.max(1));
    }

    /// Sets fields of the bucket's resource, such as `lifecycle`. The fake returns them, and does
    /// nothing of what they say:
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>
    pub fn configure(&self, bucket: &str, fields: Map<String, Value>) {
        self.state()
            .configurations
            .insert(bucket.to_owned(), fields);
    }

    /// Returns the names and the contents of all objects of a bucket, in order.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<(String, Vec<u8>)> {
        self.state().contents(bucket)
    }

    /// Replaces the content of an object, as a person with the console. Returns whether it
    /// was there.
    pub fn overwrite(&self, bucket: &str, name: &str, content: &[u8], metadata: Metadata) -> bool {
        self.state().overwrite(bucket, name, content, metadata)
    }

    /// Deletes an object, as a person with the console. Returns whether it was there.
    pub fn remove(&self, bucket: &str, name: &str) -> bool {
        self.state().remove(bucket, name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GcsFake {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic has already been printed.
            let _ = thread.join();
        }
    }
}
