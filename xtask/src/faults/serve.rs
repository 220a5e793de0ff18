//! Serves connections, and applies the scripted faults.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::blob::BlobRules;
use super::conditions::Conditions;
use super::script::{self, Action, Fault};
use super::scripted::Scripted;
use super::vault::VaultRules;
use super::wire::{Message, Peer, Stream};
use super::{BOUND, ProxyOptions, Rules, Seen, tls};

/// The state that connections share with the test.
pub(super) struct Shared {
    upstream: Upstream,
    pub(super) vault: Option<VaultRules>,
    blob: Option<BlobRules>,
    conditions: Conditions,
    state: Mutex<State>,
    /// Incremented to release stalled requests.
    releases: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) faults: Vec<Fault>,
    pub(super) seen: Vec<Seen>,
    pub(super) troubles: Vec<String>,
    /// The delay of each request.
    pub(super) pace: Option<Duration>,
    /// The number of arrivals and responses.
    events: u64,
    /// The number of requests before those in `seen`.
    pub(super) forgotten: usize,
}

impl State {
    /// Returns the position of an event that happens now.
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

/// The upstream server.
pub(super) struct Upstream {
    /// Host and port.
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Upstream {
    pub(super) fn new(options: &ProxyOptions) -> Result<Self> {
        let text = options.upstream.trim_end_matches('/');
        let (scheme, authority) = text.split_once("://").context("upstream is no URL")?;
        let host = authority.rsplit_once(':').map(|(host, _)| host);
        let host = host.context("upstream has no port")?;
        let tls = match scheme {
            "http" => None,
            "https" => {
                let ca_file = options.upstream_ca.as_deref();
                let ca_file = ca_file.context("nobody vouches for upstream")?;
                let config: Arc<ClientConfig> = tls::trusting(ca_file)?;
                let name = ServerName::try_from(host.to_owned()).context("upstream's name")?;
                Some((TlsConnector::from(config), name))
            }
            _ => bail!("upstream is neither http nor https"),
        };
        Ok(Self {
            authority: authority.to_owned(),
            tls,
        })
    }

    /// Sends the request on a new connection. A reused connection could be stale, and each
    /// request must be sent exactly once.
    async fn ask(&self, request: &Message) -> io::Result<Message> {
        let tcp = TcpStream::connect(&self.authority).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), tcp).await?;
                Box::new(TlsStream::from(stream))
            }
        };
        Peer::new(stream).ask(request).await
    }
}

impl Shared {
    pub(super) fn new(upstream: Upstream, options: &ProxyOptions) -> Self {
        Self {
            upstream,
            vault: (options.rules == Rules::Vault).then(VaultRules::default),
            blob: options.blob_authority.as_deref().map(BlobRules::new),
            conditions: Conditions::new(options.weakness),
            state: Mutex::default(),
            releases: watch::Sender::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn let_go(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    fn trouble(&self, what: impl Into<String>) {
        self.state().troubles.push(what.into());
    }
}

/// Accepts connections until the proxy stops.
pub(super) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    mut stopped: watch::Receiver<bool>,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    let accepting = async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return shared.trouble(format!("listening: {error}")),
        };
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => {
                    tokio::spawn(connection(Arc::clone(&shared), acceptor.clone(), tcp));
                }
                Err(error) => shared.trouble(format!("accepting: {error}")),
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        // In both cases the proxy is no longer needed.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

async fn connection(shared: Arc<Shared>, acceptor: Option<TlsAcceptor>, tcp: TcpStream) {
    let stream: io::Result<Box<dyn Stream>> = async {
        tcp.set_nodelay(true)?;
        Ok(match acceptor {
            None => Box::new(tcp) as Box<dyn Stream>,
            Some(acceptor) => Box::new(TlsStream::from(acceptor.accept(tcp).await?)),
        })
    }
    .await;
    let mut client = match stream {
        Ok(stream) => Peer::new(stream),
        Err(error) => return shared.trouble(format!("TLS with a client: {error}")),
    };
    loop {
        let request = match client.request().await {
            Ok(Some(request)) => Arc::new(request),
            Ok(None) => return,
            Err(error) => return shared.trouble(format!("a request: {error}")),
        };
        let exchange = Exchange::begin(&shared, request);
        match exchange.play(client).await {
            Some(again) => client = again,
            None => return,
        }
    }
}

/// One request and its handling.
struct Exchange<'a> {
    shared: &'a Shared,
    request: Arc<Message>,
    action: Option<Action>,
    number: usize,
}

impl<'a> Exchange<'a> {
    fn begin(shared: &'a Shared, request: Arc<Message>) -> Self {
        let mut state = shared.state();
        let action = script::choose(&mut state.faults, &request);
        let number = state.forgotten + state.seen.len();
        let begun = state.event();
        state.seen.push(Seen {
            begun,
            ended: None,
            request: Arc::clone(&request),
            answered: None,
            status: None,
            gave_up: false,
            fault: action.as_ref().map(ToString::to_string),
        });
        drop(state);
        Self {
            shared,
            request,
            action,
            number,
        }
    }

    /// Returns the client if its connection continues.
    async fn play(self, mut client: Peer) -> Option<Peer> {
        match &self.action {
            Some(Action::Answer(answer)) => return self.answer(client, answer).await,
            Some(Action::Reset) => {
                client.reset();
                return None;
            }
            Some(Action::Stall) => {
                self.stall(client).await;
                return None;
            }
            Some(Action::Hold(latch)) => {
                if let Err(error) = latch.clone().pass(BOUND).await {
                    self.shared.trouble(format!("{error:#}"));
                }
            }
            Some(Action::Delay(time)) => tokio::time::sleep(*time).await,
            Some(Action::LandLate(_) | Action::LandAfter(_)) => {
                client.reset();
                self.land_late().await;
                return None;
            }
            _ => {}
        }
        let pace = self.shared.state().pace;
        if let Some(delay) = pace {
            tokio::time::sleep(delay).await;
        }
        if let Some(refusal) = self.refused_by_rule().await {
            return self.answer(client, &refusal).await;
        }
        let answer = timeout(BOUND, self.ask()).await;
        let answer = match answer.unwrap_or_else(|late| Err(late.into())) {
            Ok(answer) => answer,
            Err(error) => {
                self.shared.trouble(format!("upstream: {error}"));
                // Clients of a stopped server see the same.
                client.reset();
                return None;
            }
        };
        self.note(|seen| seen.answered = Some(answer.status()));
        if let Some(Action::Hold(latch) | Action::HoldAnswer(latch)) = &self.action {
            latch.tell_answered();
        }
        match &self.action {
            Some(Action::LoseAnswer) => {
                client.reset();
                return None;
            }
            Some(Action::Replace(scripted)) => {
                let bytes = scripted.to_bytes(self.request.head.method());
                self.note(|seen| seen.status = Some(scripted.status));
                let written = client.write(&bytes).await;
                return (written.is_ok() && self.request.keeps_alive).then_some(client);
            }
            Some(Action::StallAnswer) => {
                self.stall(client).await;
                return None;
            }
            Some(Action::Truncate) => {
                // The client may have closed the connection already.
                let _ = client.write(&answer.half()).await;
                return None;
            }
            Some(Action::HoldAnswer(latch)) => {
                if let Err(error) = latch.clone().pass(BOUND).await {
                    self.shared.trouble(format!("{error:#}"));
                }
            }
            _ => {}
        }
        // Recorded before the response is sent, so a client with the response finds it.
        self.end(answer.status());
        let relayed = client.relay(&answer).await;
        let goes_on = relayed.is_ok() && answer.keeps_alive && self.request.keeps_alive;
        goes_on.then_some(client)
    }

    async fn answer(&self, mut client: Peer, answer: &Scripted) -> Option<Peer> {
        let bytes = answer.to_bytes(self.request.head.method());
        self.note(|seen| seen.status = Some(answer.status));
        let written = client.write(&bytes).await;
        (written.is_ok() && self.request.keeps_alive).then_some(client)
    }

    /// Forwards a request whose client has lost its connection.
    async fn land_late(&self) {
        match &self.action {
            Some(Action::LandAfter(time)) => tokio::time::sleep(*time).await,
            Some(Action::LandLate(latch)) => {
                if let Err(error) = latch.clone().pass(BOUND).await {
                    self.shared.trouble(format!("{error:#}"));
                }
            }
            _ => {}
        }
        match self.ask().await {
            Ok(answer) => self.note(|seen| seen.answered = Some(answer.status())),
            Err(error) => self.shared.trouble(format!("upstream: {error}")),
        }
        if let Some(Action::LandLate(latch)) = &self.action {
            latch.tell_answered();
        }
    }

    async fn refused_by_rule(&self) -> Option<Scripted> {
        if let Some(blob) = &self.shared.blob {
            return blob.refuse(&self.request).await;
        }
        let vault = self.shared.vault.as_ref()?;
        vault.refuse(&self.request)
    }

    async fn ask(&self) -> io::Result<Message> {
        let upstream = &self.shared.upstream;
        if let Some(blob) = &self.shared.blob {
            return upstream.ask(&blob.pass(&self.request)).await;
        }
        if let Some(race) = self.shared.conditions.enter(&self.request) {
            return upstream.ask(&race.request().await).await;
        }
        let Some(vault) = &self.shared.vault else {
            return upstream.ask(&self.request).await;
        };
        let answer = upstream.ask(&VaultRules::pass(&self.request)).await?;
        Ok(vault.answer(&self.request, answer))
    }

    async fn stall(&self, mut client: Peer) {
        let mut releases = self.shared.releases.subscribe();
        let waiting = async {
            tokio::select! {
                () = client.gone() => self.note(|seen| seen.gave_up = true),
                // The proxy outlives its connections.
                _ = releases.changed() => {}
            }
        };
        if timeout(BOUND, waiting).await.is_err() {
            self.shared.trouble("nobody ended a stalled request");
        }
    }

    /// Records a complete response.
    fn end(&self, status: u16) {
        let ended = self.shared.state().event();
        self.note(|seen| {
            seen.status = Some(status);
            seen.ended = Some(ended);
        });
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        let mut state = self.shared.state();
        let at = self.number.checked_sub(state.forgotten);
        // The request was removed in the meantime.
        if let Some(seen) = at.and_then(|at| state.seen.get_mut(at)) {
            change(seen);
        }
    }
}
