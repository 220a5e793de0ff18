//! Shows that each rule can break, and that each permitted reason for a failure holds.

use serde_json::{Value, json};

use super::command::{Command, Kind};
use super::config::{Config, Consumer, Declared, Ignored, Name, Source};
use super::generate::sequence;
use super::judge::defects;
use super::ledger::{Known, Ledger, Record};
use super::reader::{Reading, Standing};
use super::state::{Instance, State};
use super::violation::{Broken, Checked, Rule};
use super::world::Ran;

const MINE: usize = 0;
const THEIRS: usize = 1;

fn name() -> Name {
    Name {
        environment: None,
        name: "a".to_owned(),
    }
}

fn declared() -> Declared {
    Declared {
        address: "r1".to_owned(),
        name: name(),
        source: Source::Given(1),
        trigger: Some(1),
        description: None,
        label: None,
        keep: None,
        is_protected: false,
        is_retained: false,
        creates_first: false,
        ignored: Ignored::Nothing,
        takes_over: None,
    }
}

fn config(change: impl FnOnce(&mut Declared)) -> Config {
    let mut secret = declared();
    change(&mut secret);
    let mut config = Config::empty();
    config.secrets.push(secret);
    config
}

fn applying(config: &Config) -> Command {
    Command::new(MINE, Kind::Apply, config)
}

/// Returns a state with one secret at `r1`.
fn holding(uuid: &str, attributes: &Value) -> State {
    let mut all = json!({"version": 1, "value_wo_version": "t1", "description": null,
        "labels": null, "labels_all": {}, "on_destroy": "delete", "deletion_protection": false});
    for (name, value) in attributes.as_object().expect("attributes") {
        all[name] = value.clone();
    }
    State {
        instances: vec![Instance {
            address: "r1".to_owned(),
            is_deposed: false,
            is_tainted: false,
            uuid: uuid.to_owned(),
            name: name(),
            attributes: all,
        }],
        is_empty: false,
    }
}

fn known(owner: usize) -> Known {
    let mut known = Known::new(name());
    known.owners.insert(owner);
    known.value = Some("given-1".to_owned());
    known.record = Some(Record {
        version: Some(1),
        labels: Value::Null,
        description: Value::Null,
    });
    known
}

fn knowing(uuid: &str, known: Known) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.alive.insert(uuid.to_owned(), known);
    ledger
}

fn reading(uuid: &str, value: &str, version: u64) -> Reading {
    Reading {
        value: Some(value.to_owned()),
        standing: Some(Standing {
            uuid: uuid.to_owned(),
            version: Some(version),
            labels: Value::Null,
            description: Value::Null,
        }),
    }
}

fn well() -> Ran {
    Ran {
        success: true,
        killed: false,
        text: String::new(),
    }
}

/// Judges a successful command, with `found` as the reading of "u".
fn judge(
    ledger: &mut Ledger,
    command: &Command,
    (before, after): (&State, &State),
    found: &Reading,
) -> Option<Rule> {
    let ran = well();
    let mut judge = || -> Checked<()> {
        ledger.enter(command, (before, after), &ran)?;
        let fates = ledger.fates(command, (before, after), &ran)?;
        ledger.let_go(command, after, &fates);
        for (uuid, fate) in fates {
            ledger.hold(command, (&uuid, fate), (before, after, &ran), found)?;
        }
        Ok(())
    };
    match judge() {
        Ok(()) => None,
        Err(Broken::Rule(violation)) => Some(violation.rule),
        Err(Broken::Harness(error)) => panic!("{error:#}"),
    }
}

#[test]
fn a_sequence_is_the_same_for_the_same_seed() {
    assert_eq!(sequence(7, 8), sequence(7, 8));
    assert_ne!(sequence(7, 8), sequence(8, 8));
    let commands = sequence(7, 8).iter().filter(|it| it.runs()).count();
    assert!((8..16).contains(&commands), "{commands}");
}

#[test]
fn an_unharmed_secret_breaks_no_rule() {
    let state = holding("u", &json!({}));
    let command = applying(&config(|_| {}));
    let found = reading("u", "given-1", 1);
    let mut ledger = knowing("u", known(MINE));
    assert_eq!(judge(&mut ledger, &command, (&state, &state), &found), None);
}

#[test]
fn another_states_secret_enters_a_state_by_name_only() {
    let before = State::default();
    let after = holding("u", &json!({}));
    let found = reading("u", "given-1", 1);
    let mut command = applying(&config(|_| {}));
    let judged = |command: &Command| {
        let mut ledger = knowing("u", known(THEIRS));
        let rule = judge(&mut ledger, command, (&before, &after), &found);
        (rule, ledger.alive["u"].owners.clone())
    };
    assert_eq!(judged(&command).0, Some(Rule::TakenOver));
    // A resumed run transfers it to this state. An import shares it.
    command.resumes = true;
    assert_eq!(judged(&command), (None, [MINE].into()));
    command.resumes = false;
    command.kind = Kind::Import(Some("u".to_owned()));
    assert_eq!(judged(&command), (None, [MINE, THEIRS].into()));
}

#[test]
fn one_secret_at_two_addresses_is_taken_over() {
    let before = holding("u", &json!({}));
    let mut after = before.clone();
    after.instances.push(Instance {
        address: "r2".to_owned(),
        ..before.instances[0].clone()
    });
    let found = reading("u", "given-1", 1);
    let mut ledger = knowing("u", known(MINE));
    let command = applying(&config(|_| {}));
    let rule = judge(&mut ledger, &command, (&before, &after), &found);
    assert_eq!(rule, Some(Rule::TakenOver));
}

#[test]
fn a_foreign_secret_is_neither_destroyed_nor_changed() {
    let state = State::default();
    let judged = |kind: Kind, found: &Reading| {
        let command = Command::new(MINE, kind, &config(|_| {}));
        judge(
            &mut knowing("u", known(THEIRS)),
            &command,
            (&state, &state),
            found,
        )
    };
    let gone = Reading::default();
    assert_eq!(judged(Kind::Destroy, &gone), Some(Rule::ForeignHarmed));
    assert_eq!(judged(Kind::Test, &gone), Some(Rule::TestHarmed));
    for changed in [reading("u", "other", 1), reading("u", "given-1", 2)] {
        assert_eq!(judged(Kind::Apply, &changed), Some(Rule::ForeignHarmed));
    }
}

#[test]
fn an_own_secret_goes_only_where_a_command_destroys_it() {
    let before = holding("u", &json!({}));
    let after = State::default();
    let gone = Reading::default();
    let judged = |command: &Command, after: &State| {
        judge(
            &mut knowing("u", known(MINE)),
            command,
            (&before, after),
            &gone,
        )
    };
    let keeping = applying(&config(|_| {}));
    assert_eq!(judged(&keeping, &after), Some(Rule::Lost));
    assert_eq!(judged(&keeping, &before), Some(Rule::Lost));
    assert_eq!(judged(&applying(&Config::empty()), &after), None);
    let forgetting = Command::new(MINE, Kind::Remove("r1".to_owned()), &Config::empty());
    assert!(judged(&forgetting, &after).is_some());
}

#[test]
fn protection_and_retention_hold() {
    let after = State::default();
    let command = applying(&Config::empty());
    let gone = Reading::default();
    let attributes = [
        json!({"deletion_protection": true}),
        json!({"on_destroy": "retain"}),
    ];
    for (index, attributes) in attributes.iter().enumerate() {
        let before = holding("u", attributes);
        let mut secret = known(MINE);
        secret.is_protected = index == 0;
        secret.is_retained = index == 1;
        let mut ledger = knowing("u", secret);
        let rule = judge(&mut ledger, &command, (&before, &after), &gone);
        assert_eq!(rule, Some(Rule::ProtectionBroken), "{attributes}");
    }
}

#[test]
fn a_value_follows_its_trigger_and_nothing_else() {
    let before = holding("u", &json!({}));
    let judged = |config: &Config, after: &Value, found: &Reading| {
        let after = holding("u", after);
        let mut ledger = knowing("u", known(MINE));
        judge(&mut ledger, &applying(config), (&before, &after), found)
    };
    let rotated = config(|it| (it.trigger, it.source) = (Some(2), Source::Given(2)));
    let state = json!({"version": 2, "value_wo_version": "t2"});
    assert_eq!(judged(&rotated, &state, &reading("u", "given-2", 2)), None);
    let old = reading("u", "given-1", 2);
    assert_eq!(judged(&rotated, &state, &old), Some(Rule::Wrong));
    // Without a change of the trigger, the value has no effect.
    let silent = config(|it| it.source = Source::Given(2));
    let new = reading("u", "given-2", 2);
    assert_eq!(
        judged(&silent, &json!({"version": 2}), &new),
        Some(Rule::Wrong)
    );
    assert_eq!(
        judged(&silent, &json!({}), &reading("u", "given-1", 1)),
        None
    );
}

#[test]
fn state_and_catalog_have_what_was_declared_unless_it_is_ignored() {
    let before = holding("u", &json!({"description": "d1"}));
    let judged = |config: &Config, after: &Value, description: &str| {
        let after = holding("u", after);
        let mut found = reading("u", "given-1", 1);
        if let Some(standing) = &mut found.standing {
            standing.description = json!(description);
        }
        let mut ledger = knowing("u", known(MINE));
        judge(&mut ledger, &applying(config), (&before, &after), &found)
    };
    let edited = config(|it| it.description = Some(2));
    let now = json!({"description": "d2"});
    assert_eq!(judged(&edited, &now, "d2"), None);
    assert_eq!(judged(&edited, &now, "d1"), Some(Rule::Wrong));
    let then = json!({"description": "d1"});
    assert_eq!(judged(&edited, &then, "d1"), Some(Rule::Wrong));
    let ignoring = config(|it| {
        it.description = Some(2);
        it.ignored = Ignored::Description;
    });
    assert_eq!(judged(&ignoring, &then, "d1"), None);
    assert_eq!(judged(&ignoring, &now, "d2"), Some(Rule::IgnoredChanged));
}

#[test]
fn a_command_may_fail_only_for_a_reason() {
    let held = holding("u", &json!({}));
    let nothing = State::default();
    let mine = knowing("u", known(MINE));
    let theirs = knowing("u", known(THEIRS));
    let excuse = |command: &Command, before: &State, ledger: &Ledger| {
        command.excuse(before, ledger).is_some()
    };
    let plain = applying(&config(|_| {}));
    assert!(!excuse(&plain, &nothing, &Ledger::default()));
    assert!(!excuse(&plain, &held, &mine));
    assert!(excuse(&plain, &nothing, &theirs));
    assert!(excuse(&plain, &held, &theirs));
    // A replacement destroys first by default.
    let mut replacing = plain.clone();
    replacing.replace = Some("r1".to_owned());
    assert!(!excuse(&replacing, &held, &mine));
    let first = config(|it| it.creates_first = true);
    replacing.config = first.clone();
    assert!(excuse(&replacing, &held, &mine));
    replacing.config = config(|it| {
        it.creates_first = true;
        it.takes_over = Some("u".to_owned());
    });
    assert!(!excuse(&replacing, &held, &mine));
    // Protection and a failing consumer.
    let protected = holding("u", &json!({"deletion_protection": true}));
    assert!(excuse(&applying(&Config::empty()), &protected, &mine));
    assert!(!excuse(&applying(&Config::empty()), &held, &mine));
    let mut failing = plain.clone();
    failing.config.consumer = Some(Consumer {
        of: "r1".to_owned(),
        number: 1,
        fails: true,
        creates_first: false,
    });
    assert!(excuse(&failing, &held, &mine));
}

#[test]
fn the_words_for_a_defect_are_found_on_wrapped_lines() {
    let printed = |text: &str, killed: bool| {
        let ran = Ran {
            success: false,
            killed,
            text: text.to_owned(),
        };
        defects(&ran).is_err()
    };
    let wrapped = "│ Error: Provider produced\n│ inconsistent result after apply";
    assert!(printed(wrapped, false) && printed(wrapped, true));
    let died = "Error: Plugin did not respond";
    assert!(printed(died, false) && !printed(died, true));
    assert!(!printed("Error: Secret Already Exists", false));
}
