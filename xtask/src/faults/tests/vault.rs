//! Tests the rules of a Vault in front of an OpenBAO's responses.

use super::*;

/// The response to a write, with index 36 of the cluster "c".
const WROTE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\
    X-Vault-Index: eyJjbHVzdGVyIjoiYyIsInZhbHVlIjoiMzYifQ==\r\n\r\n{}";

/// `v1:6fb4a5d7-front:36:0:c0ffee`.
const INDEX: &str = "djE6NmZiNGE1ZDctZnJvbnQ6MzY6MDpjMGZmZWU=";

async fn front() -> (Upstream, FaultProxy) {
    let upstream = Upstream::answering(WROTE).await;
    let options = ProxyOptions::to(&upstream.address).as_vault();
    let proxy = FaultProxy::start(&options).unwrap();
    (upstream, proxy)
}

/// Sends a request with these headers, and returns the response.
async fn ask(proxy: &FaultProxy, headers: &str) -> String {
    let request = format!("GET /v1/kv HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let mut client = send(proxy, &request).await;
    rest(&mut client).await.0
}

#[tokio::test]
async fn a_vault_refuses_the_forwarding_header_and_an_index_of_another_form() {
    let (upstream, proxy) = front().await;
    for (headers, words) in [
        (
            "X-Vault-Inconsistent: forward-active-node\r\n",
            "disabled in configuration",
        ),
        (
            "X-Vault-Index: eyJjbHVzdGVyIjoiYyIsInZhbHVlIjoiMzYifQ==\r\n",
            "invalid X-Vault-Index",
        ),
    ] {
        let answer = ask(&proxy, headers).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(words), "{answer}");
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[tokio::test]
async fn a_vault_returns_its_own_index_and_takes_it_back() {
    let (upstream, proxy) = front().await;
    let index = format!("x-vault-index: {INDEX}\r\n");
    let answer = ask(&proxy, "").await;
    assert!(answer.contains(&index), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
    assert!(ask(&proxy, &index).await.starts_with("HTTP/1.1 200"));
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    assert!(!seen[1].contains("index"), "{seen:?}");
}

#[tokio::test]
async fn a_standby_of_a_vault_that_lags_answers_412_to_an_index_alone() {
    let (_upstream, proxy) = front().await;
    let index = format!("X-Vault-Index: {INDEX}\r\n");
    ask(&proxy, "").await;
    proxy.lag(1);
    assert!(ask(&proxy, "").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&proxy, &index).await.starts_with("HTTP/1.1 412"));
    assert!(ask(&proxy, &index).await.starts_with("HTTP/1.1 200"));
}
