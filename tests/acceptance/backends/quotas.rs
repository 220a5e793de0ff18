//! A run waits for a vendor's quota until its deadline, and the error names the quota.

use std::time::Duration;

use xtask::gcp::GcpQuotas;

use super::Place;
use super::faults::workspace;
use crate::scene::{On, Scene, terraform_1_11, terraform_1_15};
use crate::steps::{Steps, has};

const SECRETS: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
}

resource "planton_secret" "s" {
  count            = 24
  name             = "s${count.index}"
  backend          = planton_secret_backend.own.name
  value_wo         = "value"
  value_wo_version = "1"
  timeouts         = { read = "20s" }
}
"#;

/// Returns quotas of reads and accesses per window of three seconds.
fn quotas(reads: u32, accesses: u32) -> GcpQuotas {
    GcpQuotas {
        reads: Some(reads),
        writes: None,
        accesses: Some(accesses),
        window: Duration::from_secs(3),
    }
}

#[test]
fn acc_plan_of_more_secrets_than_gcps_quota_of_reads_succeeds_within_its_time() {
    for terraform in [terraform_1_11(), terraform_1_15()] {
        let scene = Scene::new(&terraform, On::Embedded);
        let place = Place::gcp();
        let fake = place.gcp_fake();
        let workspace = workspace(&scene, &place, &place.block(), SECRETS);
        let credential = place.secret.clone();
        let given = [("backend_secret", credential.as_str())];
        workspace.settled(&given);
        let of = |operation: &str, since: usize| {
            let made = fake.requests().unwrap().into_iter().skip(since);
            made.filter(|(made, _)| made == operation).count()
        };
        let so_far = || fake.requests().unwrap().len();

        // With the access permission, a plan uses none of the read quota.
        fake.limit(&quotas(0, 90_000)).unwrap();
        let before = so_far();
        workspace.unchanged(&given);
        assert_eq!(of("AccessSecretVersion", before), 24);
        assert_eq!(of("GetSecretVersion", before), 0);

        // Without it, the plan waits for later windows.
        fake.deny(&["secretmanager.versions.access"]).unwrap();
        fake.limit(&quotas(10, 90_000)).unwrap();
        let before = so_far();
        workspace.unchanged(&given);
        assert!(of("GetSecretVersion", before) > 24, "none had to wait");

        // Without any quota, the plan fails at its deadline.
        fake.limit(&quotas(0, 90_000)).unwrap();
        let told = workspace.refused(&given);
        has(
            &told,
            &[
                "Secret Backend Rate Limited",
                "600 reads, 600 writes and 90,000 accesses a minute",
                "GetSecretVersion counts among the reads",
                "Raise the resource's timeouts",
            ],
        );
        assert!(!told.contains("Operation Timed Out"), "{told}");
    }
}
