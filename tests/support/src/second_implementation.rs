//! Opens and seals many envelopes with tests/vectors/open_envelope.py, in one process of
//! Python that is never given a data key. The script's `--data-key` is for a person with a
//! vendor's command line; nothing here uses it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use planton_core::kek::{KeyEncryptionKey, WrapNames, WrapObject};
use planton_core::names::SecretName;
use planton_envelope::{Context, Envelope, Purpose, Sealer, SecretValue};
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::tools::Tools;

/// How many envelopes go each way.
pub const ENVELOPES: usize = 1_000;

/// How many requests of ours to a service run at once.
const AT_ONCE: usize = 16;

/// Opens each envelope with the key alone.
const OPEN: &str = r#"
def each(line):
    stored = line.strip().encode()
    claim = dict(pse.Envelope(stored).claim, extension=None)
    try:
        return json.dumps(pse.open_with(kek, stored, claim))
    except pse.Refused:
        return json.dumps(None)
"#;

/// Seals each text under a DEK of its own, and wraps it.
const SEAL: &str = r#"
def each(line):
    asked = json.loads(line)
    plaintext, data_key = pse.write_value(asked["text"]), os.urandom(32)
    salt = pse.mac32(os.urandom(32), b"PSE1-SALT" + data_key + plaintext)
    ctx = pse.encode_context(asked["context"])
    encryption, commitment, _ = pse.derive(data_key, salt, ctx)
    length = len(plaintext).to_bytes(4, "big")
    sealed = pse.AESGCM(encryption).encrypt(bytes(12), plaintext, ctx + length)
    binding = pse.wrap_binding(ctx, kek.provider, kek.kek_id, commitment)
    names = [asked["names"]] if kek.provider == "aws_kms" else []
    wrapped = kek.wrap(data_key, binding, *names)
    stored = b"PSE1" + ctx[:1] + b"\x01" + ctx[1:60]
    for part in (kek.provider.encode(), kek.kek_id.encode(), wrapped):
        stored += pse.lp(part)
    return pse.to_text(stored + salt + commitment + length + sealed).decode()
"#;

/// Prints what a script makes of each line, in order. Most of the time is spent on waiting
/// for a service.
const RUN: &str = r#"
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    for printed in pool.map(each, sys.stdin):
        print(printed)
"#;

/// A KEK of the second implementation: a class, and the arguments of its constructor.
#[derive(Clone, Debug)]
pub struct SecondImplementation {
    class: String,
    definition: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl SecondImplementation {
    /// Names a class of tests/vectors/open_envelope.py, such as `pse.TransitKek`, or one that
    /// [`defined`](Self::defined) adds.
    #[must_use]
    pub fn new(class: &str, arguments: &[&str]) -> Self {
        Self {
            class: class.to_owned(),
            definition: "",
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            environment: Vec::new(),
        }
    }

    /// Defines the class, in Python.
    #[must_use]
    pub fn defined(self, definition: &'static str) -> Self {
        Self { definition, ..self }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Opens envelopes in text form; one that is refused gives null.
    #[must_use]
    pub fn open(&self, envelopes: &[String]) -> Vec<Value> {
        let printed = self.run(OPEN, envelopes);
        let values = printed.iter();
        let values = values.map(|line| serde_json::from_str(line).expect("a line of JSON"));
        values.collect()
    }

    /// Runs a script that reads lines. Returns the lines that it prints.
    fn run(&self, script: &str, lines: &[String]) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let script = format!(
            "import json, os, sys\nsys.path.insert(0, \"tests/vectors\")\n\
             import open_envelope as pse\n{}\nkek = {}(*sys.argv[1:])\n{script}{RUN}",
            self.definition, self.class
        );
        let mut process = Command::new(Tools::locate().unwrap().python())
            .args(["-B", "-c", &script])
            .args(&self.arguments)
            .current_dir(root)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        let lines = lines.join("\n");
        let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
        let output = process.wait_with_output().unwrap();
        writing.join().unwrap();
        assert!(output.status.success(), "the script failed");
        let printed = String::from_utf8(output.stdout).unwrap();
        printed.lines().map(str::to_owned).collect()
    }

    /// Seals 1,000 envelopes under `kek`, and expects that Python opens them. A further one
    /// has the wrap of another version, and is refused.
    ///
    /// # Panics
    ///
    /// If one opens as another value, or does not open.
    pub async fn opens_what_is_sealed_under(&self, kek: &dyn KeyEncryptionKey) {
        let names = names();
        let sealing = (0..=ENVELOPES).map(|at| seal(kek, &names, at));
        let mut sealed: Vec<Envelope> = stream::iter(sealing).buffered(AT_ONCE).collect().await;
        let moved = sealed[0].wrapped_keys().to_vec();
        sealed[ENVELOPES].replace_wrapped_keys(moved).unwrap();
        let lines: Vec<_> = sealed.iter().map(Envelope::encode_text).collect();
        let expected = (0..ENVELOPES).map(|at| json!(text(at)));
        assert!(
            self.open(&lines)
                .into_iter()
                .eq(expected.chain([Value::Null]))
        );
    }

    /// Lets Python seal 1,000 envelopes, and expects that they open under `kek`.
    ///
    /// # Panics
    ///
    /// If one opens as another value, or does not open.
    pub async fn seals_what_opens_under(&self, kek: &dyn KeyEncryptionKey) {
        let lines: Vec<_> = (0..ENVELOPES).map(|at| asked(at).to_string()).collect();
        let sealed = self.run(SEAL, &lines);
        assert_eq!(sealed.len(), ENVELOPES);
        let names = names();
        let opening = sealed.iter().enumerate();
        let opening = opening.map(|(at, stored)| expect_opens(kek, &names, at, stored));
        let opened: Vec<()> = stream::iter(opening).buffered(AT_ONCE).collect().await;
        assert_eq!(opened.len(), ENVELOPES);
    }
}

/// Returns the context of a version.
#[must_use]
pub fn context(version: usize) -> Context {
    Context {
        purpose: Purpose::Secret,
        organization: Uuid::from_bytes([1; 16]),
        object: Uuid::from_bytes([2; 16]),
        backend: Uuid::from_bytes([3; 16]),
        version: version as u64,
        extension: None,
    }
}

/// Returns the value of a version.
#[must_use]
pub fn text(at: usize) -> String {
    format!("value {at} \"grüße\"")
}

/// Names the secret.
#[must_use]
pub fn names() -> WrapNames {
    WrapNames::secret(&"acme".parse().unwrap(), &"prod/db".parse().unwrap())
}

/// Seals a version under `kek`.
pub async fn seal(kek: &dyn KeyEncryptionKey, names: &WrapNames, at: usize) -> Envelope {
    let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
    let sealer = Sealer::new(context(at), &plaintext).unwrap();
    let bound = names.bound(sealer.binding(kek.id()));
    let wrapped = kek.wrap(sealer.data_key(), bound).await.unwrap();
    sealer.seal(vec![(kek.id().clone(), wrapped)]).unwrap()
}

/// Returns what Python needs to seal a version.
fn asked(at: usize) -> Value {
    let Context {
        organization,
        object,
        backend,
        ..
    } = context(at);
    let names = names();
    let Some(WrapObject::Secret(SecretName { environment, name })) = names.object else {
        panic!("the names are those of a secret");
    };
    json!({
        "text": text(at),
        "context": {
            "purpose": 1,
            "organization": organization,
            "object": object,
            "backend": backend,
            "version": at,
            "extension": null,
        },
        "names": {
            "planton:organization": names.organization.as_str(),
            "planton:environment": environment.map(|slug| slug.to_string()),
            "planton:secret": name.as_str(),
            "planton:purpose": "secret",
        },
    })
}

async fn expect_opens(kek: &dyn KeyEncryptionKey, names: &WrapNames, at: usize, stored: &str) {
    let envelope = Envelope::parse_stored(stored.as_bytes()).unwrap();
    let [(id, wrapped)] = envelope.wrapped_keys() else {
        panic!("it was wrapped once");
    };
    assert_eq!(id, kek.id());
    let bound = names.bound(envelope.binding_in(&context(at), id));
    let key = kek.unwrap(wrapped, bound).await.unwrap();
    let opened = envelope.open(&key, &context(at)).unwrap();
    let plaintext = SecretValue::Text(text(at).as_str().into()).to_plaintext();
    assert_eq!(opened.plaintext.expose(), plaintext.expose());
}
