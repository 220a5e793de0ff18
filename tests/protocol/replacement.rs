//! Replacements under `create_before_destroy`, on hosts of protocol 6.11 and on earlier
//! ones.

mod run;

use run::{DEFAULT, Run};

#[tokio::test]
async fn a_replacement_takes_its_own_name_over_where_the_host_keeps_planned_private_data() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let mut apply = Run::start(folder.path(), true).await;
    let new = apply.create_planned("new", &planned).await.unwrap();
    assert_ne!(new.state["id"], old.state["id"]);
    assert_eq!(apply.open().await, "new");
    // The old secret exists until it is destroyed. Its destruction deletes nothing else.
    assert!(apply.read(&old).await.is_some());
    apply.destroy(&old).await.unwrap();
    assert!(apply.read(&old).await.is_none());
    assert_eq!(apply.read(&new).await.unwrap()["id"], new.state["id"]);
    assert_eq!(apply.open().await, "new");
    apply.destroy(&new).await.unwrap();
}

#[tokio::test]
async fn a_replacement_is_refused_its_own_name_by_a_host_that_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), false).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), false).await;
        plan.plan_replacement("new", &old).await
    };
    let mut run = Run::start(folder.path(), false).await;
    let told = run.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    assert_eq!(run.open().await, "old");
    assert!(run.read(&old).await.is_some());
}

#[tokio::test]
async fn a_replacement_does_not_take_a_name_that_another_state_has_by_now() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    // Between plan and apply, another secret takes the name.
    let theirs = {
        let mut other = Run::start(folder.path(), true).await;
        other.destroy(&old).await.unwrap();
        other.create("theirs").await
    };
    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    assert_eq!(apply.open().await, "theirs");
    assert_eq!(apply.read(&theirs).await.unwrap()["id"], theirs.state["id"]);
}

#[tokio::test]
async fn a_default_backend_replaces_its_own_choice_alone_where_the_host_keeps_private_data() {
    let folder = tempfile::tempdir().unwrap();
    let start = |keeps: bool| Run::of(DEFAULT, folder.path(), keeps, None);
    let mut first = start(true).await;
    let config = first.config_of(&[("backend", "platform".into())]);
    let old = first.create_by(&config).await.unwrap();
    let planned = {
        let mut plan = start(true).await;
        plan.plan_replacement_by(&config, &old).await.unwrap()
    };
    let forgetful = start(false)
        .await
        .create_planned_by(&config, &planned)
        .await;
    let told = forgetful.err().unwrap();
    for part in ["Default Backend Already Set", "since version 1.16 only"] {
        assert!(told.contains(part), "{told}");
    }

    let mut apply = start(true).await;
    let new = apply.create_planned_by(&config, &planned).await.unwrap();
    // The destruction of the old object leaves the new choice.
    apply.destroy(&old).await.unwrap();
    assert!(apply.read(&new).await.is_some());
    // By now, the plan is about a choice of another run.
    let stale = start(true).await.create_planned_by(&config, &planned).await;
    let told = stale.err().unwrap();
    assert!(told.contains("Default Backend Already Set"), "{told}");
    let mut last = start(true).await;
    assert!(last.read(&new).await.is_some());
    last.destroy(&new).await.unwrap();
    assert!(last.read(&new).await.is_none());
}

/// Returns the value of `PLANTON_RESUME` in an error.
fn resume_in(told: &str) -> String {
    let (_, after) = told.split_once("PLANTON_RESUME=").unwrap();
    after.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_replacement_leaves_what_another_state_has_adopted_since_its_plan() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let told = {
        let mut other = Run::start(folder.path(), true).await;
        let config = other.config("old");
        other.create_by(&config).await.err().unwrap()
    };
    let adopted = {
        let resume = resume_in(&told);
        let mut other = Run::resuming(folder.path(), true, Some(&resume)).await;
        other.create("old").await
    };
    assert_eq!(adopted.state["id"], old.state["id"]);

    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    // Terraform restores the deposed object. Destroying it deletes nothing of the other
    // state.
    apply.destroy(&old).await.unwrap();
    assert_eq!(apply.open().await, "old");
    let theirs = apply.read(&adopted).await.unwrap();
    assert_eq!(theirs["id"], adopted.state["id"]);
}

#[tokio::test]
async fn a_replacement_takes_its_name_over_beside_a_takes_over_that_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let first = Run::start(folder.path(), false).await.create("one").await;
    let taking = |run: &Run, value: &str| {
        let mut config = run.config(value);
        config["takes_over"] = first.state["id"].clone();
        config
    };
    // The host forgets planned private data, so this needs takes_over.
    let second = {
        let mut run = Run::start(folder.path(), false).await;
        let config = taking(&run, "two");
        let planned = run.plan_replacement_by(&config, &first).await.unwrap();
        let mut run = Run::start(folder.path(), false).await;
        let second = run.create_planned_by(&config, &planned).await.unwrap();
        run.destroy(&first).await.unwrap();
        second
    };
    let mut run = Run::start(folder.path(), true).await;
    let config = taking(&run, "three");
    let planned = run.plan_replacement_by(&config, &second).await.unwrap();
    let mut run = Run::start(folder.path(), true).await;
    run.create_planned_by(&config, &planned).await.unwrap();
    run.destroy(&second).await.unwrap();
    assert_eq!(run.open().await, "three");
}

#[tokio::test]
async fn a_plan_of_a_host_that_keeps_is_refused_by_one_that_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let mut apply = Run::start(folder.path(), false).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    for part in ["Secret Already Exists", "takes_over"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(apply.open().await, "old");
}

#[tokio::test]
async fn a_protected_secret_keeps_its_name_whatever_the_host_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), true).await;
    let mut config = run.config("old");
    config["deletion_protection"] = true.into();
    let old = run.create_by(&config).await.unwrap();
    let told = run.plan_replacement_by(&config, &old).await.err().unwrap();
    assert!(told.contains("Secret Deletion Protected"), "{told}");

    // Protected after the plan, so only the record contains it.
    config["deletion_protection"] = false.into();
    let open = run.update(&config, &old).await.unwrap();
    let mut plan = Run::start(folder.path(), true).await;
    let planned = plan.plan_replacement_by(&config, &open).await.unwrap();
    let mut protecting = config.clone();
    protecting["deletion_protection"] = true.into();
    run.update(&protecting, &open).await.unwrap();
    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned_by(&config, &planned).await;
    let told = told.err().unwrap();
    assert!(told.contains("Secret Deletion Protected"), "{told}");
    assert_eq!(apply.open().await, "old");
}

/// The run is killed after the commit of the successor, so no state contains it.
#[tokio::test]
async fn a_replacement_that_was_killed_is_repeated_or_taken_back_by_the_run_to_resume() {
    for keeps_successor in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let old = Run::start(folder.path(), true).await.create("old").await;
        let lost = {
            let mut killed = Run::start(folder.path(), true).await;
            let planned = killed.plan_replacement("new", &old).await;
            killed.create_planned("new", &planned).await.unwrap()
        };
        let mut next = Run::start(folder.path(), true).await;
        let seen = next.refreshed(&old).await.unwrap();
        let config = next.config("old");
        let told = next.update(&config, &seen).await.err().unwrap();
        for part in ["Secret Displaced", lost.state["id"].as_str().unwrap()] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(next.open().await, "new");
        let resume = resume_in(&told);

        let mut resumed = Run::resuming(folder.path(), true, Some(&resume)).await;
        let seen = resumed.refreshed(&old).await.unwrap();
        if keeps_successor {
            let planned = resumed.plan_replacement("new", &seen).await;
            let new = resumed.create_planned("new", &planned).await.unwrap();
            assert_eq!(new.state["id"], lost.state["id"]);
            resumed.destroy(&seen).await.unwrap();
            assert!(resumed.read(&old).await.is_none());
            assert_eq!(resumed.open().await, "new");
            let mut later = Run::start(folder.path(), true).await;
            later.destroy(&new).await.unwrap();
        } else {
            let back = resumed.update(&config, &seen).await.unwrap();
            assert_eq!(back.state["id"], old.state["id"]);
            assert_eq!(resumed.open().await, "old");
        }
    }
}
