use super::*;

fn package(folder: &Path, name: &str, license: &str) -> Crate {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).expect("creates");
    Crate {
        id: (name.to_owned(), "1.0.0".to_owned()),
        license: license.to_owned(),
        repository: "https://example.com/nowhere".to_owned(),
        folder,
    }
}

#[test]
fn a_text_is_printed_once_below_all_its_crates() {
    let root = tempfile::tempdir().expect("temp dir");
    let [first, second, third] =
        ["first", "second", "third"].map(|name| package(root.path(), name, "MIT"));
    fs::write(first.folder.join("LICENSE"), "Shared text\r\n").expect("writes");
    fs::write(second.folder.join("LICENSE-MIT"), "Shared text\n\n").expect("writes");
    fs::write(third.folder.join("copying.txt"), "Other text\n").expect("writes");

    let notices = notices(&[first, second, third]).expect("all have texts");
    assert_eq!(notices.matches("Shared text").count(), 1, "{notices}");
    assert!(
        notices.contains("first 1.0.0 (MIT)\nsecond 1.0.0 (MIT)\n-----"),
        "{notices}"
    );
    assert!(notices.contains("Other text"), "{notices}");
    assert!(notices.contains("Rich Felker"), "{notices}");
}

#[test]
fn licenses_of_included_libraries_count_and_source_files_do_not() {
    let root = tempfile::tempdir().expect("temp dir");
    let one = package(root.path(), "sys", "ISC");
    let library = one.folder.join("library/third_party");
    fs::create_dir_all(&library).expect("creates");
    fs::write(one.folder.join("LICENSE"), "outer").expect("writes");
    fs::write(library.join("NOTICE"), "inner").expect("writes");
    fs::write(library.join("license.rs"), "mod x;").expect("writes");
    let texts = license_texts(&one).expect("has texts");
    assert_eq!(texts, ["inner", "outer"].map(str::to_owned).into());
}

#[test]
fn a_crate_without_a_license_text_fails_unless_its_copyright_is_known() {
    let root = tempfile::tempdir().expect("temp dir");
    let mut one = package(root.path(), "bare", "MIT");
    let error = license_texts(&one).expect_err("no text").to_string();
    assert!(error.contains("bare 1.0.0 (MIT)"), "{error}");
    assert!(error.contains(&one.repository), "{error}");

    one.repository = MIT_COPYRIGHTS[0].0.to_owned();
    let texts = license_texts(&one).expect("is known");
    let text = texts.first().expect("one");
    assert!(text.contains(MIT_COPYRIGHTS[0].1), "{text}");
    assert!(text.contains("WITHOUT WARRANTY OF ANY KIND"), "{text}");

    one.license = "Apache-2.0".to_owned();
    let texts = license_texts(&one).expect("the standard text");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("Version 2.0, January 2004"))
    );
}

#[test]
fn only_linked_crates_of_others_are_listed() {
    let package = |name: &str, source: Value| {
        serde_json::json!({
            "name": name, "version": "1.0.0", "source": source, "license": "MIT",
            "repository": null, "manifest_path": format!("/crates/{name}/Cargo.toml"),
        })
    };
    let registry = Value::from("registry");
    let metadata = serde_json::json!({ "packages": [
        package("linked", registry.clone()),
        package("for-tests", registry),
        package("our-own", Value::Null),
    ] });
    let tree = "our-own v1.0.0 (/here)\nlinked v1.0.0 (proc-macro)\nlinked v1.0.0 (*)\n";
    let linked = tree.lines().filter_map(crate_id).collect();
    let crates = crates(&metadata, &linked);
    let [one] = &crates[..] else {
        panic!("{crates:?}");
    };
    assert_eq!(one.id.0, "linked");
    assert_eq!(one.folder, Path::new("/crates/linked"));
}
