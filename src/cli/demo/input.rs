//! What is published: standard input when something is piped in, a file, or a text of our own.
//!
//! A line is what stands before a newline: empty, repeated and non-UTF-8 ones count like any other. All of it is read
//! and checked before the first node is started, so that a line no entry can hold is named and nothing was sent.

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use bytes::Bytes;
use crosscast_api::{Code, Line, Lines};

use crate::args::DemoArgs;
use crate::failure::Failure;

/// The most bytes of one line: an entry's limit.
const LINE_MAX: usize = 64 << 10;

/// The most input that is taken, in bytes. 1 GiB: it is held in memory, to be compared with what arrives.
const INPUT_MAX: u64 = 1 << 30;

/// The most lines that `--lines` makes. 10 million: a gigabyte.
const LINES_MAX: u64 = 10_000_000;

const TEXT: &str = include_str!("default.txt");

/// The lines to publish, and in words where they come from.
pub(crate) fn lines(args: &DemoArgs) -> Result<(Vec<Bytes>, String), Failure> {
    if let Some(path) = &args.input {
        let failed = |error: &std::io::Error| Failure::io(path.display(), error);
        let bytes = read(File::open(path).map_err(|error| failed(&error))?, path)?;
        return Ok((cut(&bytes)?, path.display().to_string()));
    }
    if let Some(count) = args.lines {
        return Ok((repeated(count)?, "the built-in text, repeated".to_owned()));
    }
    if is_piped() {
        let bytes = read(std::io::stdin().lock(), Path::new("standard input"))?;
        if !bytes.is_empty() {
            return Ok((cut(&bytes)?, "standard input".to_owned()));
        }
    }
    Ok((cut(&Bytes::from_static(TEXT.as_bytes()))?, "the built-in text".to_owned()))
}

/// Whether standard input is a pipe, a socket or a file: something that somebody put there.
fn is_piped() -> bool {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return false;
    }
    // A null device is nobody's input.
    std::fs::metadata("/dev/stdin").is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_file() || kind.is_socket()
    })
}

fn read(from: impl Read, name: &Path) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(INPUT_MAX.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io(name.display(), &error))?;
    if bytes.len() as u64 > INPUT_MAX {
        let cause =
            format!("{} has more than {INPUT_MAX} bytes, which the demonstration holds in memory", name.display());
        return Err(Failure::new(Code::TooLarge, cause));
    }
    Ok(bytes.into())
}

fn cut(bytes: &Bytes) -> Result<Vec<Bytes>, Failure> {
    let (mut cutter, mut lines) = (Lines::new(LINE_MAX), Vec::new());
    cutter.push(bytes, &mut lines);
    lines.extend(cutter.finish());
    let check = |(number, line)| match line {
        Line::Whole(bytes) => Ok(bytes),
        Line::TooLong(len) => {
            Err(Failure::new(Code::TooLarge, format!("line {number} has {len} bytes; an entry holds {LINE_MAX}")))
        }
    };
    (1u64..).zip(lines).map(check).collect()
}

/// The text again and again, each line with its number, so that every line is another.
fn repeated(count: u64) -> Result<Vec<Bytes>, Failure> {
    if count > LINES_MAX {
        return Err(Failure::new(Code::Usage, format!("--lines is at most {LINES_MAX}")));
    }
    Ok((1..=count).zip(TEXT.lines().cycle()).map(|(number, line)| Bytes::from(format!("{number} {line}"))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_line_counts_whatever_it_holds() {
        let lines = cut(&Bytes::from_static(b"a\n\na\n\xff\r\nlast")).unwrap();
        assert_eq!(lines, [&b"a"[..], b"", b"a", b"\xff\r", b"last"]);
    }

    #[test]
    fn a_line_that_no_entry_holds_is_named_by_its_number() {
        let text = format!("ok\n{}\n{}\n", "x".repeat(LINE_MAX), "y".repeat(LINE_MAX + 1));
        let failure = cut(&Bytes::from(text)).unwrap_err();
        assert!(failure.cause.starts_with("line 3 has 65537 bytes"), "{failure}");
        assert_eq!(failure.exit.number(), 2);
    }

    #[test]
    fn the_text_repeats_numbered_and_has_every_kind_of_line() {
        let lines = repeated(50).unwrap();
        assert_eq!(lines.len(), 50);
        assert!(lines[0].starts_with(b"1 Five nodes") && lines[49].starts_with(b"50 "));
        let text: Vec<&str> = TEXT.lines().collect();
        assert!(text.contains(&"") && text.windows(2).any(|pair| pair[0] == pair[1]));
    }
}
