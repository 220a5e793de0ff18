//! Replacement of a backend: which changes make it another place.

use super::settings::chosen;
use planton_plugin::{AttributePath, Value};
use planton_vendors::{BACKEND_TYPES, Change, Field, Holds};

/// Returns what makes it another place: the name, the type, and what within the
/// block says where it is.
pub(super) fn replaced_paths(prior: &Value, planned: &Value) -> Vec<AttributePath> {
    let mut paths: Vec<_> = ["name", "name_prefix"]
        .into_iter()
        .filter(|name| planned.attribute(name) != prior.attribute(name))
        .map(AttributePath::attribute)
        .collect();
    let chosen = chosen(planned);
    for block in BACKEND_TYPES {
        let (before, now) = (
            prior.attribute(block.name()),
            planned.attribute(block.name()),
        );
        let path = AttributePath::attribute(block.name());
        // Where another block is set, this one can only turn out to be absent.
        if now.is_unknown() && chosen.is_some_and(|chosen| chosen.name() != block.name()) {
            continue;
        }
        if before.is_null() != now.is_null() {
            // A block that went names nothing that can be edited.
            if !now.is_null() {
                paths.push(path);
            }
            continue;
        }
        paths.extend(replaced_fields(block.fields, before, now, &path));
    }
    paths
}

fn replaced_fields(
    fields: &[Field],
    before: &Value,
    now: &Value,
    path: &AttributePath,
) -> Vec<AttributePath> {
    let replaces = |field: &&Field| {
        field.change == Change::Replaces
            && is_other(
                field,
                before.attribute(field.name),
                now.attribute(field.name),
            )
    };
    let changed = fields.iter().filter(replaces);
    changed.map(|field| path.clone().then(field.name)).collect()
}

/// Says whether two values differ; sets in any order are the same.
fn is_other(field: &Field, before: &Value, now: &Value) -> bool {
    if !matches!(field.holds, Holds::Texts) || !now.is_wholly_known() {
        return before != now;
    }
    let texts = |value: &Value| {
        let mut all: Vec<_> = value
            .elements()
            .iter()
            .filter_map(|element| element.as_str().map(str::to_owned))
            .collect();
        all.sort_unstable();
        (value.is_null(), all)
    };
    texts(before) != texts(now)
}
