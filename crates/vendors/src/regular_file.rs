//! Opens the regular files that a configuration names. Rejects pipes, which could block.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens the regular file at `path` for reading. Blocks on I/O, and never on
/// another process, as the opening of a named pipe does.
///
/// # Errors
///
/// As the operating system says; `InvalidInput` for anything but a regular file.
pub fn open_regular_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Without it, open(2) of a pipe waits for a writer. It has no effect on a
    // regular file: https://man7.org/linux/man-pages/man2/open.2.html
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a pipe, a socket or a device, and not a regular file",
        ))
    }
}
