//! If a marker is removed at the vendor, a renewal of the backend's credential writes it
//! again, under another name.

use super::configuration::{VARIABLES, plain_backend, secret};
use super::{Place, at_every_place};
use crate::scene::Scene;
use crate::steps::{Steps, has};

at_every_place!(acc_marker_that_somebody_removed_is_put_again_under_another_name);

/// The ways to remove a marker, one for each backend.
const WAYS: [&str; 3] = ["recoverable", "for-good", "taken"];

impl Place {
    /// Returns the names of a backend's marker objects.
    fn markers(&self, backend: &str) -> Vec<String> {
        let part = self.part("backend", backend);
        let names = self.objects().into_iter().map(|object| object.name);
        names.filter(|name| name.contains(&part)).collect()
    }
}

fn acc_marker_that_somebody_removed_is_put_again_under_another_name(scene: &Scene, place: Place) {
    let mut configuration = VARIABLES.to_owned();
    for way in WAYS {
        configuration.push_str(&plain_backend(&place, way));
        let backend = format!("backend = planton_secret_backend.{way}.name");
        configuration.push_str(&secret(&format!("in-{way}"), &backend));
    }
    // A backend without a secret: nothing else identifies its place.
    configuration.push_str(&plain_backend(&place, "empty"));
    let workspace = place.workspace(scene);
    workspace.write("main.tf", &configuration).unwrap();
    let credential = ("backend_secret", place.secret.as_str());
    workspace.applied(&[credential]);

    let backends = [WAYS[0], WAYS[1], WAYS[2], "empty"];
    let before = backends.map(|backend| {
        let found = place.markers(backend);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    });
    place.fixture.remove_recoverably(&before[0]);
    place.fixture.remove_for_good(&before[1]);
    place.fixture.remove_for_good(&before[2]);
    place.put(&before[2], "theirs", "somebody else's");
    place.fixture.remove_recoverably(&before[3]);

    // A write fails while the place lacks its marker.
    let rotated = [credential, ("rotation", "2"), ("value", "second value")];
    let refused = workspace.fails(&rotated);
    let count = refused.matches("Secret Backend Not There").count();
    assert_eq!(count, WAYS.len(), "{refused}");
    has(&refused, &["change the backend's credentials_wo_version"]);

    let renewed = [&rotated[..], &[("credentials", "2")]].concat();
    workspace.settled(&renewed);
    for (backend, before) in backends.into_iter().zip(&before) {
        let now = place.markers(backend);
        assert!(now.iter().any(|name| name != before), "{backend}: {now:?}");
    }
    for way in WAYS {
        let name = format!("in-{way}");
        assert_eq!(workspace.secret(&name)["version"], 2, "{way}");
    }
    assert_eq!(place.read(scene, "in-recoverable"), "second value");

    // The object of somebody else under the former name is not deleted.
    workspace.destroyed(&renewed);
    let left = place.objects().into_iter().map(|object| object.name);
    let left: Vec<_> = left
        .filter(|name| *name != before[0] && *name != before[3])
        .collect();
    assert_eq!(left, [before[2].clone()]);
}
