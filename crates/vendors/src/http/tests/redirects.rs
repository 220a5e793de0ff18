//! Redirects.

use super::*;

#[tokio::test]
async fn a_redirect_to_a_foreign_host_gets_no_token() {
    let foreign = Script::start(vec![answer(200, "", "thanks")]).await;
    let location = format!("location: {}\r\n", foreign.url);
    let server = Script::start((0..8).map(|_| answer(307, &location, "")).collect()).await;
    let error = client(Vec::new())
        .send(&put(&server.url))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::Redirected);
    let leader = foreign.url.origin().ascii_serialization();
    assert_eq!(error.detail(), Some(leader.as_str()));
    assert_eq!(server.requests().len(), 8, "it is tried again first");
    assert!(foreign.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_to_a_configured_host_is_followed_with_method_and_body() {
    let leader = Script::start(vec![answer(200, "", "done")]).await;
    let location = format!("location: {}\r\n", leader.url);
    let server = Script::start(vec![answer(307, &location, "")]).await;
    let client = client(vec![leader.url.clone()]);
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(response.status, 200);
    let request = leader.requests().remove(0);
    assert!(
        request.starts_with("POST /v1/kv/data/x HTTP/1.1"),
        "{request}"
    );
    assert!(request.ends_with("payload"), "{request}");
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let served = tokio::spawn(async move {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            let Step::Answer(text) = answer(307, "location: /\r\n", "") else {
                unreachable!("an answer is an answer")
            };
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    let error = client(Vec::new()).send(&put(&url)).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::RedirectedInCircles);
    served.await.unwrap();
}
