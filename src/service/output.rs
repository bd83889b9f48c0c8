//! Prints the result of a command on stdout.

use std::io;
use std::io::Write;

/// Prints a text with one line end behind it.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        // Whoever reads the first line only, such as `head`, has what he wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
