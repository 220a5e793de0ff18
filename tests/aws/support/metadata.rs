//! Fakes of the metadata services of machines and containers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Serves instance metadata, and container credentials of this key. Returns the address.
pub(crate) async fn serve(key_id: &str, secret_key: &str, token: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let credentials = serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "Expiration": "2126-01-01T00:00:00Z",
        "AccessKeyId": key_id,
        "SecretAccessKey": secret_key,
        "Token": token,
        "AccountId": "123456789012",
    })
    .to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match stream.read(&mut buffer).await {
                    Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let line = String::from_utf8_lossy(&request);
            let path = line.split(' ').nth(1).unwrap_or_default();
            let list = "/latest/meta-data/iam/security-credentials";
            let (status, body) = match path.trim_end_matches('/') {
                "/latest/api/token" => (200, "metadata-token"),
                "/latest/meta-data/placement/region" => (200, super::REGION),
                "/container" => (200, credentials.as_str()),
                path if path == list => (200, "instance-role"),
                path if path == format!("{list}/instance-role") => (200, credentials.as_str()),
                _ => (404, ""),
            };
            let answer = format!(
                "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\
                 x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\
                 content-type: application/json\r\n\r\n{body}",
                body.len()
            );
            // The client may disconnect before it reads the response.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}
