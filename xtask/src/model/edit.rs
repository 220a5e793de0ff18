//! Changes of a configuration.

use super::config::{Config, Declared};
use super::state::State;
use super::steps::{Addition, Edit, Moved};

/// The maximum number of secrets in a folder. More secrets make runs slower and find
/// nothing more.
const MOST: usize = 4;

/// Changes `config`; `states` are the states of the folders.
pub(crate) fn change(config: &mut Config, edit: &Edit, states: &[State]) {
    match edit {
        Edit::Add(addition) => {
            if config.secrets.len() < MOST {
                config.secrets.push(declared(addition));
            }
        }
        Edit::Remove(slot) => {
            if let Some(index) = index(config, *slot) {
                config.secrets.remove(index);
            }
        }
        Edit::Readdress(slot, number, moved) => readdress(config, *slot, *number, *moved),
        Edit::Consume(slot, number, ordering) => {
            let of = index(config, *slot).map(|index| config.secrets[index].address.clone());
            config.consumer = of.map(|of| Edit::consumer(&of, *number, *ordering));
        }
        Edit::ConsumerFails => {
            if let Some(consumer) = &mut config.consumer {
                consumer.fails = true;
            }
        }
        Edit::ConsumerWorks => {
            if let Some(consumer) = &mut config.consumer {
                consumer.fails = false;
            }
        }
        Edit::NoConsumer => config.consumer = None,
        Edit::Default(label) => config.default_label = *label,
        Edit::TakeOver(slot, folder) => {
            if let Some(index) = index(config, *slot) {
                let name = config.secrets[index].name.clone();
                let found = states[*folder].current().find(|it| it.name == name);
                if let Some(found) = found {
                    config.secrets[index].takes_over = Some(found.uuid.clone());
                }
            }
        }
        other => {
            if let Some(index) = slot(other).and_then(|slot| index(config, slot)) {
                arguments(&mut config.secrets[index], other);
            }
        }
    }
    // A consumer of an undeclared secret would make the configuration invalid.
    let consumer = config.consumer.take();
    config.consumer = consumer.filter(|it| config.at(&it.of).is_some());
}

fn index(config: &Config, slot: u8) -> Option<usize> {
    let count = config.secrets.len();
    (count > 0).then(|| usize::from(slot) % count)
}

fn slot(edit: &Edit) -> Option<u8> {
    match edit {
        Edit::Rotate(slot, _)
        | Edit::Value(slot, _)
        | Edit::Label(slot, _)
        | Edit::Description(slot, _)
        | Edit::Keep(slot, _)
        | Edit::Rename(slot, _)
        | Edit::Protect(slot)
        | Edit::Unprotect(slot)
        | Edit::Retain(slot)
        | Edit::DoNotRetain(slot)
        | Edit::CreateFirst(slot)
        | Edit::DestroyFirst(slot)
        | Edit::Ignore(slot, _)
        | Edit::TakeNothingOver(slot) => Some(*slot),
        _ => None,
    }
}

fn arguments(secret: &mut Declared, edit: &Edit) {
    use super::config::Source;
    match edit {
        Edit::Rotate(_, number) => {
            // Without a trigger, the value decides. A generated value has nothing else
            // to change.
            if secret.trigger.is_some() || secret.source == Source::Generated {
                secret.trigger = Some(*number);
            }
            if secret.source != Source::Generated {
                secret.source = Source::Given(*number);
            }
        }
        Edit::Value(_, number) if secret.source != Source::Generated => {
            secret.source = Source::Given(*number);
        }
        Edit::Value(..) => {}
        Edit::Label(_, number) => secret.label = Some(*number),
        Edit::Description(_, number) => secret.description = Some(*number),
        Edit::Keep(_, number) => secret.keep = Some(*number),
        Edit::Rename(_, name) => secret.name = name.clone(),
        Edit::Protect(_) => secret.is_protected = true,
        Edit::Unprotect(_) => secret.is_protected = false,
        Edit::Retain(_) => secret.is_retained = true,
        Edit::DoNotRetain(_) => secret.is_retained = false,
        Edit::CreateFirst(_) => secret.creates_first = true,
        Edit::DestroyFirst(_) => secret.creates_first = false,
        Edit::Ignore(_, ignored) => secret.ignored = *ignored,
        Edit::TakeNothingOver(_) => secret.takes_over = None,
        _ => {}
    }
}

fn readdress(config: &mut Config, slot: u8, number: u32, moved: Moved) {
    let Some(index) = index(config, slot) else {
        return;
    };
    let from = config.secrets[index].address.clone();
    let to = format!("r{number}");
    config.secrets[index].address.clone_from(&to);
    if let Some(consumer) = &mut config.consumer
        && consumer.of == from
    {
        consumer.of.clone_from(&to);
    }
    if moved == Moved::Said {
        config.moved.push((from, to));
    }
}

fn declared(addition: &Addition) -> Declared {
    Declared {
        address: format!("r{}", addition.number),
        name: addition.name.clone(),
        source: addition.source,
        trigger: addition.trigger,
        description: addition.description,
        label: addition.label,
        keep: None,
        is_protected: addition.is_protected,
        is_retained: addition.is_retained,
        creates_first: addition.creates_first,
        ignored: addition.ignored,
        takes_over: None,
    }
}
