#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use super::argument::{Argument, Form};
use super::arguments::CONNECTION;
use super::*;
use crate::openbao::kind::VaultKind;
use crate::registration::{Change, Field, Holds};

const PLATFORM: ConnectionBlock = ConnectionBlock::Platform;
const BACKENDS: [ConnectionBlock; 2] = [
    ConnectionBlock::Backend(VaultKind::OpenBao),
    ConnectionBlock::Backend(VaultKind::HashiCorpVault),
];

/// Texts by their dotted path; the parents of a path are blocks.
struct Texts(BTreeMap<&'static str, &'static str>);

impl Texts {
    /// Adds to what both blocks require.
    fn with(more: &[(&'static str, &'static str)]) -> Self {
        let address = [("address", "https://vault.example.com")];
        Self(address.iter().chain(more).copied().collect())
    }
}

impl ConnectionSource for Texts {
    fn given(&self, path: &[&str]) -> Given<'_> {
        let path = path.join(".");
        match self.0.get(&*path) {
            Some(text) => Given::Text(text),
            None if self
                .0
                .keys()
                .any(|key| key.starts_with(&format!("{path}."))) =>
            {
                Given::Block
            }
            None => Given::Absent,
        }
    }

    fn variable(&self, variables: &[&str]) -> Option<String> {
        let set = variables.iter().find_map(|name| self.0.get(name));
        set.map(|text| (*text).to_owned())
    }
}

fn fields_of(block: ConnectionBlock) -> &'static [Field] {
    match block {
        ConnectionBlock::Platform => &PLATFORM_FIELDS,
        ConnectionBlock::Backend(VaultKind::OpenBao) => &OPENBAO_FIELDS,
        ConnectionBlock::Backend(VaultKind::HashiCorpVault) => &VAULT_FIELDS,
        ConnectionBlock::Key => &TRANSIT_KEY_FIELDS,
    }
}

fn assert_described(argument: &Argument, block: ConnectionBlock, fields: &[Field]) {
    let Some(expected) = argument.field(block) else {
        return;
    };
    let field = fields.iter().find(|field| field.name == expected.name);
    let field = field.unwrap_or_else(|| panic!("{block:?} lacks {}", expected.name));
    assert_eq!(field.documentation(), expected.documentation());
    if let Form::Login(login) = argument.form {
        let Holds::Block(nested) = field.holds else {
            panic!("{} is a block", field.name)
        };
        for argument in login.arguments {
            assert_described(argument, block, nested);
        }
    }
}

#[test]
fn every_argument_appears_in_each_block_that_has_it() {
    for block in [PLATFORM, BACKENDS[0], BACKENDS[1]] {
        let fields = fields_of(block);
        for argument in &CONNECTION {
            assert_described(argument, block, fields);
        }
        let described = CONNECTION.iter().filter(|a| a.field(block).is_some());
        assert_eq!(fields.len(), described.count());
    }
}

/// An argument that one block lacks is a decision, and is listed here.
#[test]
fn the_blocks_differ_in_these_arguments_only() {
    let names = |block| {
        let fields = fields_of(block).iter();
        fields.map(|field| field.name).collect::<Vec<_>>()
    };
    let platform = names(PLATFORM);
    for backend in BACKENDS {
        let backend = names(backend);
        let only_platform = platform.iter().filter(|name| !backend.contains(name));
        assert_eq!(
            only_platform.collect::<Vec<_>>(),
            [
                &"transit_mount_path",
                &"key_rotation_period",
                &"token",
                &"token_file"
            ]
        );
        let only_backend = backend.iter().filter(|name| !platform.contains(name));
        assert_eq!(only_backend.collect::<Vec<_>>(), [&"token_wo"]);
    }
}

#[test]
fn a_key_has_the_connection_of_a_backend_and_its_own_place() {
    let names = |block| {
        let fields = fields_of(block).iter();
        fields.map(|field| field.name).collect::<Vec<_>>()
    };
    let (key, backend) = (names(ConnectionBlock::Key), names(BACKENDS[1]));
    let only_key = key.iter().filter(|name| !backend.contains(name));
    assert_eq!(only_key.collect::<Vec<_>>(), [&"mount_path", &"key_name"]);
    let only_backend = backend.iter().filter(|name| !key.contains(name));
    assert_eq!(only_backend.collect::<Vec<_>>(), [&"kv_mount_path"]);
    // A key replaces nothing.
    let fields = fields_of(ConnectionBlock::Key).iter();
    assert!(
        fields
            .copied()
            .all(|field| field.change != Change::Replaces)
    );
}

#[test]
fn an_argument_is_described_alike_in_both_blocks() {
    for argument in &CONNECTION {
        let Some(platform) = argument.field(PLATFORM) else {
            continue;
        };
        for backend in BACKENDS.iter().filter_map(|block| argument.field(*block)) {
            assert_eq!(platform.description, backend.description);
            let secret = |field: Field| matches!(field.change, Change::Credential(_));
            assert_eq!(secret(platform), secret(backend), "{}", platform.name);
        }
    }
}

#[test]
fn the_form_of_an_argument_is_checked_in_both_blocks() {
    for block in [PLATFORM, BACKENDS[0], BACKENDS[1], ConnectionBlock::Key] {
        for argument in &CONNECTION {
            let Some(field) = argument.field(block) else {
                continue;
            };
            let bad = match argument.form {
                Form::Address | Form::Certificates => "hunter2",
                Form::Namespace | Form::Mount => "hunter2 !",
                Form::Key => "hunter2/",
                Form::Period => "hunter2d",
                Form::Path => "~/hunter2",
                Form::Secret | Form::Text => " ",
                Form::Login(_) => continue,
            };
            let problems = validate_connection(block, &Texts::with(&[(field.name, bad)]));
            let problem = problems.iter().find(|p| p.setting == field.name);
            let problem = problem.unwrap_or_else(|| panic!("{block:?} accepts {}", field.name));
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }
}

#[test]
fn a_variable_and_a_default_stand_in_for_an_absent_argument() {
    let given = Texts::with(&[("BAO_NAMESPACE", "team"), ("PLANTON_CACERT", "/ca.pem")]);
    let connection = Connection::read(PLATFORM, &given).unwrap();
    assert_eq!(connection.namespace(), Some("team"));
    assert!(matches!(connection.authorities, Authorities::File(file) if file == "/ca.pem"));
    let connection = Connection::read(PLATFORM, &Texts::with(&[])).unwrap();
    assert_eq!(connection.kv_mount_path().as_str(), "planton");
    assert_eq!(connection.transit_mount_path().as_str(), "transit");
    let missing = Connection::read(PLATFORM, &Texts(BTreeMap::new())).unwrap_err();
    assert_eq!(missing.kind, ConnectionProblemKind::Missing);
}

#[test]
fn a_rotation_period_is_a_duration_of_an_hour_or_more_or_off() {
    let read = |text: &'static str| {
        let texts = Texts::with(&[("key_rotation_period", text)]);
        let connection = Connection::read(PLATFORM, &texts);
        connection.map(|connection| connection.key_rotation_period())
    };
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
    for (text, period) in [
        ("90d", hours(90 * 24)),
        ("2160h", hours(90 * 24)),
        ("1h", hours(1)),
        ("2w", hours(14 * 24)),
        ("1d 12h", hours(36)),
        ("90m", Some(Duration::from_secs(90 * 60))),
        ("36500d", hours(36_500 * 24)),
        ("0", None),
    ] {
        assert_eq!(read(text).unwrap(), period, "{text}");
    }
    for bad in [
        "59m", "0h", "-90d", "90", "1y", "3 months", "36501d", "1.5s", "2h 1ms", "d", "",
    ] {
        let problem = read(bad).unwrap_err();
        assert_eq!(problem.kind, ConnectionProblemKind::Period, "{bad}");
    }
    let absent = Connection::read(PLATFORM, &Texts::with(&[])).unwrap();
    let default = Some(crate::openbao::DEFAULT_ROTATION_PERIOD);
    assert_eq!(absent.key_rotation_period(), default);
}

#[test]
fn the_documentation_has_default_variables_and_effect() {
    let of = |fields: &[Field], name| {
        let mut fields = fields.iter();
        fields.find(|f| f.name == name).unwrap().documentation()
    };
    assert_eq!(
        of(&PLATFORM_FIELDS, "kv_mount_path"),
        "Mount path of the KV version 2 secrets engine. Default: `planton`. Can also be set with \
         `PLANTON_KV_MOUNT_PATH`."
    );
    assert_eq!(
        of(&OPENBAO_FIELDS, "kv_mount_path"),
        "Mount path of the KV version 2 secrets engine. Default: `secret`. A change replaces the \
         backend."
    );
}
