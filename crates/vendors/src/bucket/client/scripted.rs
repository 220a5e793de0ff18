//! A store with the API of S3 in memory, whose answers to writes follow a script.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use crate::bucket::{Bucket, BucketSettings};
use crate::http::{
    CannedAnswer, CannedAnswers, HttpErrorKind, HttpRequest, HttpSettings, RetryPolicy,
};
use planton_core::store::StoreCredential;
use planton_secret::SecretBytes;

/// What happens to a write.
#[derive(Clone, Debug)]
pub(in crate::bucket) enum Step {
    /// It is executed and answered.
    Serve,
    /// The connection is refused.
    Unsent,
    /// It is lost.
    LostBefore,
    /// It is executed, and its answer is lost.
    LostAfter,
    /// It is executed, and the exchange breaks so.
    Breaks(HttpErrorKind),
    /// Its answer is lost. It is executed after this number of further requests.
    Late(u32),
    /// It is answered with this status and code, and not executed.
    Status(u16, &'static str),
    /// Another writer's object comes before it, and it is lost.
    LostBehind(&'static str),
    /// It is executed, and its answer has no ETag.
    ServeWithoutTag,
    /// The object is removed before it, and it is lost.
    LostAfterRemoval,
}

/// How the store breaks the rules of conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bucket) enum Flaw {
    /// Not at all.
    #[default]
    None,
    /// It ignores all conditions.
    IgnoresConditions,
    /// It lets two of several updates win.
    TwoWinners,
    /// It answers a write that lost a race as a concurrent one.
    RefusesAsBusy,
    /// It drops metadata.
    DropsMetadata,
    /// A listing is cut off, and names no next page.
    CutsListings,
    /// A listing returns its first page for each page.
    RepeatsPages,
    /// It denies the first deletion.
    DeniesFirstDeletion,
    /// A listing is the page of a gateway.
    HidesListings,
    /// A listing has all objects of the bucket.
    ListsEverything,
    /// An update creates a missing object.
    CreatesByUpdate,
}

#[derive(Clone, Debug)]
struct Stored {
    body: Vec<u8>,
    tag: String,
    metadata: HeaderMap,
    written_at: jiff::Timestamp,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    tags: u64,
    script: VecDeque<Step>,
    late: Vec<(u32, HttpRequest)>,
    log: Vec<String>,
    flaw: Flaw,
    slack: u32,
    reads: Option<(u16, &'static str)>,
    bodies_end: bool,
    page: Option<HeaderMap>,
    page_size: Option<usize>,
    keeps_versions: bool,
    lifecycle: Option<(u16, &'static str)>,
}

/// The store.
#[derive(Clone, Default)]
pub(in crate::bucket) struct Scripted(Arc<Mutex<State>>);

impl Scripted {
    /// Returns a store that follows `steps`, one for each write.
    pub(in crate::bucket) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let store = Self::default();
        store.then(steps);
        store
    }

    pub(in crate::bucket) fn with_flaw(flaw: Flaw) -> Self {
        let store = Self::default();
        store.0.lock().unwrap().flaw = flaw;
        store.0.lock().unwrap().slack = 1;
        store
    }

    /// Adds steps, and forgets the requests so far.
    pub(in crate::bucket) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        let mut state = self.0.lock().unwrap();
        state.script = steps.into_iter().collect();
        state.log.clear();
    }

    /// Answers all reads of objects with this status and code.
    pub(in crate::bucket) fn refuse_reads(&self, status: u16, code: &'static str) {
        self.0.lock().unwrap().reads = Some((status, code));
    }

    /// Lets the deadline of each read of an object's content expire.
    pub(in crate::bucket) fn end_reads_of_content(&self) {
        self.0.lock().unwrap().bodies_end = true;
    }

    /// Switches versioning on. Objects from before then have the version "null".
    pub(in crate::bucket) fn keep_versions(&self) {
        self.0.lock().unwrap().keeps_versions = true;
    }

    /// Answers requests for the lifecycle rules with this status and body. Without a call,
    /// there are none.
    pub(in crate::bucket) fn answer_lifecycle(&self, status: u16, body: &'static str) {
        self.0.lock().unwrap().lifecycle = Some((status, body));
    }

    /// Limits the pages of listings.
    pub(in crate::bucket) fn page_at(&self, size: usize) {
        self.0.lock().unwrap().page_size = Some(size);
    }

    /// Answers all reads of objects with the page of a gateway.
    pub(in crate::bucket) fn hide_reads(&self, headers: HeaderMap) {
        self.0.lock().unwrap().page = Some(headers);
    }

    /// Returns the requests: method and status.
    pub(in crate::bucket) fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().log.clone()
    }

    pub(in crate::bucket) fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Returns the content of an object.
    pub(in crate::bucket) fn body(&self, key: &str) -> Vec<u8> {
        self.0.lock().unwrap().objects[key].body.clone()
    }

    /// Replaces the content of an object, and drops its metadata, as with a console.
    pub(in crate::bucket) fn overwrite(&self, key: &str, body: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .store(key, body.to_vec(), HeaderMap::new());
    }

    /// Writes an object again under the same key, as a restore does.
    pub(in crate::bucket) fn restore(&self, key: &str) {
        let mut state = self.0.lock().unwrap();
        let stored = state.objects.remove(key).unwrap();
        state.store(key, stored.body, stored.metadata);
    }

    pub(in crate::bucket) fn remove(&self, key: &str) {
        self.0.lock().unwrap().objects.remove(key).unwrap();
    }

    /// Returns a bucket in this store.
    pub(in crate::bucket) fn bucket(&self) -> Bucket {
        self.bucket_with(8)
    }

    pub(in crate::bucket) fn bucket_with(&self, max_tries: u32) -> Bucket {
        let credential = [("secret_access_key".to_owned(), "hunter2".into())];
        self.bucket_of(&credential.into(), max_tries)
    }

    /// Returns a bucket in this store with a credential of its own.
    pub(in crate::bucket) fn bucket_of(
        &self,
        credential: &StoreCredential,
        max_tries: u32,
    ) -> Bucket {
        let configuration = [
            ("url".to_owned(), "s3://acme-state/tf".into()),
            ("region".to_owned(), "eu-central-1".into()),
            ("endpoint".to_owned(), "http://127.0.0.1:9".into()),
            ("access_key_id".to_owned(), "AKIA1".into()),
        ];
        let settings = BucketSettings::read(&configuration.into(), credential).unwrap();
        let store = self.clone();
        let http = HttpSettings {
            canned: Some(CannedAnswers::lossy(move |request, url| {
                store.answer(request, url)
            })),
            retry: RetryPolicy {
                max_tries,
                base_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(1),
                ..RetryPolicy::default()
            },
            ..HttpSettings::default()
        };
        Bucket::open(&settings, http).unwrap()
    }

    fn answer(&self, request: &HttpRequest, url: &Url) -> Result<CannedAnswer, HttpErrorKind> {
        let mut state = self.0.lock().unwrap();
        let answered = match request.method == Method::PUT {
            true => match state.script.pop_front().unwrap_or(Step::Serve) {
                Step::Serve => Ok(state.serve(request, url)),
                step => state.follow(step, request, url),
            },
            false if state.bodies_end && request.method == Method::GET => {
                Err(HttpErrorKind::DeadlineExceeded)
            }
            false => Ok(state.serve(request, url)),
        };
        let status = answered
            .as_ref()
            .map_or("-".to_owned(), |it| it.status.as_str().to_owned());
        state.log.push(format!("{} {status}", request.method));
        state.arrive();
        answered
    }
}

impl State {
    fn follow(
        &mut self,
        step: Step,
        request: &HttpRequest,
        url: &Url,
    ) -> Result<CannedAnswer, HttpErrorKind> {
        let lost = Err(HttpErrorKind::Interrupted);
        match step {
            Step::Serve => Ok(self.serve(request, url)),
            Step::ServeWithoutTag => {
                let mut answer = self.serve(request, url);
                answer.headers.remove("etag");
                Ok(answer)
            }
            Step::Unsent => Err(HttpErrorKind::Connect),
            Step::LostBefore => lost,
            Step::LostAfter => {
                self.serve(request, url);
                lost
            }
            Step::Breaks(kind) => {
                self.serve(request, url);
                Err(kind)
            }
            Step::Late(requests) => {
                // This request counts too.
                self.late.push((requests + 1, request.clone()));
                Err(HttpErrorKind::Timeout)
            }
            Step::Status(status, code) => Ok(refusal(status, code)),
            Step::LostBehind(body) => {
                let (key, _) = place(url);
                self.store(&key, body.as_bytes().to_vec(), HeaderMap::new());
                lost
            }
            Step::LostAfterRemoval => {
                self.objects.remove(&place(url).0);
                lost
            }
        }
    }

    /// Executes the delayed writes whose time has come.
    fn arrive(&mut self) {
        for (requests, _) in &mut self.late {
            *requests -= 1;
        }
        let (now, later) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(requests, _)| *requests == 0);
        self.late = later;
        let now: Vec<(u32, HttpRequest)> = now;
        for (_, request) in now {
            let url = request.url.clone();
            self.serve(&request, &url);
        }
    }

    fn serve(&mut self, request: &HttpRequest, url: &Url) -> CannedAnswer {
        assert!(
            request.headers.contains_key("authorization"),
            "each request is signed"
        );
        let (key, is_listing) = place(url);
        match request.method {
            Method::PUT => self.put(&key, request),
            Method::GET if url.query() == Some("lifecycle") => match self.lifecycle {
                Some((status, body)) => answer(status, HeaderMap::new(), body.into()),
                None => refusal(404, "NoSuchLifecycleConfiguration"),
            },
            Method::GET if is_listing => self.list(url),
            Method::GET | Method::HEAD if self.reads.is_some() => {
                let (status, code) = self.reads.unwrap();
                match request.method == Method::HEAD {
                    true => answer(status, HeaderMap::new(), Vec::new()),
                    false => refusal(status, code),
                }
            }
            Method::GET | Method::HEAD if self.page.is_some() => {
                self.tags += 1;
                let mut headers = self.page.clone().unwrap();
                if let Some(tag) = headers.get_mut("etag") {
                    *tag = format!("\"page-{}\"", self.tags).parse().unwrap();
                }
                answer(200, headers, b"<html>Welcome</html>".to_vec())
            }
            Method::GET | Method::HEAD => match self.objects.get(&key) {
                Some(stored) => {
                    let mut headers = stored.metadata.clone();
                    headers.insert("etag", stored.tag.parse().unwrap());
                    if self.keeps_versions {
                        headers.insert("x-amz-version-id", HeaderValue::from_static("null"));
                    }
                    headers.insert("content-length", stored.body.len().into());
                    let body = match request.method == Method::HEAD {
                        true => Vec::new(),
                        false => stored.body.clone(),
                    };
                    answer(200, headers, body)
                }
                None if request.method == Method::HEAD => answer(404, HeaderMap::new(), Vec::new()),
                None => refusal(404, "NoSuchKey"),
            },
            Method::DELETE
                if self.flaw == Flaw::DeniesFirstDeletion
                    && std::mem::take(&mut self.slack) > 0 =>
            {
                refusal(403, "AccessDenied")
            }
            Method::DELETE => {
                self.objects.remove(&key);
                answer(204, HeaderMap::new(), Vec::new())
            }
            _ => refusal(405, "MethodNotAllowed"),
        }
    }

    fn put(&mut self, key: &str, request: &HttpRequest) -> CannedAnswer {
        let header = |name: &str| request.headers.get(name).and_then(|it| it.to_str().ok());
        assert!(
            header("x-amz-checksum-sha256").is_some(),
            "each write has a checksum"
        );
        let found = self.objects.get(key).map(|stored| stored.tag.clone());
        let refused = match (header("if-none-match"), header("if-match")) {
            (Some("*"), None) => found.is_some().then_some((412, "PreconditionFailed")),
            (None, Some(tag)) => match found {
                None => Some((404, "NoSuchKey")),
                Some(found) => (found != tag).then_some((412, "PreconditionFailed")),
            },
            conditions => panic!("a write has one condition: {conditions:?}"),
        };
        let is_forgiven = match (self.flaw, refused) {
            (Flaw::IgnoresConditions, Some((412, _))) => true,
            (Flaw::CreatesByUpdate, Some((404, _))) => true,
            (Flaw::TwoWinners, Some((412, _))) if header("if-match").is_some() => {
                std::mem::take(&mut self.slack) > 0
            }
            _ => false,
        };
        if let Some((status, code)) = refused.filter(|_| !is_forgiven) {
            if self.flaw == Flaw::RefusesAsBusy && status == 412 {
                return refusal(409, "ConditionalRequestConflict");
            }
            return refusal(status, code);
        }
        let metadata = request.headers.iter();
        let metadata = metadata.filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"));
        let mut metadata: HeaderMap = metadata.map(|(n, v)| (n.clone(), v.clone())).collect();
        if self.flaw == Flaw::DropsMetadata {
            metadata.clear();
        }
        let body = request.body.as_ref().map(|body| body.expose().to_vec());
        let tag = self.store(key, body.unwrap_or_default(), metadata);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("etag"), tag)]);
        answer(200, headers, Vec::new())
    }

    fn store(&mut self, key: &str, body: Vec<u8>, metadata: HeaderMap) -> HeaderValue {
        self.tags += 1;
        let tag = format!("\"{}\"", self.tags);
        let header = tag.parse().unwrap();
        let stored = Stored {
            body,
            tag,
            metadata,
            written_at: jiff::Timestamp::now(),
        };
        self.objects.insert(key.to_owned(), stored);
        header
    }

    fn list(&self, url: &Url) -> CannedAnswer {
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let lists_everything = self.flaw == Flaw::ListsEverything;
        let prefix = query.get("prefix").filter(|_| !lists_everything);
        let prefix = prefix.map_or("", String::as_str);
        let is_flat = lists_everything || !query.contains_key("delimiter");
        if self.flaw == Flaw::HidesListings {
            let page = b"<html><body>Welcome</body></html>";
            return answer(200, HeaderMap::new(), page.to_vec());
        }
        let mut xml = "<?xml version=\"1.0\"?>\n<ListBucketResult>".to_owned();
        if self.flaw == Flaw::CutsListings {
            xml.push_str("<IsTruncated>true</IsTruncated>");
        }
        let (mut folders, mut found) = (BTreeSet::new(), Vec::new());
        for (key, stored) in &self.objects {
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            match rest.split_once('/').filter(|_| !is_flat) {
                Some((folder, _)) => {
                    folders.insert(format!("{prefix}{folder}/"));
                }
                None => {
                    let (size, at) = (stored.body.len(), stored.written_at);
                    let tag = stored.tag.replace('"', "&quot;");
                    found.push(format!(
                        "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{at:.3}\
                         </LastModified><ETag>{tag}</ETag></Contents>"
                    ));
                }
            }
        }
        let folder = |it| format!("<CommonPrefixes><Prefix>{it}</Prefix></CommonPrefixes>");
        found.extend(folders.into_iter().map(folder));
        let from = query
            .get("continuation-token")
            .map(|it| it.parse().unwrap());
        let from = from
            .filter(|_| self.flaw != Flaw::RepeatsPages)
            .unwrap_or(0);
        let asked = query.get("max-keys").map(|it| it.parse().unwrap());
        let size = self.page_size.or(asked).unwrap_or(1_000);
        let to = found.len().min(from + size);
        xml.push_str(&found[from..to].concat());
        if to < found.len() {
            let next = format!("<NextContinuationToken>{to}</NextContinuationToken>");
            write!(xml, "<IsTruncated>true</IsTruncated>{next}").unwrap();
        }
        xml.push_str("</ListBucketResult>");
        answer(200, HeaderMap::new(), xml.into_bytes())
    }
}

/// Returns the key, and whether the URL is that of the bucket.
fn place(url: &Url) -> (String, bool) {
    let key = url.path().strip_prefix("/acme-state").unwrap();
    let key = key.trim_start_matches('/').to_owned();
    let is_listing = key.is_empty();
    (key, is_listing)
}

fn refusal(status: u16, code: &str) -> CannedAnswer {
    let body = format!("<Error><Code>{code}</Code><Message>hunter2</Message></Error>");
    answer(status, HeaderMap::new(), body.into_bytes())
}

fn answer(status: u16, headers: HeaderMap, body: Vec<u8>) -> CannedAnswer {
    CannedAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: SecretBytes::new(body),
    }
}
