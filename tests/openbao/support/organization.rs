//! An organization on a place of the shared server, as a process opens it.

use std::sync::Arc;

use planton_core::operations::{CreateSecret, Organization, Platform};
use planton_vendors::http::RetryPolicy;
use planton_vendors::openbao::client::{
    OpenBaoAddress, OpenBaoClient, OpenBaoConfig, PolicyRole, PolicyScope,
};
use planton_vendors::openbao::{OpenBaoCatalog, OpenBaoStore, TransitKek};
use planton_vendors::{Connector, KekConnector};
use test_support::secret_requests;

use super::Place;

impl Place {
    /// Returns the organization of a new process, which reaches the place through `address`.
    pub(crate) fn process_at(&self, address: &str, retry: RetryPolicy) -> Organization {
        let config = OpenBaoConfig {
            address: OpenBaoAddress::parse(address).unwrap(),
            ..self.config.clone()
        };
        let fence = self.fence_path();
        let client = OpenBaoClient::with_retry(&config, Some(&fence), retry).unwrap();
        let platform = platform(&client, &self.scope);
        Organization::new(self.scope.organization.clone(), platform)
    }

    /// Returns the organization of a new process.
    pub(crate) fn process(&self) -> Organization {
        self.process_at(&self.admin.address, RetryPolicy::default())
    }
}

/// Returns the platform of a new process, with this client.
pub(crate) fn platform(client: &OpenBaoClient, scope: &PolicyScope) -> Platform {
    Platform {
        catalog: Arc::new(OpenBaoCatalog::new(client, scope, PolicyRole::Apply)),
        kek: Arc::new(TransitKek::platform(client, scope)),
        mac_kek: Arc::new(TransitKek::platform_mac(client, scope)),
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(OpenBaoStore::platform(client, scope)),
        connector: Arc::new(Connector::default()),
    }
}

/// Returns the request to create `name` with this value.
pub(crate) fn creation(name: &str, value: &str) -> CreateSecret {
    let mut creation = secret_requests::creation(name, value);
    creation.arguments.keep_versions = 10;
    creation
}
