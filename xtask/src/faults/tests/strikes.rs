//! Tests the effect of each fault, and the requests that it strikes.

use super::*;

#[tokio::test]
async fn a_scripted_status_is_answered_as_often_as_asked_without_asking_upstream() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let slow = Fault::status(429).retry_after(1).with_body("slow down");
    proxy.fail(slow.on(Match::path("/a")).times(2));
    assert_eq!(
        proxy.unused_faults(),
        ["status 429 on any method …/a…, 2 left"]
    );
    let mut client = connect(&proxy).await;
    for _ in 0..2 {
        client.write_all(post("/a", "x").as_bytes()).await.unwrap();
        let answer =
            b"HTTP/1.1 429 Scripted\r\nretry-after: 1\r\ncontent-length: 9\r\n\r\nslow down";
        expect(&mut client, answer).await;
    }
    assert_eq!(upstream.requests(), [""; 0]);
    assert_eq!(proxy.unused_faults(), [""; 0]);
    client.write_all(post("/a", "x").as_bytes()).await.unwrap();
    expect_ok(&mut client).await;
    let told: Vec<_> = proxy.requests().iter().map(Seen::status).collect();
    assert_eq!(told, [Some(429), Some(429), Some(200)]);
    let answered: Vec<_> = proxy.requests().iter().map(Seen::answered).collect();
    assert_eq!(answered, [None, None, Some(200)]);
    assert_eq!(proxy.requests()[0].fault(), Some("status 429"));
}

#[tokio::test]
async fn a_reset_comes_before_upstream_has_seen_anything() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    proxy.fail(Fault::reset());
    let mut client = send(&proxy, &post("/", "x")).await;
    let reset = (String::new(), Some(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut client).await, reset);
    assert_eq!(upstream.requests(), [""; 0]);
    let seen = &proxy.requests()[0];
    assert_eq!((seen.answered(), seen.status()), (None, None));
}

#[tokio::test]
async fn a_lost_answer_is_reset_after_upstream_has_acted() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    proxy.fail(Fault::lose_answer());
    let mut client = send(&proxy, &post("/", "x")).await;
    let reset = (String::new(), Some(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut client).await, reset);
    assert_eq!(upstream.requests(), [post("/", "x")]);
    let seen = &proxy.requests()[0];
    assert_eq!((seen.answered(), seen.status()), (Some(200), None));
}

#[tokio::test]
async fn stalled_requests_are_let_go_when_the_test_says_so() {
    for (fault, reaches_upstream) in [(Fault::stall(), false), (Fault::stall_answer(), true)] {
        let upstream = Upstream::answering(OK).await;
        let proxy = Arc::new(upstream.proxy());
        proxy.fail(fault);
        let mut client = send(&proxy, &post("/", "x")).await;
        let releasing = Arc::clone(&proxy);
        let ended = tokio::spawn(async move { rest(&mut client).await });
        while !ended.is_finished() {
            // Only stalled requests are released, so repeat until this one is.
            releasing.let_go();
            tokio::task::yield_now().await;
        }
        assert_eq!(ended.await.unwrap(), (String::new(), None));
        let reached = !upstream.requests().is_empty();
        assert_eq!(reached, reaches_upstream);
        let seen = &proxy.requests()[0];
        assert_eq!((seen.status(), seen.gave_up()), (None, false));
        assert_eq!(proxy.troubles(), [""; 0]);
    }
}

#[tokio::test]
async fn a_stalled_request_ends_when_its_client_gives_up() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    proxy.fail(Fault::stall());
    let client = send(&proxy, &post("/", "x")).await;
    while proxy.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!proxy.requests()[0].gave_up());
    drop(client);
    while !proxy.requests()[0].gave_up() {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[tokio::test]
async fn a_truncated_answer_announces_all_and_brings_half() {
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n4\r\ndone\r\n0\r\n\r\n";
    const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    for (answer, half) in [
        (
            OK,
            "HTTP/1.1 200 Half\r\nx-case: Kept\r\ncontent-length: 4\r\n\r\ndo",
        ),
        (
            CHUNKED,
            "HTTP/1.1 200 Half\r\nx: y\r\ncontent-length: 4\r\n\r\ndo",
        ),
        (EMPTY, "HTTP/1.1 204 "),
    ] {
        let upstream = Upstream::answering(answer).await;
        let proxy = upstream.proxy();
        proxy.fail(Fault::truncate());
        let mut client = send(&proxy, &post("/", "x")).await;
        assert_eq!(rest(&mut client).await, (half.to_owned(), None));
        assert_eq!(upstream.requests().len(), 1);
        let seen = &proxy.requests()[0];
        assert_eq!(seen.status(), None, "nobody was told a whole answer");
        assert!(seen.answered().is_some());
    }
}

#[tokio::test]
async fn a_held_request_waits_while_others_pass() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let (fault, gate) = Fault::hold();
    proxy.fail(fault.on(Match::path("/first")));
    let mut first = send(&proxy, &post("/first", "")).await;
    gate.reached().await.unwrap();
    gate.await_reached().unwrap();
    let mut second = send(&proxy, &post("/second", "")).await;
    expect_ok(&mut second).await;
    assert_eq!(upstream.requests(), [post("/second", "")]);
    gate.open();
    expect_ok(&mut first).await;
    assert_eq!(
        upstream.requests(),
        [post("/second", ""), post("/first", "")]
    );
}

#[tokio::test]
async fn a_held_request_reaches_upstream_after_its_client_has_given_up() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let (hold, gate) = Fault::hold();
    proxy.fail(hold);
    let client = send(&proxy, &post("/late", "")).await;
    gate.reached().await.unwrap();
    drop(client);
    // Dropping the gate opens it.
    drop(gate);
    while upstream.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.requests(), [post("/late", "")]);
}

#[tokio::test]
async fn a_held_answer_is_one_that_upstream_gave_already() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let (fault, gate) = Fault::hold_answer();
    proxy.fail(fault);
    let mut client = send(&proxy, &post("/", "x")).await;
    gate.reached().await.unwrap();
    assert_eq!(upstream.requests().len(), 1);
    let seen = &proxy.requests()[0];
    assert_eq!((seen.answered(), seen.status()), (Some(200), None));
    gate.open();
    expect_ok(&mut client).await;
}

#[tokio::test]
async fn faults_strike_what_they_are_meant_for_in_their_turn() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let puts = Match::method("POST")
        .and(Match::header("X-AMZ-TARGET", ".Put"))
        .and(Match::body("name=db"))
        .but_not(Match::path("?dry-run"));
    proxy.fail(Fault::status(503).on(puts.clone()).nth(2).times(2));
    // It strikes the first request, before the other fault does.
    proxy.fail(Fault::status(429).on(puts.clone()));
    // Counts requests that other faults struck.
    proxy.fail(Fault::status(500).on(puts.clone()).nth(5));
    let mut statuses = Vec::new();
    for request in [
        post("/", "name=db"),
        post("/", "name=other"),
        post("/?dry-run", "name=db"),
        post("/", "name=db").replace("POST", "PUT"),
        post("/", "name=db").replace("Put", "Get"),
        post("/", "name=db"),
        post("/", "name=db"),
        post("/", "name=db"),
        post("/", "name=db"),
        post("/", "name=db"),
    ] {
        let mut client = send(&proxy, &request).await;
        client.read_u8().await.unwrap();
        statuses.push(proxy.requests().last().unwrap().status().unwrap());
    }
    assert_eq!(statuses, [429, 200, 200, 200, 200, 503, 503, 200, 500, 200]);
    assert_eq!(proxy.count(&puts), 6);
    proxy.forget();
    assert_eq!(proxy.count(&Match::any()), 0);
    expect_ok(&mut send(&proxy, &post("/", "name=db")).await).await;
    assert_eq!(proxy.count(&puts), 1);
}
