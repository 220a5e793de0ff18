//! A server with one response.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

/// Starts a server that returns this response to every request. Returns its address.
pub(crate) fn always_answering(status: &str, body: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Ends with the test's process, since it only waits for connections.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A disconnected client gets no response. The next one may get one.
            let _ = serve(stream.unwrap(), &answer);
        }
    });
    address
}

fn serve(stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    reader.get_mut().write_all(answer.as_bytes())
}
