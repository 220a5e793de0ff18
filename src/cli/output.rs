//! What a command prints. A reader may go away, as in `gc 2>&1 | head -1`, and the macros of
//! the standard library panic then.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

/// Prints a line to stderr. It is lost where nobody reads stderr: a command does not end for
/// want of somebody who watches it.
pub(super) fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a result to stdout, with a line break. Returns whether it was written, or nobody
/// wants to read it. Any other failure is told on stderr.
pub(super) fn print_result(result: impl Display) -> bool {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{result}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tell(format_args!(
                "Error: the result could not be written to stdout: {error}"
            ));
            false
        }
        _ => true,
    }
}
