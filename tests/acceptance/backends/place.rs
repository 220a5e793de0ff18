//! Places of registered backends, independent of the vendor.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;

use xtask::terraform::Workspace;

use super::fixtures::{Fixture, OverHttp};
use super::front::Front;
use crate::scene::{Scene, read_values_in};

/// A place of a registered backend, with its server if it has one.
pub(crate) struct Place {
    pub(super) fixture: Box<dyn Fixture>,
    /// The name of the block, and so of the type.
    pub(crate) block_name: &'static str,
    /// The credential that its block takes from `var.backend_secret`.
    pub(crate) secret: String,
    /// Further variables of the provider's environment.
    more: Vec<(&'static str, String)>,
    pub(super) front: Option<Front>,
}

impl Place {
    /// Returns the place of a started fixture, whose block takes `secret`.
    pub(super) fn new(fixture: impl Fixture, secret: String) -> Self {
        Self {
            block_name: fixture.block_name(),
            fixture: Box::new(fixture),
            secret,
            more: Vec::new(),
            front: None,
        }
    }

    /// Returns the fixture of a vendor.
    pub(super) fn fixture<F: Fixture>(&self) -> &F {
        let fixture: &dyn Any = self.fixture.as_ref();
        let fixture = fixture.downcast_ref();
        fixture.unwrap_or_else(|| panic!("{} is another vendor's", self.block_name))
    }

    /// Takes another credential.
    pub(crate) fn with_secret(self, secret: String) -> Self {
        Self { secret, ..self }
    }

    /// Moves the credential to the environment, where the vendor's own tools find
    /// it. Credentials that are read from files are written to `folder`.
    pub(crate) fn with_ambient_secret(mut self, folder: &Path) -> Self {
        self.more = self.fixture.ambient_variables(self.secret.clone(), folder);
        self
    }

    /// Adds variables to the provider's environment.
    pub(crate) fn with_variables(mut self, more: Vec<(&'static str, String)>) -> Self {
        self.more.extend(more);
        self
    }

    /// Returns the variables that give the credential.
    pub(crate) fn ambient_variables(&self) -> Vec<(&'static str, String)> {
        self.more.clone()
    }

    /// Returns the block without a credential, for the ambient chain.
    pub(crate) fn ambient_block(&self) -> String {
        let block = self.block();
        let given =
            |line: &&str| !line.contains("var.backend_secret") && !line.contains("access_key_id");
        let lines = block.lines().filter(given);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Returns the variables that the provider's process needs to trust the place,
    /// through the proxy in front of it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.more.clone();
        // Neither a denied grant nor a missing object is retried for long.
        environment.push(("PLANTON_TEST_GRANT_WAIT_MS", "0".to_owned()));
        environment.push(("PLANTON_TEST_ABSENCE_WAIT_MS", "100".to_owned()));
        match &self.front {
            Some(front) => environment.extend(front.environment()),
            None => environment.extend(self.fixture.over_http().and_then(OverHttp::trust)),
        }
        environment
    }

    /// Makes a workspace of `scene` whose provider trusts this place.
    pub(crate) fn workspace(&self, scene: &Scene) -> Workspace {
        let mut workspace = scene.workspace("");
        for (name, value) in self.environment() {
            workspace.env(name, value);
        }
        // The wait between two reads of a missing object, which is 30 s in a release.
        workspace.env("PLANTON_TEST_ABSENCE_WAIT_MS", "50");
        workspace
    }

    /// Returns the current value of a secret of organization scope, as a consumer reads
    /// it.
    pub(crate) fn read(&self, scene: &Scene, name: &str) -> String {
        let selector = format!("name = {name:?}");
        let mut values = self.read_each(scene, &[("it", selector)]);
        values.remove("it").unwrap()
    }

    /// Returns the values that consumers read with these selectors, by their keys.
    pub(crate) fn read_each(
        &self,
        scene: &Scene,
        selectors: &[(&str, String)],
    ) -> BTreeMap<String, String> {
        read_values_in(&self.workspace(scene), selectors)
    }

    /// Returns the block for `planton_secret_backend`, with its credential from
    /// `var.backend_secret`.
    pub(crate) fn block(&self) -> String {
        self.block_at(&self.address())
    }

    /// Returns the block for another address of the same place.
    pub(crate) fn block_at(&self, address: &str) -> String {
        let attributes = self.fixture.attributes(address);
        format!("  {} = {{\n{attributes}  }}\n", self.block_name)
    }

    /// Returns the address of the proxy in front, if there is one, and of the place.
    pub(crate) fn address(&self) -> String {
        match &self.front {
            Some(front) => front.proxy().address().to_owned(),
            None => self.fixture.address(),
        }
    }

    /// Returns replacements in a declaration of the backend `own`. Each makes it
    /// another place, where the provider finds nothing.
    pub(crate) fn elsewhere(&self) -> Vec<(&'static str, &'static str)> {
        self.fixture.elsewhere()
    }

    /// Returns whether each version has a path of its own. A version without a
    /// record then survives the deletion of its secret.
    pub(crate) fn stores_versions_apart(&self) -> bool {
        self.fixture.stores_versions_apart()
    }

    /// Returns whether single versions can be deleted.
    pub(crate) fn deletes_versions(&self) -> bool {
        self.fixture.deletes_versions()
    }
}
