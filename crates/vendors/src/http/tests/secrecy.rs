//! The content of logs, `Debug` and errors.

use super::*;

#[tokio::test]
async fn the_request_log_holds_a_line_per_try_and_no_query() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests");
    let server = Script::start(vec![Step::CloseAfterRequest, answer(404, "", "")]).await;
    let client = HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        request_log: Some(path.clone()),
        ..HttpSettings::default()
    })
    .unwrap();
    let mut url = server.url.clone();
    url.set_query(Some("list=hunter2"));
    client.send(&put(&url)).await.unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    assert_eq!(log, "POST /v1/kv/data/x -\nPOST /v1/kv/data/x 404\n");
}

/// Collects the fields of each event.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(Vec<String>);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push(format!("{field}={value:?}"));
            }
        }
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0.join(" "));
    }
}

#[tokio::test]
async fn each_try_is_logged_at_any_level_without_query_header_or_body() {
    use tracing_subscriber::layer::SubscriberExt;
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    // With only one dispatcher, the thread of another test could disable an event for
    // all.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Script::start(vec![answer(503, "", "hunter2"), answer(200, "", "hunter2")]).await;
    let mut url = server.url.clone();
    url.set_query(Some("list=hunter2"));
    client(Vec::new()).send(&put(&url)).await.unwrap();
    let events = events.0.lock().unwrap().clone();
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event.contains("attempt="))
        .collect();
    assert_eq!(ours.len(), 2, "{events:?}");
    for (event, (status, attempt)) in ours.iter().zip([(503, 1), (200, 2)]) {
        let parts = [
            "method=POST".to_owned(),
            "host=\"127.0.0.1\"".to_owned(),
            "path=\"/v1/kv/data/x\"".to_owned(),
            format!("status={status}"),
            "duration_ms=".to_owned(),
            format!("attempt={attempt}"),
        ];
        for part in parts {
            assert!(event.contains(&part), "{part}: {event}");
        }
    }
    let all = events.join("\n");
    assert!(
        !all.contains("hunter2") && !all.contains("payload"),
        "{all}"
    );
}

#[test]
fn requests_answers_and_settings_show_no_secret_in_debug() {
    let request = put(&"http://localhost/".parse().unwrap());
    let response = HttpResponse {
        reason: None,
        host: "localhost".to_owned(),
        status: http::StatusCode::OK,
        headers: HeaderMap::new(),
        body: SecretBytes::from(b"hunter2".as_slice()),
        retried: false,
    };
    let settings = HttpSettings {
        identity: Some(ClientIdentity {
            cert_pem: String::new(),
            key_pem: "hunter2".into(),
        }),
        ..HttpSettings::default()
    };
    let shown = format!("{request:?} {response:?} {settings:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn certificates_and_keys_that_are_none_are_refused_without_being_quoted() {
    let roots = |pem: &str| HttpSettings {
        roots: Roots::Pem(pem.to_owned()),
        ..HttpSettings::default()
    };
    let broken = "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n";
    for pem in ["", "hunter2", broken] {
        let error = HttpClient::new(&roots(pem)).unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Invalid);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
