//! As much of Rust's grammar as it takes to see which modules a file uses.

/// Returns `text` without comments, and with empty strings.
pub(super) fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            code.push_str("\"\"");
            string(rest)
        } else if let Some(length) = raw_string(rest, &code) {
            code.push_str("\"\"");
            length
        } else if let Some(length) = character(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// Returns the crate's top modules that `code` names, where `code` stands
/// `depth` modules below the crate's root.
pub(super) fn modules_used(code: &str, depth: usize) -> Vec<String> {
    let mut used = Vec::new();
    for root in ["crate", "terraform_provider_planton"] {
        for (at, _) in code.match_indices(root) {
            if starts_path(code, at) {
                collect(&code[at + root.len()..], &mut used);
            }
        }
    }
    for (at, _) in code.match_indices("super") {
        if starts_path(code, at) {
            let mut rest = &code[at + "super".len()..];
            let mut count = 1;
            while let Some(next) = rest.strip_prefix("::super") {
                rest = next;
                count += 1;
            }
            if count == depth {
                collect(rest, &mut used);
            }
        }
    }
    used.sort_unstable();
    used.dedup();
    used
}

/// Returns true where `code` has a path that begins with `name`.
pub(super) fn has_path(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::");
        let alone = !before.ends_with(is_word) || before.len() == at;
        let after = &code[at + name.len()..];
        alone && !code[..at].ends_with(is_word) && after.starts_with("::")
    })
}

/// Returns true where `code` calls a function or a method with this very name.
pub(super) fn calls(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let after = &code[at + name.len()..];
        !code[..at].ends_with(is_word) && after.trim_start().starts_with('(')
    })
}

/// Collects the first names of what follows a path's root: `::a::b`, `::{a, b::c}`.
fn collect(rest: &str, used: &mut Vec<String>) {
    let Some(rest) = rest.strip_prefix("::") else {
        return;
    };
    let Some(group) = rest.strip_prefix('{') else {
        used.push(word(rest));
        return;
    };
    let mut depth = 0;
    let mut at_start = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !character.is_whitespace() => {
                used.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
}

fn starts_path(code: &str, at: usize) -> bool {
    let before = &code[..at];
    !before.ends_with(is_word) && !before.ends_with("::") && !before.ends_with('$')
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|character| is_word(*character))
        .collect()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c| is_word(c) && c != 'b' && c != 'c') {
        return None;
    }
    let marks = text.strip_prefix('r')?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    marks[hashes..].strip_prefix('"')?;
    let start = 1 + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text[start..].find(&end).unwrap_or(text.len() - start);
    Some((start + length + end.len()).min(text.len()))
}

/// Returns the length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let skipped = escape.chars().next()?.len_utf8();
        return Some(escape[skipped..].find('\'')? + skipped + 3);
    }
    let length = inner.chars().next()?.len_utf8();
    inner[length..].starts_with('\'').then_some(length + 2)
}
