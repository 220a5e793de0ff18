//! Checks SECURITY.md.

use std::fs;
use std::path::Path;

/// Every test that SECURITY.md names must exist.
#[test]
fn the_threat_model_names_only_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    let mut folders = ["src", "crates", "tests"]
        .map(|name| root.join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let named: Vec<&str> = rows
        .flat_map(|row| {
            row.rsplit('|')
                .nth(1)
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .collect();
    assert!(named.len() > 30, "{named:?}");
    for test in named {
        assert!(code.contains(&format!("fn {test}(")), "no test {test}");
    }
}
