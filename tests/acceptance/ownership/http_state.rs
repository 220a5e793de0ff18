//! A server that stores the state of one workspace, for Terraform's `http` backend:
//! <https://developer.hashicorp.com/terraform/language/backend/http>.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server that listens until the test ends.
#[derive(Debug)]
pub(super) struct HttpState {
    address: SocketAddr,
    state: Arc<Mutex<Option<Vec<u8>>>>,
}

impl HttpState {
    /// Starts the server.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &kept);
            }
        });
        Self { address, state }
    }

    /// Returns the configuration of the backend.
    pub(super) fn block(&self) -> String {
        format!(
            "terraform {{\n  backend \"http\" {{\n    address = \"http://{}/state\"\n  }}\n}}\n",
            self.address
        )
    }

    /// Returns the last written state.
    pub(super) fn state(&self) -> Option<Vec<u8>> {
        self.state.lock().unwrap().clone()
    }
}

/// Responds to one request.
fn serve(mut stream: TcpStream, state: &Mutex<Option<Vec<u8>>>) {
    let mut reader = BufReader::new(&mut stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut state = state.lock().unwrap();
    let answer = match head[0].split(' ').next() {
        Some("post") => {
            *state = Some(body);
            Some(Vec::new())
        }
        Some("delete") => {
            *state = None;
            Some(Vec::new())
        }
        _ => state.clone(),
    };
    let status = if answer.is_some() {
        "200 OK"
    } else {
        "404 Not Found"
    };
    let content = answer.unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    // A killed Terraform reads no response.
    let _ = stream.write_all(&[head.as_bytes(), &content].concat());
}
