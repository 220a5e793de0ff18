//! Runs the printed command of a Transit key with the real tool, on a real server.

use serde_json::json;
use xtask::openbao::{OpenBao, ServerOptions};

use super::*;

#[test]
fn the_command_of_a_transit_key_unwraps_with_bao_itself() {
    let folder = Folder::new();
    let tools = Tools::locate().expect("tools");
    fs::remove_file(folder.path("bao")).expect("the stand-in is removed");
    std::os::unix::fs::symlink(tools.bao(), folder.path("bao")).expect("linked");
    let server = OpenBao::start(&tools, &ServerOptions::default()).expect("a server");
    let key = "transit/keys/planton-acme";
    let derived = json!({"type": "aes256-gcm96", "derived": true});
    server.api().enable_transit("transit").expect("an engine");
    server.api().ok("POST", key, Some(&derived)).expect("a key");

    let plaintext = SecretValue::Text(text(1).as_str().into()).to_plaintext();
    let sealer = Sealer::new(context(1), &plaintext).expect("sealed");
    let id = KekId {
        provider: "transit".to_owned(),
        id: "transit/planton-acme".to_owned(),
    };
    let item = json!({
        "plaintext": STANDARD.encode(sealer.data_key().expose()),
        "context": STANDARD.encode(sealer.binding(&id).as_bytes()),
    });
    let encrypt = "transit/encrypt/planton-acme";
    let answer = server.api().ok("POST", encrypt, Some(&item));
    let answer = answer.expect("encrypted");
    let wrapped = answer["data"]["ciphertext"].as_str().expect("a ciphertext");
    let wraps = vec![(id, WrappedKey::new(wrapped.as_bytes().to_vec()))];
    let envelope = sealer.seal(wraps).expect("sealed").encode_text();
    fs::write(folder.path("envelope"), format!("{envelope}\n")).expect("written");

    let printed = stdout(&folder.script(&["--commands"], b""));
    let command = printed.lines().find(|line| !line.starts_with('#'));
    let unwrapped = folder
        .shell(command.expect("a command"))
        .env("BAO_ADDR", server.address())
        .env("BAO_TOKEN", server.root_token())
        .output()
        .expect("bash");
    assert!(unwrapped.status.success(), "{unwrapped:?}");
    let opened = folder.script(&["--data-key", "-"], &unwrapped.stdout);
    assert_eq!(stdout(&opened), text(1));
}
