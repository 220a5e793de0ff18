//! The rules of a connection: each argument by its form, and arguments that exclude or
//! require each other.

use super::argument::{Argument, ConnectionBlock, Form};
use super::arguments::CONNECTION;
use super::parse::Parser;
use super::problem::{ConnectionProblem, ConnectionProblemKind as Kind};
use super::source::{ConnectionSource, Given};
use crate::registration::{Change, Field};

const AUTHORITIES: [&str; 2] = ["ca_cert_pem", "ca_cert_file"];
const CLIENT_CERTIFICATE: [&str; 2] = ["client_cert_file", "client_key_file"];

/// Returns every problem of the arguments that are known. No I/O.
pub fn validate_connection(
    block: ConnectionBlock,
    source: &impl ConnectionSource,
) -> Vec<ConnectionProblem> {
    let mut validation = Validation {
        block,
        source,
        problems: Vec::new(),
    };
    validation.exclusive(&AUTHORITIES);
    validation.exclusive(&logins(block));
    validation.together(CLIENT_CERTIFICATE);
    for argument in &CONNECTION {
        validation.argument(&[], argument);
    }
    validation.problems
}

/// Returns the names of the arguments that log in, of which at most one may be set.
pub fn logins(block: ConnectionBlock) -> Vec<&'static str> {
    let login = |argument: &Argument| {
        let field = argument.field(block)?;
        let is_login = match argument.form {
            Form::Login(_) | Form::Secret => true,
            _ => field.name == "token_file",
        };
        is_login.then_some(field.name)
    };
    CONNECTION.iter().filter_map(login).collect()
}

struct Validation<'a, S> {
    block: ConnectionBlock,
    source: &'a S,
    problems: Vec<ConnectionProblem>,
}

impl<S: ConnectionSource> Validation<'_, S> {
    fn is_set(&self, name: &str) -> bool {
        matches!(self.source.given(&[name]), Given::Text(_) | Given::Block)
    }

    fn report(&mut self, setting: &str, kind: Kind, message: impl Into<String>) {
        let problem = ConnectionProblem::new(setting, kind, message);
        self.problems.push(problem);
    }

    /// Allows at most one of `names`.
    fn exclusive(&mut self, names: &[&str]) {
        let set: Vec<&str> = names.iter().copied().filter(|n| self.is_set(n)).collect();
        if let [_, second, ..] = set[..] {
            let message = format!(
                "At most one of {} may be set, and {} are. Remove all but one.",
                names.join(", "),
                set.join(" and ")
            );
            self.report(second, Kind::Conflict, message);
        }
    }

    /// Demands both names or neither.
    fn together(&mut self, [one, other]: [&str; 2]) {
        for (set, missing) in [(one, other), (other, one)] {
            if self.is_set(set) && self.source.given(&[missing]).is_absent() {
                let message = format!("{set} is set without {missing}. Set both, or neither.");
                self.report(missing, Kind::Incomplete, message);
            }
        }
    }

    fn argument(&mut self, parents: &[&str], argument: &Argument) {
        let Some(field) = argument.field(self.block) else {
            return;
        };
        let path = [parents, &[field.name]].concat();
        let setting = path.join(".");
        match self.source.given(&path) {
            Given::Unknown => {}
            Given::Absent if field.required => self.missing(&setting, argument),
            Given::Absent => {}
            Given::Block => self.login(&path, argument),
            Given::Text(text) => {
                let in_conflict = self.problems.iter().any(|problem| {
                    problem.kind == Kind::Conflict && AUTHORITIES.contains(&&*problem.setting)
                });
                if matches!(argument.form, Form::Certificates) && in_conflict {
                    return;
                }
                let parser = Parser {
                    block: self.block,
                    setting: &setting,
                };
                if let Err(problem) = check(&parser, argument.form, text) {
                    self.problems.push(problem);
                }
            }
        }
    }

    fn missing(&mut self, setting: &str, argument: &Argument) {
        let variables = argument.field(ConnectionBlock::Platform);
        let has_variable = variables.is_some_and(|field| !field.variables.is_empty());
        let message = if has_variable && self.block.is_stored() {
            format!(
                "Set {setting}. No environment variable sets it, since the secrets would move \
                 with the variable."
            )
        } else {
            format!("Set {setting}.")
        };
        self.report(setting, Kind::Missing, message);
    }

    fn login(&mut self, path: &[&str], argument: &Argument) {
        let Form::Login(login) = argument.form else {
            return;
        };
        for nested in login.arguments {
            self.argument(path, nested);
        }
        self.credential_or_file(path, login.arguments);
    }

    /// Demands exactly one of a login's optional credential and its file. The credential
    /// of a backend is write-only, and checked where it is known.
    fn credential_or_file(&mut self, path: &[&str], arguments: &[Argument]) {
        let named = |is_it: fn(&Field) -> bool| {
            let fields = arguments.iter().filter_map(|a| a.field(self.block));
            fields.into_iter().find(is_it).map(|field| field.name)
        };
        let secret = named(|f| matches!(f.change, Change::Credential(_)) && !f.required);
        let file = named(|f| f.name == "token_file");
        let (Some(secret), Some(file)) = (secret, file) else {
            return;
        };
        if self.block.is_stored() {
            return;
        }
        let given = [secret, file].map(|name| {
            let nested = [path, &[name]].concat();
            !self.source.given(&nested).is_absent()
        });
        if given[0] == given[1] {
            let login = path.join(".");
            let message = format!(
                "The {login} block needs exactly one of {secret} and {file}.\n\nSet one of them, and \
                 remove the other."
            );
            self.report(&login, Kind::Login, message);
        }
    }
}

/// Checks a text by the form of its argument.
fn check(parser: &Parser<'_>, form: Form, text: &str) -> Result<(), ConnectionProblem> {
    match form {
        Form::Address => parser.address(text).map(drop),
        Form::Namespace => parser.namespace(text).map(drop),
        Form::Mount => parser.mount(text).map(drop),
        Form::Key => parser.key(text).map(drop),
        Form::Period => parser.period(text).map(drop),
        Form::Certificates => parser.certificates(text).map(drop),
        Form::Path => parser.path(text).map(drop),
        Form::Secret | Form::Text => parser.text(text).map(drop),
        Form::Login(_) => Ok(()),
    }
}
