//! Serves connections, and verifies tokens.

use std::collections::{BTreeMap, HashSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answer::{Answer, Refusal};
use super::state::State;
use super::{json as json_api, xml};
use crate::faults::weakened;
use crate::faults::wire::{Message, Peer, decode};

const BOUND: Duration = Duration::from_secs(30);

/// The state that connections share.
pub(super) struct Shared {
    state: Arc<Mutex<State>>,
    identity: String,
    /// Tokens that the fake of IAM has confirmed.
    confirmed: Mutex<HashSet<String>>,
}

/// A request, with its path and query decoded.
pub(super) struct Request<'a> {
    message: &'a Message,
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
}

impl<'a> Request<'a> {
    fn new(message: &'a Message) -> Self {
        let target = message.head.target();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A form's plus is a space.
            (decode(name), decode(&value.replace('+', " ")))
        });
        Self {
            message,
            path: path
                .trim_start_matches('/')
                .split('/')
                .map(decode)
                .collect(),
            query: pairs.collect(),
        }
    }

    pub(super) fn method(&self) -> &str {
        self.message.head.method()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.message.head.header(name).next()
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.message.head.headers()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.message.body
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let value = self.query.get(name).map(|value| value.parse());
        value.transpose().map_err(|_| Refusal::BadRequest)
    }

    /// Returns the folders of the JSON API, or `None` for the XML API.
    fn json_path(&self) -> Option<&[String]> {
        let path: Vec<&str> = self.path.iter().take(3).map(String::as_str).collect();
        let from = match path[..] {
            ["storage", "v1", _] => 2,
            ["upload" | "download", "storage", "v1"] => 3,
            _ => return None,
        };
        self.path.get(from..)
    }
}

impl Shared {
    pub(super) fn new(state: Arc<Mutex<State>>, identity: &str) -> Self {
        Self {
            state,
            identity: identity.to_owned(),
            confirmed: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, message: &Message) -> Answer {
        let request = Request::new(message);
        let json_path = request.json_path();
        let answer = match self.authenticate(message).await {
            Err(refusal) => Err(refusal),
            Ok(()) => match json_path {
                Some(path) => json_api::serve(&mut self.state(), &request, path),
                None => xml::serve(&mut self.state(), &request),
            },
        };
        answer.unwrap_or_else(|refusal| match json_path {
            Some(_) => refusal.to_json(),
            None => refusal.to_xml(),
        })
    }

    async fn authenticate(&self, message: &Message) -> Result<(), Refusal> {
        let bearer = message.head.header("authorization").next();
        let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or(Refusal::NoToken)?;
        let is_known = {
            let known = self.confirmed.lock();
            known
                .unwrap_or_else(PoisonError::into_inner)
                .contains(token)
        };
        if is_known || self.is_valid(token).await {
            return Ok(());
        }
        Err(Refusal::BadToken)
    }

    async fn is_valid(&self, token: &str) -> bool {
        let url = format!("{}/fake/who", self.identity);
        let body = json!({ "token": token }).to_string();
        // The fake has one thread, which must not wait for another server.
        let asking = tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder().timeout_global(Some(BOUND));
            let agent: ureq::Agent = config.proxy(None).build().into();
            let text = agent.post(url).send(body)?.body_mut().read_to_string()?;
            anyhow::Ok(serde_json::from_str::<Value>(&text)?)
        });
        let answer = asking.await.ok().and_then(Result::ok);
        let is_valid = answer.is_some_and(|answer| answer["who"].is_string());
        if is_valid {
            let mut known = self
                .confirmed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.insert(token.to_owned());
        }
        is_valid
    }
}

/// Accepts connections until the fake stops.
pub(super) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
) {
    let accepting = async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        loop {
            if let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(connection(Arc::clone(&shared), tcp));
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        // In both cases the fake is no longer needed.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

async fn connection(shared: Arc<Shared>, tcp: TcpStream) {
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    let mut client = Peer::new(Box::new(tcp));
    // A client with an invalid request loses its connection.
    while let Ok(Some(request)) = client.request().await {
        let request = weakened(&request);
        let answer = shared.answer(&request).await;
        let bytes = answer.to_bytes(request.head.method());
        if client.write(&bytes).await.is_err() || !request.keeps_alive {
            return;
        }
    }
}
