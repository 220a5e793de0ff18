//! What the report of a migration says, and its exit status.

use super::*;

fn moved() -> Moved {
    Moved {
        organization: "acme".to_owned(),
        target: "embedded = { path = \"/b\" }".to_owned(),
        is_complete: false,
        allows_unopened: false,
        survey: None,
        done: None,
    }
}

fn unmoved(subject: &str) -> Unmoved {
    Unmoved {
        subject: subject.to_owned(),
        version: Some(2),
        reason: "denied".to_owned(),
    }
}

#[test]
fn what_keeps_a_migration_from_beginning_is_named_and_the_exit_status_tells() {
    let survey = MigrationSurvey {
        secrets: 1,
        obstacles: (0..12).map(|_| unmoved("prod/db")).collect(),
        ..MigrationSurvey::default()
    };
    let hindered = Moved {
        survey: Some(survey.into()),
        ..moved()
    };
    assert_eq!(hindered.status(), 1);
    let text = hindered.text();
    assert!(text.contains("prod/db, version 2: denied"), "{text}");
    assert!(text.contains("and 2 more, which --json lists"), "{text}");
    assert!(!text.contains("--apply"), "{text}");
    let free = Moved {
        survey: Some(MigrationSurvey::default().into()),
        ..moved()
    };
    assert_eq!(free.status(), 0);
    assert!(free.text().contains("--apply"));
}

#[test]
fn a_dry_run_says_how_far_a_migration_is() {
    let surveyed = |progress, is_complete| Moved {
        is_complete,
        survey: Some(
            MigrationSurvey {
                progress,
                ..MigrationSurvey::default()
            }
            .into(),
        ),
        ..moved()
    };
    let begun = surveyed(MigrationProgress::Begun, false);
    assert_eq!(begun.status(), 1);
    let text = begun.text();
    assert!(
        text.contains("was begun by an earlier call, and is not done"),
        "{text}"
    );
    assert!(text.contains("with --apply to finish"), "{text}");
    assert!(!text.contains("would move"), "{text}");
    let complete = surveyed(MigrationProgress::Complete, true);
    assert_eq!(complete.status(), 0);
    let text = complete.text();
    assert!(text.contains("is complete"), "{text}");
    assert!(!text.contains("--apply"), "{text}");
    let json = serde_json::json!(complete);
    assert_eq!(json["survey"]["progress"], "complete");
    // A call that continues says that there was something to continue.
    let continued = Moved {
        done: Some(Migrated::default().into()),
        is_complete: true,
        ..begun
    };
    assert_eq!(continued.status(), 0);
    assert!(continued.text().contains("and continues"));
}

#[test]
fn versions_that_no_key_opens_keep_a_migration_from_beginning_unless_they_are_allowed() {
    for (allows_unopened, status) in [(false, 1), (true, 0)] {
        let survey = MigrationSurvey {
            unopened: vec![unmoved("prod/db")],
            ..MigrationSurvey::default()
        };
        let moved = Moved {
            allows_unopened,
            survey: Some(survey.into()),
            ..moved()
        };
        assert_eq!(moved.status(), status);
        let text = moved.text();
        assert!(text.contains("prod/db, version 2: denied"), "{text}");
        assert_eq!(text.contains("with --apply"), allows_unopened, "{text}");
    }
}

#[test]
fn a_migration_that_is_not_complete_says_to_run_it_again() {
    let done = Migrated {
        failed: vec![unmoved("db")],
        ..Migrated::default()
    };
    let failed = Moved {
        done: Some(done.into()),
        ..moved()
    };
    assert_eq!(failed.status(), 1);
    assert!(failed.text().contains("it continues"), "{}", failed.text());
    let done = Migrated {
        is_complete: true,
        ..Migrated::default()
    };
    let complete = Moved {
        is_complete: true,
        done: Some(done.into()),
        ..moved()
    };
    assert_eq!(complete.status(), 0);
    assert!(complete.text().contains("Replace"), "{}", complete.text());
    assert!(complete.text().contains("then delete both"));
}

#[test]
fn a_migration_that_left_versions_unopened_fails_and_says_to_keep_the_former_key() {
    let done = Migrated {
        is_complete: true,
        unopened: vec![unmoved("db")],
        ..Migrated::default()
    };
    let unopened = Moved {
        is_complete: true,
        done: Some(done.into()),
        ..moved()
    };
    assert_eq!(unopened.status(), 1);
    let text = unopened.text();
    assert!(text.contains("Do not delete them, nor its key"), "{text}");
    assert!(!text.contains("then delete both"), "{text}");
}
