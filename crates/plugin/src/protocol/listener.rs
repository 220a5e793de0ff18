//! Listener for the connections of the host.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Time after which a client that sends nothing is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after an error of `accept`, whose usual cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Address to listen on.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A socket in a new folder inside `folder`.
    Unix {
        folder: PathBuf,
        /// Group that may connect besides the user: a name or a number.
        group: Option<String>,
    },
    /// The first free port of these on the loopback interface; 0 for any.
    Tcp { ports: RangeInclusive<u16> },
}

/// Address of a bound listener.
#[derive(Clone, Debug)]
pub(super) enum Address {
    #[cfg(unix)]
    Unix(PathBuf),
    Tcp(std::net::SocketAddr),
}

impl Address {
    /// Returns the network and the address in the form that the host expects.
    pub(super) fn parts(&self) -> (&'static str, String) {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => ("unix", path.display().to_string()),
            Self::Tcp(address) => ("tcp", address.to_string()),
        }
    }
}

/// Bound listener. It removes its folder on drop.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) address: Address,
    socket: Socket,
    /// Removed on drop.
    folder: Option<SocketFolder>,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    pub(super) async fn bind(place: &Place) -> io::Result<Self> {
        match place {
            #[cfg(unix)]
            Place::Unix { folder, group } => {
                let folder = SocketFolder::create(folder, group.as_deref())?;
                let path = folder.path.join("s");
                let socket = Socket::Unix(UnixListener::bind(&path)?);
                if let Some(group) = group {
                    unix::share(&path, group, 0o660)?;
                }
                Ok(Self {
                    address: Address::Unix(path),
                    socket,
                    folder: Some(folder),
                })
            }
            #[cfg(not(unix))]
            Place::Unix { .. } => Err(io::ErrorKind::Unsupported.into()),
            Place::Tcp { ports } => {
                let socket = bind_first(ports.clone()).await?;
                Ok(Self {
                    address: Address::Tcp(socket.local_addr()?),
                    socket: Socket::Tcp(socket),
                    folder: None,
                })
            }
        }
    }

    /// Accepts connections; with `tls`, only authenticated ones. The caller keeps the returned
    /// folder for as long as it serves.
    pub(super) fn accept(
        self,
        tls: Option<Arc<ServerConfig>>,
    ) -> (ReceiverStream<io::Result<Connection>>, Option<SocketFolder>) {
        let (accepted, connections) = mpsc::channel(16);
        let Self { socket, folder, .. } = self;
        tokio::spawn(async move {
            let tls = tls.map(TlsAcceptor::from);
            while !accepted.is_closed() {
                let stream = tokio::select! {
                    stream = socket.accept() => stream,
                    () = accepted.closed() => break,
                };
                match stream {
                    // A task for each, so that a slow client does not block the others.
                    Ok(stream) => {
                        tokio::spawn(greet(stream, tls.clone(), accepted.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
        (ReceiverStream::new(connections), folder)
    }
}

async fn greet(
    stream: Box<dyn Stream>,
    tls: Option<TlsAcceptor>,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    let connection = match tls {
        None => Connection(stream),
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => Connection(Box::new(stream)),
            Ok(Err(error)) => return tracing::warn!(%error, "a client was rejected"),
            Err(_) => return tracing::warn!("a client sent nothing"),
        },
    };
    // Fails only if the server has ended.
    let _ = accepted.send(Ok(connection)).await;
}

async fn bind_first(ports: RangeInclusive<u16>) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in ports {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Socket {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Folder of the socket, which only this user can access.
#[derive(Debug)]
pub(super) struct SocketFolder {
    path: PathBuf,
}

impl SocketFolder {
    #[cfg(unix)]
    fn create(parent: &Path, group: Option<&str>) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        // Short, since the path of a socket has at most 104 to 108 bytes:
        // https://man7.org/linux/man-pages/man7/unix.7.html
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = parent.join(format!("planton-{}", hex::encode(random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self { path };
        if let Some(group) = group {
            unix::share(&folder.path, group, 0o710)?;
        }
        Ok(folder)
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use rustix::fs::Gid;

    /// Grants access to the group.
    pub(super) fn share(path: &Path, group: &str, mode: u32) -> io::Result<()> {
        let group = group_id(group).ok_or_else(|| {
            io::Error::other("PLUGIN_UNIX_SOCKET_GROUP names a group that does not exist")
        })?;
        rustix::fs::chown(path, None, Some(Gid::from_raw(group)))?;
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn group_id(group: &str) -> Option<u32> {
        if let Ok(id) = group.parse() {
            return Some(id);
        }
        let groups = std::fs::read_to_string("/etc/group").ok()?;
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(group))
                .then(|| fields.nth(1)?.parse().ok())
                .flatten()
        })
    }
}

/// Transport of a connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connection of an accepted client.
pub(super) struct Connection(Box<dyn Stream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_free_port_of_a_range_is_taken() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = taken.local_addr().expect("bound").port();
        assert!(bind_first(port..=port).await.is_err());
        let place = Place::Tcp { ports: 0..=0 };
        let listener = Listener::bind(&place).await.expect("a port");
        let (network, at) = listener.address.parts();
        assert_eq!(network, "tcp");
        assert!(at.starts_with("127.0.0.1:"), "{at}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_sockets_folder_is_the_users_alone_and_goes_with_it() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let place = Place::Unix {
            folder: parent.path().to_owned(),
            group: None,
        };
        let listener = Listener::bind(&place).await.expect("bound");
        let (_, at) = listener.address.parts();
        let folder = Path::new(&at).parent().expect("a folder").to_owned();
        let mode = std::fs::metadata(&folder)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(listener);
        assert!(!folder.exists());
    }
}
