//! Standard output: data only, flushed when something is waiting for it, and quiet when the reader goes away.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use crosscast_api::{Exit, shown};
use serde::Serialize;

use crate::failure::Failure;

/// Standard output of a verb.
pub(crate) struct Out {
    writer: BufWriter<Stdout>,
    /// Whether a person looks at it, so that nothing hostile may reach it.
    terminal: bool,
}

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self { writer: BufWriter::with_capacity(64 << 10, stdout), terminal }
    }

    /// Whether a person looks at it.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line of text of our own, in which words from elsewhere are made safe.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        let text = shown(text);
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// One payload and a newline: as it is, unless a terminal would have to obey it.
    pub(crate) fn payload(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.terminal {
            return self.line(&String::from_utf8_lossy(bytes));
        }
        self.write(bytes)?;
        self.write(b"\n")
    }

    /// One line of JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let line = crosscast_api::json(value)
            .map_err(|error| Failure::new(crosscast_api::Code::Internal, error.to_string()))?;
        self.write(line.as_bytes())?;
        self.write(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| failed(&error))
    }

    /// Hands over what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| failed(&error))
    }
}

/// A reader that has seen enough is no failure: `crosscast sub g | head -1` ends well.
fn failed(error: &io::Error) -> Failure {
    let failure = Failure::io("standard output", error);
    if error.kind() == io::ErrorKind::BrokenPipe { Failure { exit: Exit::Ok, ..failure } } else { failure }
}

/// Rows of a table with aligned columns; the last column is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns_of(cell)).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let cell = shown(cell);
            line.push_str(&cell);
            let gap = width.saturating_sub(columns_of(&cell)).saturating_add(2);
            line.extend(std::iter::repeat_n(' ', gap));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn columns_of(cell: &str) -> usize {
    shown(cell).chars().count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_table_is_aligned_and_holds_nothing_hostile() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table(&[row(["a", "bb", "c"]), row(["\u{1b}[2J", "é", "long"])]);
        assert_eq!(lines, ["a          bb  c", "\\u{1b}[2J  é   long"]);
    }
}
