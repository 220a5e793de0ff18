//! Properties of object names: no two objects share a name.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::store::conformance::names::{SEPARATORS, SHORTEST_LIMIT};

/// Kind of an object in a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Secret { environment: Option<String> },
    Backend,
    Probe,
}

/// Everything that distinguishes an object from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    prefix: String,
    organization: String,
    kind: Kind,
    name: String,
    digits: String,
}

/// Returns the naming rules of any vendor: each separator, with limits that cut nearly all
/// names, some, few and none.
fn vendors() -> impl Iterator<Item = NameRules> {
    let limits = [SHORTEST_LIMIT, 127, 255, 512];
    let rules = move |separator| {
        limits.map(|max_bytes| NameRules {
            separator,
            max_bytes,
        })
    };
    SEPARATORS.into_iter().flat_map(rules)
}

impl Object {
    fn remote_name(&self, rules: NameRules) -> String {
        let slug = |text: &str| Slug::parse(text).expect("a slug");
        let other = |kind: &str| {
            let leaf = format!("{}-{}", self.name, self.digits);
            object_name(&[&self.prefix, &self.organization, kind, &leaf], rules)
        };
        let name = match &self.kind {
            Kind::Secret { environment } => {
                let name = SecretName {
                    environment: environment.as_deref().map(slug),
                    name: slug(&self.name),
                };
                let organization = slug(&self.organization);
                remote_name(&self.prefix, &organization, &name, &self.digits, rules)
            }
            // As `backends::probe` names them.
            Kind::Backend => other("backend"),
            Kind::Probe => other("probe"),
        };
        name.as_str().to_owned()
    }

    /// Returns the object of a name; `None` for a name that was cut, or whose parts contain
    /// the separator. Such a name ends in 16 digits, and every other in 8.
    fn parse(name: &str, separator: &str) -> Option<Self> {
        let (rest, digits) = name.rsplit_once('-')?;
        if digits.len() != 8 {
            return None;
        }
        let parts: Vec<_> = rest.split(separator).collect();
        let (prefix, organization, kind, name) = match parts[..] {
            [prefix, organization, "env", environment, name] => {
                let environment = Some(environment.to_owned());
                (prefix, organization, Kind::Secret { environment }, name)
            }
            [prefix, organization, kind, name] => {
                let kind = match kind {
                    "org" => Kind::Secret { environment: None },
                    "backend" => Kind::Backend,
                    "probe" => Kind::Probe,
                    _ => return None,
                };
                (prefix, organization, kind, name)
            }
            _ => return None,
        };
        Some(Self {
            prefix: prefix.to_owned(),
            organization: organization.to_owned(),
            kind,
            name: name.to_owned(),
            digits: digits.to_owned(),
        })
    }

    fn parts(&self) -> Vec<String> {
        let leaf = format!("{}-{}", self.name, self.digits);
        let kind = match &self.kind {
            Kind::Secret { environment: None } => vec!["org"],
            Kind::Secret {
                environment: Some(environment),
            } => vec!["env", environment],
            Kind::Backend => vec!["backend"],
            Kind::Probe => vec!["probe"],
        };
        let whole = [&[&*self.prefix, &*self.organization], &kind[..], &[&*leaf]].concat();
        whole.into_iter().map(str::to_owned).collect()
    }
}

/// Generates any slug, and more often one that resembles a part of another name.
fn slug() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        // Long ones, which are cut.
        "[a-z0-9][-a-z0-9]{55,61}[a-z0-9]",
        "[ab](-{0,3}[ab]){0,3}",
        "(org|env|backend|probe)(--(org|env|backend|probe|a)){0,2}",
        // Slugs that resemble a digest, or a secret's digits.
        "(a|org)-[0-9a-f]{8}([0-9a-f]{8})?",
    ]
}

fn object() -> impl Strategy<Value = Object> {
    let kind = prop_oneof![
        4 => option::of(slug()).prop_map(|environment| Kind::Secret { environment }),
        1 => Just(Kind::Backend),
        1 => Just(Kind::Probe),
    ];
    let digits = prop_oneof!["[0-9a-f]{8}", Just("00000000".to_owned())];
    let prefix = prop_oneof![Just(NAME_PREFIX.to_owned()), slug()];
    (prefix, slug(), kind, slug(), digits).prop_map(|(prefix, organization, kind, name, digits)| {
        Object {
            prefix,
            organization,
            kind,
            name,
            digits,
        }
    })
}

/// Returns objects with the same text in differently split parts.
fn neighbours(object: &Object) -> Vec<Object> {
    let mut all = vec![object.clone()];
    for kind in [
        Kind::Secret { environment: None },
        Kind::Backend,
        Kind::Probe,
    ] {
        all.push(Object {
            kind,
            ..object.clone()
        });
    }
    let words = [&object.organization, &object.name].map(String::as_str);
    let joined = words.join("--");
    let pieces: Vec<_> = joined.split("--").collect();
    for at in 1..pieces.len() {
        let (organization, name) = (pieces[..at].join("--"), pieces[at..].join("--"));
        if [&organization, &name].map(|text| Slug::parse(text).is_ok()) == [true, true] {
            let moved = Object {
                organization,
                name,
                ..object.clone()
            };
            all.push(moved);
        }
    }
    if let Kind::Secret {
        environment: Some(environment),
    } = &object.kind
    {
        let name = format!("{environment}--{}", object.name);
        if Slug::parse(&name).is_ok() {
            all.push(Object {
                kind: Kind::Secret { environment: None },
                name,
                ..object.clone()
            });
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_two_objects_share_a_name(objects in vec(object(), 1..12)) {
        for rules in vendors() {
            let mut named: HashMap<String, Object> = HashMap::new();
            for object in objects.iter().flat_map(neighbours) {
                let name = object.remote_name(rules);
                if let Some(other) = named.insert(name.clone(), object.clone()) {
                    prop_assert_eq!(other, object, "{}", name);
                }
            }
        }
    }

    #[test]
    fn every_name_is_one_that_the_vendor_takes(object in object()) {
        for rules in vendors() {
            let name = object.remote_name(rules);
            prop_assert!((1..=rules.max_bytes).contains(&name.len()), "{}", name);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let taken = |c: char| plain(c) || rules.separator.contains(c);
            prop_assert!(name.chars().all(taken), "{}", name);
            // No empty path segment, at either end or within.
            prop_assert!(!name.starts_with('/') && !name.ends_with('/') && !name.contains("//"));
        }
    }

    #[test]
    fn a_name_that_is_whole_can_be_read_back(object in object()) {
        for rules in vendors() {
            let name = object.remote_name(rules);
            let whole = object.parts().join(rules.separator);
            let is_plain = |part: &String| !part.contains(rules.separator);
            let fits = whole.len() <= rules.max_bytes && object.parts().iter().all(is_plain);
            if fits {
                prop_assert_eq!(&name, &whole);
            }
            let parsed = Object::parse(&name, rules.separator);
            prop_assert_eq!(parsed, fits.then(|| object.clone()), "{}", name);
        }
    }
}
