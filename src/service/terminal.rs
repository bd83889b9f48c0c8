//! What the terminal can show, and whether its user wants it.

use std::io;
use std::io::IsTerminal;

use anstream::AutoStream;
use anstream::ColorChoice;

use crate::publication::report::Colour;
use crate::publication::report::Medium;

/// By `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM`, and by the width of the terminal.
pub(super) fn of_stdout() -> Medium {
    let stdout = io::stdout();
    let colour = match AutoStream::choice(&stdout) {
        ColorChoice::Never => Colour::Plain,
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Colour::Ansi,
    };
    let size = if stdout.is_terminal() { terminal_size::terminal_size() } else { None };
    match size {
        Some((terminal_size::Width(columns), _)) => Medium::of_terminal(colour, columns.into()),
        None => Medium { colour, ..Medium::PLAIN },
    }
}
