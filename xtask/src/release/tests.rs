use std::fs;

use serde_json::{Value, json};
use xtask::paths;

use super::TARGETS;

const MANIFEST: &str = "terraform-registry-manifest.json";
/// The values of `GoReleaser`'s templates for version 1.2.3 on Linux amd64.
const VALUES: [(&str, &str); 6] = [
    ("{{ .ProjectName }}", "terraform-provider-planton"),
    ("{{ .Version }}", "1.2.3"),
    ("{{ .Os }}", "linux"),
    ("{{ .Arch }}", "amd64"),
    ("${artifact}", "terraform-provider-planton_1.2.3_SHA256SUMS"),
    ("${signature}", "(the signature)"),
];

fn read(name: &str) -> String {
    fs::read_to_string(paths::repository().join(name)).expect("the file is there")
}

/// Returns the lines of a top-level key, without comments, indentation and quotes, and
/// with templates filled in.
///
/// It parses lines, because the harness has no YAML parser. Another style of YAML fails
/// a test.
fn section(key: &str) -> Vec<String> {
    let text = read(".goreleaser.yaml");
    let heading = format!("{key}:");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let inside = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    let plain = inside.map(|line| line.trim().replace('"', ""));
    let plain = plain.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let filled = plain.map(|line| {
        let fill = |line: String, (template, value): (&str, &str)| line.replace(template, value);
        VALUES.into_iter().fold(line, fill)
    });
    filled.collect()
}

#[track_caller]
fn assert_has(key: &str, expected: &[&str]) {
    let lines = section(key);
    let found = lines
        .windows(expected.len())
        .any(|window| window == expected);
    assert!(found, "{expected:#?} is not in {key}: {lines:#?}");
}

#[test]
fn the_manifest_tells_the_registry_protocol_6() {
    let manifest: Value = serde_json::from_str(&read(MANIFEST)).expect("JSON");
    let expected = json!({ "version": 1, "metadata": { "protocol_versions": ["6.0"] } });
    assert_eq!(manifest, expected);
}

#[test]
fn the_manifest_is_hashed_and_released_under_the_name_that_the_registry_reads() {
    let expected = [
        "extra_files:",
        "- glob: terraform-registry-manifest.json",
        "name_template: terraform-provider-planton_1.2.3_manifest.json",
    ];
    assert_has("checksum", &expected);
    assert_has("release", &expected);
}

#[test]
fn archives_and_their_binary_are_named_as_the_registry_reads_them() {
    let text = read(".goreleaser.yaml");
    let project = "project_name: terraform-provider-planton";
    assert!(text.lines().any(|line| line == project));
    assert_has(
        "archives",
        &[
            "- formats: [zip]",
            "name_template: terraform-provider-planton_1.2.3_linux_amd64",
        ],
    );
    // Cargo sets the name of the binary, and GoReleaser finds no other.
    assert_has("builds", &["binary: terraform-provider-planton"]);
}

#[test]
fn builds_list_their_dependencies_and_archives_the_licenses() {
    assert_has("builds", &["command: release-build"]);
    let alias = "release-build = \"auditable zigbuild\"";
    let cargo = read(".cargo/config.toml");
    assert!(cargo.lines().any(|line| line == alias), "{cargo}");

    assert_has("before", &["hooks:", "- cargo xtask notices"]);
    let files = [
        "files:",
        "- LICENSE",
        "- src: target/THIRD-PARTY-NOTICES.txt",
        "strip_parent: true",
    ];
    assert_has("archives", &files);
}

#[test]
fn what_is_built_is_also_what_licenses_and_advisories_are_checked_for() {
    let builds = TARGETS.map(|target| format!("- {target}"));
    let lines = section("builds");
    let from = lines.iter().position(|line| line == "targets:");
    let from = from.expect("builds have targets") + 1;
    assert_eq!(&lines[from..], builds);

    let deny = read("deny.toml");
    let list = deny.split_once("targets = [").expect("a list of targets").1;
    let list = list.split_once(']').expect("the list ends").0;
    let checked: Vec<_> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(checked, TARGETS);
}

#[test]
fn checksums_are_signed_as_the_registry_verifies_them() {
    let sums = "name_template: terraform-provider-planton_1.2.3_SHA256SUMS";
    assert_has("checksum", &[sums, "algorithm: sha256"]);
    assert_has(
        "signs",
        &[
            "- artifacts: checksum",
            "signature: terraform-provider-planton_1.2.3_SHA256SUMS.sig",
            "cmd: gpg",
        ],
    );
    // The registries reject an armored signature.
    assert_has(
        "signs",
        &[
            "- --output",
            "- (the signature)",
            "- --detach-sign",
            "- terraform-provider-planton_1.2.3_SHA256SUMS",
        ],
    );
    assert!(!section("signs").iter().any(|line| line.contains("armor")));
}
