use super::drawn::{CORE, OPERATIONS, PLUGIN, PROVIDER, VENDORS};
use super::*;

fn violations(modules: &Modules, file: &str, text: &str) -> Vec<String> {
    modules.violations_of(&File {
        path: format!("{}/{file}", modules.folder),
        text: text.to_owned(),
    })
}

#[test]
fn the_arrows_have_no_cycle_and_name_known_modules() {
    fn walk<'a>(modules: &Modules, module: &'a str, above: &mut Vec<&'a str>) {
        assert!(!above.contains(&module), "a cycle: {above:?} {module}");
        above.push(module);
        let below = modules.allowed(module);
        let below = below.unwrap_or_else(|| panic!("{module} has no line"));
        below.iter().for_each(|below| walk(modules, below, above));
        above.pop();
    }
    // The use cases of secrets and of backends call each other.
    let layered = MODULES
        .iter()
        .filter(|modules| modules.folder != OPERATIONS.folder);
    for modules in layered {
        for (module, _) in modules.arrows {
            walk(modules, module, &mut Vec::new());
        }
    }
}

#[test]
fn every_module_has_its_line_and_every_line_its_module() {
    for modules in MODULES {
        assert_eq!(modules.without_a_line().expect("reads"), [""; 0]);
        assert_eq!(modules.without_a_module(), [""; 0]);
    }
    let fewer = Modules {
        arrows: &[("names", &[]), ("utils", &[])],
        ..CORE
    };
    let found = fewer.without_a_line().expect("reads");
    assert!(
        found
            .iter()
            .any(|told| told.contains("`catalog` has no line")),
        "{found:?}"
    );
    assert!(!found.iter().any(|told| told.contains("`names`")));
    let found = fewer.without_a_module();
    assert_eq!(found, ["crates/core/src: no module `utils`"]);
}

#[test]
fn arrows_that_are_not_drawn_are_refused_in_every_form() {
    for text in [
        "use crate::operations::rotate;",
        "use crate::{store::Put, operations};",
        "use crate::{\n    store::{Put, Get},\n    operations::{self, rotate},\n};",
        "fn f() { crate::operations::rotate() }",
        "use super::super::operations;",
        "pub use crate::operations as o;",
    ] {
        assert_eq!(
            violations(&CORE, "catalog/record.rs", text),
            ["crates/core/src/catalog/record.rs: `catalog` may not use `operations`"],
            "{text}"
        );
    }
    let found = violations(&CORE, "store/mod.rs", "use super::kek;");
    assert_eq!(found.len(), 1);
    let main = "use terraform_provider_planton::{cli, session};";
    assert_eq!(
        violations(&PROVIDER, "main.rs", main),
        ["src/main.rs: `main` may not use `session`"]
    );
}

#[test]
fn each_crate_has_arrows_that_are_refused() {
    for (modules, file, text) in [
        (
            &PROVIDER,
            "resources/secret/plan.rs",
            "use crate::provider::settings;",
        ),
        (
            &PROVIDER,
            "diagnostics/mod.rs",
            "use crate::session::Configured;",
        ),
        (&CORE, "kek/local.rs", "use crate::catalog::Stamp;"),
        (&VENDORS, "aws/client/mod.rs", "use crate::openbao::client;"),
        (&VENDORS, "http/mod.rs", "use crate::registration::Field;"),
        (&PLUGIN, "schema/mod.rs", "use crate::protocol::serve;"),
        (&PLUGIN, "value.rs", "use super::protocol::wire;"),
        (
            &OPERATIONS,
            "backends/view.rs",
            "use crate::operations::default_backend::DefaultSet;",
        ),
        (&OPERATIONS, "sealing.rs", "use super::secrets::drift;"),
        (
            &OPERATIONS,
            "backends/view.rs",
            "use super::super::default_backend;",
        ),
    ] {
        let found = violations(modules, file, text);
        assert_eq!(found.len(), 1, "{file} {text} {found:?}");
    }
}

#[test]
fn drawn_arrows_comments_and_tests_are_fine() {
    let text = "
        //! See [`crate::operations`].
        use crate::store::Put;
        // Unlike crate::operations.
        use crate::{names::Slug, error::Error};
        use super::compare_and_set;
        use crate::catalog::memory;
        pub(crate) fn g() { $crate::operations!(); other_crate::operations::f() }
    ";
    assert_eq!(violations(&CORE, "catalog/record.rs", text), [""; 0]);
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::operations;\n}";
    assert_eq!(violations(&CORE, "catalog/record.rs", tests), [""; 0]);
    let used = "use crate::operations;";
    assert_eq!(violations(&CORE, "catalog/record/tests.rs", used), [""; 0]);
    assert_eq!(violations(&CORE, "catalog/tests/races.rs", used), [""; 0]);
    assert_eq!(violations(&CORE, "lib.rs", "pub use crate::kek;"), [""; 0]);
    // A module inside `catalog` with the name of a sibling of `catalog`.
    let nested = "use super::store::Records;";
    assert_eq!(violations(&CORE, "catalog/memory/read.rs", nested), [""; 0]);
}

#[test]
fn the_workspace_has_no_other_arrows() {
    assert_eq!(super::violations().expect("reads"), [""; 0]);
}
