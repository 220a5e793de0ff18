//! Tests the project that pays for the requests.

use serde_json::json;

use super::ambient::OTHER;
use super::child::{AS, CHILD, ambient, in_a_child, write};
use super::support::Place;

/// A caller with a quota project names it in each request. It comes from the user's file
/// or from the environment.
#[tokio::test]
async fn a_quota_project_is_named_in_each_request() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let test = "quota_project::a_quota_project_is_named_in_each_request";
    let folder = tempfile::tempdir().unwrap();
    for (in_file, in_environment, outcome) in [
        (Some("billing"), None, "put with 2 requests"),
        (None, Some("billing"), "put with 2 requests"),
        (
            None,
            None,
            "Grant serviceusage.services.use on the quota project",
        ),
    ] {
        let place = Place::new();
        place.fake.expect_quota_project("billing").unwrap();
        let mut user = place.fake.user_file("a-user").unwrap();
        if let Some(project) = in_file {
            user["quota_project_id"] = json!(project);
        }
        let file = write(&folder, &user.to_string());
        let mut variables = vec![("GOOGLE_APPLICATION_CREDENTIALS", file.as_str())];
        variables.extend(in_environment.map(|project| ("GOOGLE_CLOUD_QUOTA_PROJECT", project)));
        let said = in_a_child(test, &place, &variables);
        assert!(
            said.contains(outcome),
            "{in_file:?} {in_environment:?}: {said}"
        );
    }
}

/// The quota project of the environment also applies to an impersonated account. A
/// project in a user's file does not, since the account may lack the permission to bill it.
#[tokio::test]
async fn the_environments_quota_project_pays_for_an_impersonated_account_too() {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return ambient(&endpoint).await;
    }
    let test = "quota_project::the_environments_quota_project_pays_for_an_impersonated_account_too";
    let folder = tempfile::tempdir().unwrap();
    for (in_file, in_environment, pays) in [
        (None, Some("billing"), true),
        (Some("a-users-own"), Some("billing"), true),
        (Some("billing"), None, false),
    ] {
        let place = Place::new();
        place.fake.expect_quota_project("billing").unwrap();
        let mut user = place.fake.user_file("a-user").unwrap();
        if let Some(project) = in_file {
            user["quota_project_id"] = json!(project);
        }
        let file = write(&folder, &user.to_string());
        let mut variables = vec![
            ("GOOGLE_APPLICATION_CREDENTIALS", file.as_str()),
            (AS, OTHER),
        ];
        variables.extend(in_environment.map(|project| ("GOOGLE_CLOUD_QUOTA_PROJECT", project)));
        let said = in_a_child(test, &place, &variables);
        // A token, a creation and a version.
        let outcome = match pays {
            true => "put with 3 requests",
            false => "serviceusage.services.use",
        };
        let case = format!("{in_file:?} {in_environment:?}");
        assert!(said.contains(outcome), "{case}: {said}");
        let (_, who) = place.fake.requests().unwrap().pop().unwrap();
        assert_eq!(who, OTHER, "{case}");
    }
}
