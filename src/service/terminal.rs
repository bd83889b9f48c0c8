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
    match columns() {
        Some(columns) => Medium::of_terminal(colour, columns),
        None => Medium { colour, ..Medium::PLAIN },
    }
}

/// To which lines are folded that are not laid out otherwise: those of a file or a pipe are not.
pub(super) fn folding_width() -> usize {
    columns().map_or(usize::MAX, |it| Medium::of_terminal(Colour::Plain, it).width)
}

fn columns() -> Option<usize> {
    let is_terminal = io::stdout().is_terminal();
    let (terminal_size::Width(columns), _) =
        is_terminal.then(terminal_size::terminal_size).flatten()?;
    Some(columns.into())
}
