//! Ends a sequence: a plain recovery must empty every folder, and may leave only what
//! the model expects.

use super::command::{Command, Kind};
use super::config::{Config, Declared, DefaultLabel, Ignored, Source};
use super::generate::FOLDERS;
use super::reader::Asked;
use super::state::Instance;
use super::steps::Apply;
use super::violation::{Checked, Rule, broken};
use super::world::World;

/// The number of rounds. A folder may have to wait until another one frees a name.
const ROUNDS: usize = 3;

impl World {
    /// Recovers and destroys everything, and checks the remains.
    pub(crate) fn finish(&mut self) -> Checked<()> {
        for _ in 0..ROUNDS {
            for folder in 0..FOLDERS {
                if !self.states[folder].is_empty {
                    self.recover(folder)?;
                }
            }
        }
        for folder in 0..FOLDERS {
            if !self.states[folder].is_empty {
                let held = self.states[folder].instances.iter().map(|it| {
                    let deposed = if it.is_deposed { ", deposed" } else { "" };
                    format!("{} ({}{deposed})", it.address, it.uuid)
                });
                let held: Vec<_> = held.collect();
                return broken(
                    Rule::Stuck,
                    format!(
                        "with deletion_protection = false, apply and destroy, folder {folder} still \
                         has {held:?}"
                    ),
                );
            }
        }
        self.nothing_is_left()?;
        self.names_are_free()
    }

    /// Removes all protection, applies and destroys.
    fn recover(&mut self, folder: usize) -> Checked<()> {
        let state = self.states[folder].clone();
        for instance in state.current().filter(|it| it.is_tainted) {
            self.of_address("untaint", folder, &instance.address)?;
        }
        let before = self.folders[folder].config.clone();
        let mut config = Config::empty();
        config.default_label = match before.default_label {
            DefaultLabel::Computed(number) => DefaultLabel::Literal(number),
            other => other,
        };
        for instance in state.current() {
            let known = self.ledger.alive.get(&instance.uuid);
            // The provider requires dropping a secret that another state owns by now.
            let is_mine = known.is_some_and(|it| it.is_owned_by(folder));
            if is_mine && config.at(&instance.address).is_none() {
                let value = known.and_then(|it| it.value.as_deref());
                config.secrets.push(unprotected(instance, value));
            }
        }
        self.folders[folder].config = config;
        self.apply(folder, &Apply::default())?;
        self.destroy(folder, None, None)
    }

    /// Checks that destroyed secrets cannot be read, and that no name returns an
    /// unknown secret.
    fn nothing_is_left(&mut self) -> Checked<()> {
        let gone = self.ledger.gone.iter().map(|uuid| Asked {
            uuid: Some(uuid.clone()),
            name: None,
        });
        let names = self.names.iter().map(|name| Asked {
            uuid: None,
            name: Some(name.clone()),
        });
        let asked: Vec<Asked> = gone.chain(names).collect();
        let readings = self.reader.read(&asked)?;
        for (asked, reading) in asked.iter().zip(readings) {
            if let (Some(uuid), Some(_)) = (&asked.uuid, &reading.value) {
                return broken(Rule::Left, format!("{uuid} was destroyed and can be read"));
            }
            let standing = reading.standing.as_ref();
            if let Some(standing) = standing.filter(|it| !self.ledger.alive.contains_key(&it.uuid))
            {
                return broken(Rule::Left, format!("nobody's secret stands: {standing:?}"));
            }
        }
        Ok(())
    }

    /// Creates and destroys a secret under each name that must be free.
    fn names_are_free(&mut self) -> Checked<()> {
        let folder = FOLDERS;
        let mut config = Config::empty();
        for (number, name) in self.names.iter().enumerate() {
            if self.ledger.under(name).next().is_none() {
                config.secrets.push(Declared {
                    address: format!("free{number}"),
                    name: name.clone(),
                    source: Source::Given(0),
                    trigger: Some(0),
                    description: Some(0),
                    label: Some(0),
                    keep: None,
                    is_protected: false,
                    is_retained: false,
                    creates_first: false,
                    ignored: Ignored::Nothing,
                    takes_over: None,
                });
            }
        }
        if config.secrets.is_empty() {
            return Ok(());
        }
        self.folders[folder].config = config;
        let command = Command::new(folder, Kind::Apply, &self.folders[folder].config);
        let arguments = ["apply", "-auto-approve"].map(str::to_owned);
        self.judged(&command, &arguments, (None, None))?;
        self.destroy(folder, None, None)
    }
}

/// Returns a declaration that changes only the instance's protection.
fn unprotected(instance: &Instance, value: Option<&str>) -> Declared {
    let attributes = &instance.attributes;
    let number = |prefix: &str, text: Option<&str>| {
        text.and_then(|it| it.strip_prefix(prefix)?.parse().ok())
    };
    let source = if attributes["generate"].is_null() {
        Source::Given(number("given-", value).unwrap_or(0))
    } else {
        Source::Generated
    };
    Declared {
        address: instance.address.clone(),
        name: instance.name.clone(),
        source,
        trigger: number("t", instance.trigger()),
        description: number("d", attributes["description"].as_str()),
        label: number("l", attributes["labels"]["team"].as_str()),
        keep: None,
        is_protected: false,
        is_retained: false,
        creates_first: false,
        ignored: Ignored::Nothing,
        takes_over: None,
    }
}
