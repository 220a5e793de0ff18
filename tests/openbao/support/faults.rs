//! A proxy that loses answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Starts a proxy before `upstream`, which carries out the first `losses`
/// requests and loses their answers. Returns its address.
pub(crate) async fn answers_lost(upstream: &str, losses: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        let mut accepted = 0;
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&upstream).await.unwrap();
            accepted += 1;
            if accepted <= losses {
                lose(&mut client, &mut server).await;
                continue;
            }
            tokio::spawn(async move {
                // A connection that ends is no matter.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// Hands a request on, waits until it is answered, and hangs up.
async fn lose(client: &mut TcpStream, server: &mut TcpStream) {
    let mut request = vec![0; 64 * 1024];
    let mut answer = [0; 1024];
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let read = read.unwrap();
                server.write_all(&request[..read]).await.unwrap();
            }
            read = server.read(&mut answer) => {
                assert!(read.unwrap() > 0);
                return;
            }
        }
    }
}
