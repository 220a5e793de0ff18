//! Opens an envelope with the command line of the second implementation, which prints a
//! command for each type of key, and takes what that command prints.

#![cfg(unix)]

mod bao;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use planton_core::kek::{KeyEncryptionKey as _, LocalKek};
use planton_envelope::{Envelope, KekId, Sealer, SecretValue, WrappedKey};
use planton_vendors::embedded::LocalKeyFile;
use tempfile::TempDir;
use test_support::second_implementation::{context, names, seal, text};
use xtask::tools::Tools;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/open_envelope.py"
);

/// Stands in for a vendor's tool: notes its arguments, those that are files with their content,
/// and prints what it is told to.
const TOOL: &str = r#"
import os, sys
def noted(argument):
    before, is_file, number = argument.partition("/dev/fd/")
    if not is_file:
        return argument
    with open(is_file + number, "rb") as file:
        return before + file.read().hex()
tool = os.path.basename(sys.argv[0])
with open(os.environ["NOTES"], "w") as notes:
    notes.write("\n".join([tool] + [noted(argument) for argument in sys.argv[1:]]))
sys.stdout.buffer.write(bytes.fromhex(os.environ["PRINTED"]))
"#;

/// What a tool prints of the DEK and the binding.
#[derive(Clone, Copy)]
enum Prints {
    Base64,
    Raw,
    RawBound,
    UrlBound,
}

struct Case {
    id: KekId,
    wrapped: Vec<u8>,
    prints: Prints,
    /// The arguments of the tool, and it first. `BINDING` stands for the binding.
    expected: Vec<String>,
}

fn case(provider: &str, id: &str, wrapped: &[u8], prints: Prints, expected: &[&str]) -> Case {
    Case {
        id: KekId {
            provider: provider.to_owned(),
            id: id.to_owned(),
        },
        wrapped: wrapped.to_vec(),
        prints,
        expected: expected.iter().map(|&text| text.to_owned()).collect(),
    }
}

/// A folder with an envelope and the tools.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let tools = Tools::locate().expect("tools");
        let tool = format!("#!{}\n{TOOL}", tools.python().display());
        for name in ["aws", "gcloud", "az", "bao", "age"] {
            let path = folder.path(name);
            fs::write(&path, &tool).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the script on the envelope.
    fn script(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut process = Command::new(Tools::locate().expect("tools").python())
            .args(["-B", SCRIPT])
            .args(arguments)
            .arg(self.path("envelope"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = process.stdin.take().expect("piped");
        // A script that refuses early reads nothing.
        let _unread = stdin.write_all(input);
        drop(stdin);
        process.wait_with_output().expect("ended")
    }

    /// Returns a shell that runs a printed command with the tools of the folder.
    fn shell(&self, command: &str) -> Command {
        let tools = std::env::var_os("PATH").unwrap_or_default();
        let all = [self.0.path().to_owned()].into_iter();
        let path = std::env::join_paths(all.chain(std::env::split_paths(&tools)));
        let mut shell = Command::new("bash");
        shell.args(["-euc", command]).current_dir(self.0.path());
        shell.env("PATH", path.expect("a path"));
        shell
    }

    /// Runs a printed command. Returns what the tool noted, and what it printed.
    fn run(&self, command: &str, printed: &[u8]) -> (Vec<String>, Vec<u8>) {
        let output = self
            .shell(command)
            .env("NOTES", self.path("notes"))
            .env("PRINTED", hex::encode(printed))
            .output()
            .expect("bash");
        assert!(output.status.success(), "{command}: {output:?}");
        let notes = fs::read_to_string(self.path("notes")).expect("notes");
        (notes.lines().map(str::to_owned).collect(), output.stdout)
    }
}

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn cases() -> Vec<Case> {
    let names = r#"{"planton:binding":"00","planton:secret":"it's $(exit 1)"}"#;
    let length = u16::try_from(names.len()).expect("short").to_be_bytes();
    let aws = [&[1], &length[..], names.as_bytes(), b"sealed"].concat();
    let gcp = [&[1, 0, 0, 0, 0, 0, 0, 0, 7][..], b"sealed"].concat();
    let azure = "https://acme.vault.azure.net/keys/planton/0123456789abcdef0123456789abcdef";
    let body = format!(
        r#"{{"alg": "RSA-OAEP-256", "value": "{}"}}"#,
        URL_SAFE_NO_PAD.encode([0xfb; 256])
    );
    let url = format!("{azure}/unwrapkey?api-version=7.4");
    let sealed = hex::encode("sealed");
    let arn = |region: &str| format!("arn:aws:kms:{region}:111122223333:key/mrk-12");
    let of_aws = |id: &str, region: &str| {
        let (key, blob) = (arn(region), format!("fileb://{sealed}"));
        let expected = [
            "aws",
            "kms",
            "decrypt",
            "--region",
            region,
            "--key-id",
            &key,
            "--ciphertext-blob",
            &blob,
            "--encryption-context",
            names,
            "--query",
            "Plaintext",
            "--output",
            "text",
        ];
        case("aws_kms", id, &aws, Prints::Base64, &expected)
    };
    let ciphertext = format!("--ciphertext-file={sealed}");
    let key = "projects/acme/locations/global/keyRings/a/cryptoKeys/b";
    let of_transit = |provider: &str, id: &str, more: &[&str], path: &str| {
        let common = [
            "-field=plaintext",
            path,
            "ciphertext=vault:v1:c2VhbGVk",
            "context=BINDING",
        ];
        let expected = [&["bao", "write"], more, &common].concat();
        case(
            provider,
            id,
            b"vault:v1:c2VhbGVk",
            Prints::Base64,
            &expected,
        )
    };
    vec![
        of_aws(&arn("eu-central-1"), "eu-central-1"),
        of_aws(&arn(""), "REGION"),
        case(
            "gcp_kms",
            key,
            &gcp,
            Prints::Raw,
            &[
                "gcloud",
                "kms",
                "decrypt",
                &format!("--key={key}"),
                &ciphertext,
                "--additional-authenticated-data-file=BINDING",
                "--plaintext-file=-",
            ],
        ),
        case(
            "azure_key_vault_key",
            azure,
            &[0xfb; 256],
            Prints::UrlBound,
            &[
                "az",
                "rest",
                "--method",
                "post",
                "--resource",
                "https://vault.azure.net",
                "--url",
                &url,
                "--body",
                &body,
                "--query",
                "value",
                "--output",
                "tsv",
            ],
        ),
        of_transit(
            "transit",
            "transit/planton-acme",
            &[],
            "transit/decrypt/planton-acme",
        ),
        of_transit(
            "vault_transit",
            "5a3c0b5e-9c1f-4a1c-8d0c-6f4a0c1b2d3e:team/a:transit/b:secrets",
            &["-namespace=team/a"],
            "transit/b/decrypt/secrets",
        ),
        case(
            "age",
            "0badcafe",
            b"sealed",
            Prints::RawBound,
            &["age", "--decrypt", "--identity", "IDENTITY_FILE", &sealed],
        ),
    ]
}

#[test]
fn each_printed_command_is_that_of_the_keys_service_and_its_output_opens_the_envelope() {
    let folder = Folder::new();
    for Case {
        id,
        wrapped,
        prints,
        expected,
    } in cases()
    {
        let plaintext = SecretValue::Text(text(1).as_str().into()).to_plaintext();
        let sealer = Sealer::new(context(1), &plaintext).expect("sealed");
        let binding = sealer.binding(&id);
        let data_key = sealer.data_key().expose().to_vec();
        let bound = sealer.data_key().with_binding(&binding).expose().to_vec();
        let wraps = vec![(id.clone(), WrappedKey::new(wrapped))];
        let envelope = sealer.seal(wraps).expect("sealed").encode_text();
        fs::write(folder.path("envelope"), format!("{envelope}\n")).expect("written");

        let printed = stdout(&folder.script(&["--commands"], b""));
        let mut lines = printed.lines().filter(|line| !line.starts_with('#'));
        let command = lines.next().expect("a command");
        assert_eq!(lines.next(), None, "{printed}");
        let answer = match prints {
            Prints::Base64 => format!("{}\n", STANDARD.encode(&data_key)).into_bytes(),
            Prints::Raw => data_key.clone(),
            Prints::RawBound => bound.clone(),
            Prints::UrlBound => format!("{}\n", URL_SAFE_NO_PAD.encode(&bound)).into_bytes(),
        };
        let (noted, unwrapped) = folder.run(command, &answer);
        let of_transit = id.provider.ends_with("transit");
        let binding = match of_transit {
            true => STANDARD.encode(binding.as_bytes()),
            false => hex::encode(binding.as_bytes()),
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|argument| argument.replace("BINDING", &binding))
            .collect();
        assert_eq!(noted, expected);
        let opened = folder.script(&["--data-key", "-"], &unwrapped);
        assert_eq!(stdout(&opened), text(1), "{}", id.provider);

        // Another DEK, and one that belongs to another binding.
        let mut other = bound.clone();
        other[63] ^= 1;
        for refused in [&[7; 32][..], &other, b"", b"an error message"] {
            let refused = folder.script(&["--data-key", "-"], refused);
            assert!(!refused.status.success() && refused.stdout.is_empty());
        }
    }
}

#[test]
fn a_forged_key_identifier_gets_no_command_and_the_other_keys_keep_theirs() {
    let folder = Folder::new();
    let forged = [
        (
            "azure_key_vault_key",
            "https://acme.vault.azure.net.evil.example/keys/a/0123",
        ),
        (
            "azure_key_vault_key",
            "https://evil.example/keys/a/0123?x=.vault.azure.net/keys/a/0123",
        ),
        (
            "azure_key_vault_key",
            "http://acme.vault.azure.net/keys/a/0123",
        ),
        ("transit", "-address=https://evil.example/x"),
        ("vault_transit", "uuid:-x:-address=https://evil.example:x"),
        ("vault_transit", "malformed"),
        (
            "gcp_kms",
            "projects/a\u{1b}[2K\r/locations/b/keyRings/c/cryptoKeys/d",
        ),
        ("aws_kms", "--endpoint-url=https://evil.example"),
        ("aws_kms", "arn:aws:kms:eu-central-1:111122223333:key/a\n"),
    ];
    for (provider, id) in forged {
        let plaintext = SecretValue::Text(text(1).as_str().into()).to_plaintext();
        let sealer = Sealer::new(context(1), &plaintext).expect("sealed");
        let keys = [(provider, id), ("transit", "transit/planton-acme")];
        let wraps = keys.map(|(provider, id)| {
            let id = KekId {
                provider: provider.to_owned(),
                id: id.to_owned(),
            };
            (id, WrappedKey::new(b"vault:v1:c2VhbGVk".to_vec()))
        });
        let wraps = wraps.to_vec();
        let envelope = sealer.seal(wraps).expect("sealed").encode_text();
        fs::write(folder.path("envelope"), format!("{envelope}\n")).expect("written");
        let printed = stdout(&folder.script(&["--commands"], b""));
        let commands: Vec<_> = printed.lines().filter(|it| !it.starts_with('#')).collect();
        assert_eq!(commands.len(), 1, "{printed}");
        assert!(
            commands[0].contains("transit/decrypt/planton-acme"),
            "{printed}"
        );
        assert!(
            printed.contains("no key identifier of that type"),
            "{printed}"
        );
        assert!(
            !printed.contains('\u{1b}') && !printed.contains('\r'),
            "{printed:?}"
        );
    }
}

#[tokio::test]
async fn a_key_file_opens_an_envelope_of_a_former_root_key() {
    let folder = Folder::new();
    let path = folder.path("planton.key");
    let file = LocalKeyFile::create(&path).expect("a key file");
    let kek = LocalKek::new(file.root_key(), &"acme".parse().expect("a slug"));
    let envelope: Envelope = seal(&kek, &names(), 3).await;
    assert_eq!(envelope.wrapped_keys()[0].0, *kek.id());
    fs::write(folder.path("envelope"), envelope.encode()).expect("written");
    LocalKeyFile::rotate(&path).expect("rotated");
    let opened = folder.script(&["--key-file", of(&path)], b"");
    assert_eq!(stdout(&opened), text(3));
}

fn of(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
