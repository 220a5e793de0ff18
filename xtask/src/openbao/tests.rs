use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::canary::Canary;
use crate::process;

fn server(options: &ServerOptions) -> OpenBao {
    let tools = Tools::locate().expect("tools");
    OpenBao::start(&tools, options).expect("starts")
}

#[test]
fn a_server_keeps_what_was_written_over_a_restart_and_a_kill() {
    let mut server = server(&ServerOptions::default());
    let api = server.api().clone();
    api.enable_kv2("planton").expect("mounts");
    let body = json!({"data": {"a": "b"}, "options": {"cas": 0}});
    api.ok("POST", "planton/data/x", Some(&body))
        .expect("writes");
    let again = api
        .call("POST", "planton/data/x", Some(&body))
        .expect("answers");
    assert_eq!(again.status, 400, "a lost compare-and-set: {again:?}");

    server.stop().expect("stops");
    assert_eq!(server.pid(), None);
    assert!(
        api.call("GET", "sys/health", None).is_err(),
        "nobody answers"
    );
    server.restart().expect("restarts");
    let read = api.ok("GET", "planton/data/x", None).expect("reads");
    assert_eq!(read["data"]["data"]["a"], "b");

    server.kill();
    server.restart().expect("restarts");
    let read = api.ok("GET", "planton/data/x", None).expect("reads");
    assert_eq!(read["data"]["metadata"]["version"], 1);
}

#[test]
fn a_sealed_server_refuses_until_it_is_restarted() {
    let mut server = server(&ServerOptions::default());
    server.seal().expect("seals");
    let answer = server
        .api()
        .call("GET", "sys/mounts", None)
        .expect("answers");
    assert_eq!(answer.status, 503);
    server.stop().expect("stops");
    server.restart().expect("restarts");
    server.api().ok("GET", "sys/mounts", None).expect("serves");
}

#[test]
fn a_server_with_shamirs_seal_is_initialized_and_stays_sealed() {
    let mut server = server(&ServerOptions {
        seal: Seal::Shamir,
        ..Default::default()
    });
    for _ in 0..2 {
        let health = server.node.health().expect("answers");
        assert_eq!(health["initialized"], true);
        assert_eq!(health["sealed"], true);
        let answer = server
            .api()
            .call("GET", "secret/data/x", None)
            .expect("answers");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, json!({"errors": ["Vault is sealed"]}));
        server.stop().expect("stops");
        server.restart().expect("restarts");
    }
}

#[test]
fn the_dump_has_every_path_and_every_version() {
    let server = server(&ServerOptions::default());
    let api = server.api();
    api.enable_kv2("two").expect("mounts");
    api.enable_kv1("one").expect("mounts");
    assert_eq!(api.dump_kv("two", KvVersion::V2).expect("dumps"), json!({}));
    let canaries = ["first", "second", "deleted", "flat", "label"].map(Canary::new);
    let [first, second, deleted, flat, label] = &canaries;
    for value in [first, second] {
        let body = json!({"data": {"v": value.value()}});
        api.ok("POST", "two/data/a/b/c", Some(&body))
            .expect("writes");
    }
    let metadata = json!({"custom_metadata": {"l": label.value()}});
    api.ok("POST", "two/metadata/a/b/c", Some(&metadata))
        .expect("writes");
    let body = json!({"data": {"v": deleted.value()}});
    api.ok("POST", "two/data/a/gone", Some(&body))
        .expect("writes");
    api.ok("DELETE", "two/data/a/gone", None).expect("deletes");
    api.ok("POST", "one/x/y", Some(&json!({"v": flat.value()})))
        .expect("writes");

    let paths = api.list_recursive("two", KvVersion::V2).expect("lists");
    assert_eq!(paths, ["a/b/c", "a/gone"]);
    let two = api
        .dump_kv("two", KvVersion::V2)
        .expect("dumps")
        .to_string();
    let one = api
        .dump_kv("one", KvVersion::V1)
        .expect("dumps")
        .to_string();
    for canary in [first, second, label] {
        assert_ne!(canary.find_in(two.as_bytes()), [], "{canary:?}");
    }
    assert_eq!(deleted.find_in(two.as_bytes()), []);
    assert_ne!(flat.find_in(one.as_bytes()), []);
}

#[test]
fn the_audit_log_shows_values_only_where_that_was_asked_for() {
    for raw_audit in [false, true] {
        let server = server(&ServerOptions {
            raw_audit,
            ..Default::default()
        });
        let api = server.api();
        api.enable_kv2("planton").expect("mounts");
        let canary = Canary::new("value");
        let body = json!({"data": {"v": canary.value()}});
        api.ok("POST", "planton/data/x", Some(&body))
            .expect("writes");
        let log = server.audit_log().expect("reads");
        assert!(log.contains("planton/data/x"));
        assert_eq!(!canary.find_in(log.as_bytes()).is_empty(), raw_audit);
        assert!(!server.server_log().is_empty());
    }
}

#[test]
fn tokens_approles_and_jwts_have_their_policies_only() {
    let tools = Tools::locate().expect("tools");
    let server = server(&ServerOptions::default());
    let api = server.api();
    api.enable_kv2("planton").expect("mounts");
    api.enable_transit("transit").expect("mounts");
    let policy = "path \"planton/data/mine/*\" { capabilities = [\"create\", \"read\"] }";
    api.write_policy("mine", policy).expect("writes");

    let token = api.create_token(&["mine"], "5m").expect("makes");
    let role = api
        .approle("approle", "ci", &["mine"], json!({"token_ttl": "5m"}))
        .expect("makes");
    let body = json!({"role_id": role.role_id, "secret_id": role.secret_id});
    let by_role = api
        .ok("POST", "auth/approle/login", Some(&body))
        .expect("logs in");

    let issuer = JwtIssuer::new(&tools).expect("makes");
    api.jwt_role("jwt", "ci", &["mine"], issuer.public_key(), json!({}))
        .expect("makes");
    let login = |claims| {
        let jwt = issuer.sign(&claims).expect("signs");
        let body = json!({"role": "ci", "jwt": jwt});
        api.call("POST", "auth/jwt/login", Some(&body))
            .expect("answers")
    };
    let by_jwt = login(json!({"sub": "job"}));
    assert_eq!(by_jwt.status, 200, "{by_jwt:?}");
    assert_eq!(
        login(json!({"sub": "job", "exp": 1_000_000_000})).status,
        400
    );
    assert_eq!(login(json!({"sub": "job", "aud": "else"})).status, 400);

    let tokens = [
        token.as_str(),
        by_role["auth"]["client_token"].as_str().expect("a token"),
        by_jwt.body["auth"]["client_token"]
            .as_str()
            .expect("a token"),
    ];
    for (index, token) in tokens.into_iter().enumerate() {
        let theirs = api.with_token(token);
        let body = json!({"data": {}});
        let mine = format!("planton/data/mine/{index}");
        theirs.ok("POST", &mine, Some(&body)).expect("may write");
        let denied = theirs
            .call("POST", "planton/data/other", Some(&body))
            .expect("answers");
        assert_eq!(denied.status, 403);
    }
}

#[test]
fn namespaces_are_apart() {
    let server = server(&ServerOptions::default());
    let api = server.api();
    api.create_namespace("team").expect("makes");
    let team = api.in_namespace("team");
    team.enable_kv2("planton").expect("mounts");
    team.ok("POST", "planton/data/x", Some(&json!({"data": {}})))
        .expect("writes");
    assert_eq!(
        api.call("GET", "planton/data/x", None)
            .expect("answers")
            .status,
        404
    );
}

#[test]
fn a_tls_listener_stands_beside_the_plain_one_and_may_want_a_certificate() {
    let tools = Tools::locate().expect("tools");
    let folder = tempfile::tempdir().expect("temp dir");
    let script = include_str!("../../certificate.py");
    let mut python = Command::new(tools.python());
    python.args(["-c", script]).current_dir(folder.path());
    process::run(&mut python, BOUND)
        .and_then(process::Finished::ok)
        .expect("certificates");
    let certificate = folder.path().join("server.pem");
    let key = folder.path().join("server.key");

    for client_authority in [None, Some(certificate.clone())] {
        let wants_certificate = client_authority.is_some();
        let server = server(&ServerOptions {
            tls: Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authority,
            }),
            ..Default::default()
        });
        let address = server.tls_address().expect("a TLS address");
        let status = |variables: &[(&str, &Path)]| {
            let mut bao = Command::new(tools.bao());
            bao.arg("status").env_clear().env("HOME", folder.path());
            bao.env("BAO_ADDR", address).env("BAO_MAX_RETRIES", "0");
            bao.envs(variables.iter().copied());
            process::run(&mut bao, BOUND).expect("bao runs")
        };
        let trust = ("BAO_CACERT", certificate.as_path());
        let client = [
            trust,
            ("BAO_CLIENT_CERT", certificate.as_path()),
            ("BAO_CLIENT_KEY", key.as_path()),
        ];
        assert!(!status(&[]).success(), "an unknown authority");
        assert_eq!(status(&[trust]).success(), !wants_certificate);
        let with_certificate = status(&client);
        assert!(with_certificate.success(), "{with_certificate:?}");
        let plain = server
            .api()
            .call("GET", "sys/health", None)
            .expect("answers");
        assert_eq!(plain.status, 200);
    }
}

#[test]
fn further_lines_reach_the_configuration() {
    let options = ServerOptions {
        listener_lines: vec!["max_request_json_strings = 5000".to_owned()],
        lines: vec!["disable_standby_reads = true".to_owned()],
        ..Default::default()
    };
    let server = server(&options);
    server.api().enable_transit("transit").expect("mounts");
    server
        .api()
        .ok("POST", "transit/keys/k", Some(&json!({})))
        .expect("makes");
    let items = vec![json!({"plaintext": "YQ=="}); 600];
    let body = json!({"batch_input": items});
    server
        .api()
        .ok("POST", "transit/encrypt/k", Some(&body))
        .expect("a large batch passes");
}

#[test]
fn servers_run_side_by_side() {
    let one = server(&ServerOptions::default());
    let two = server(&ServerOptions::default());
    assert_ne!(one.address(), two.address());
    assert_ne!(one.root_token(), two.root_token());
    let crossed = one.api().with_token(two.root_token());
    assert_eq!(
        crossed
            .call("GET", "sys/mounts", None)
            .expect("answers")
            .status,
        403
    );
}

#[test]
fn a_dropped_server_is_gone_with_its_folder() {
    let server = server(&ServerOptions::default());
    let (api, folder) = (server.api().clone(), server.folder().to_owned());
    drop(server);
    assert!(api.call("GET", "sys/health", None).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_cluster_survives_the_loss_of_its_leader() {
    let tools = Tools::locate().expect("tools");
    let started = Instant::now();
    let mut cluster = Cluster::start(&tools, 3, &ServerOptions::default()).expect("starts");
    eprintln!("three voters after {:.1?}", started.elapsed());
    let leader = cluster.await_leader().expect("a leader");
    assert_ne!(cluster.await_standby().expect("a standby"), leader);
    let api = cluster.api(leader);
    api.enable_kv2("planton").expect("mounts");
    api.ok("POST", "planton/data/x", Some(&json!({"data": {"a": "b"}})))
        .expect("writes");

    let killed = Instant::now();
    assert_eq!(cluster.kill_leader().expect("kills"), leader);
    let next = cluster.await_leader().expect("another leader");
    eprintln!("another leader after {:.1?}", killed.elapsed());
    assert_ne!(next, leader);
    let read = cluster
        .api(next)
        .ok("GET", "planton/data/x", None)
        .expect("reads");
    assert_eq!(read["data"]["data"]["a"], "b");

    cluster.restart(leader).expect("restarts");
    cluster.await_voters(3).expect("three again");
    assert!(
        cluster
            .audit_log()
            .expect("reads")
            .contains("planton/data/x")
    );
}

#[test]
fn a_server_that_ends_by_itself_is_an_error_with_its_log() {
    let tools = Tools::locate().expect("tools");
    let options = ServerOptions {
        lines: vec!["nonsense {".to_owned()],
        ..Default::default()
    };
    let started = Instant::now();
    let error = OpenBao::start(&tools, &options)
        .expect_err("ends")
        .to_string();
    assert!(
        error.contains("ended: ") && error.contains("config.hcl"),
        "{error}"
    );
    assert!(started.elapsed() < BOUND);
}
