//! Real English text: the repository's own documentation, line by line, numbered so that no two lines are the same.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::Site;

/// Shortest line that counts as text, in bytes: a sentence's worth.
const LINE_MIN: usize = 24;

/// Different sentences there must be. 300: the documentation has a few times as many.
const DISTINCT_MIN: usize = 300;

/// As many numbered lines as asked for, the documentation over and over.
///
/// # Errors
/// When the documentation cannot be read, or is too short.
pub fn lines(count: usize) -> Result<Vec<String>> {
    let mut files = Vec::new();
    gather(&Site::repository().join("docs"), &mut files)?;
    files.sort();
    let mut text = Vec::new();
    for file in files {
        text.extend(fs::read_to_string(file)?.lines().map(str::trim).filter(|line| is_text(line)).map(str::to_owned));
    }
    let distinct: std::collections::BTreeSet<&String> = text.iter().collect();
    ensure!(distinct.len() >= DISTINCT_MIN, "the documentation has only {} lines of text", distinct.len());
    Ok(text.iter().cycle().take(count).zip(1..).map(|(line, number)| format!("{number:05} {line}")).collect())
}

fn gather(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            into.push(path);
        }
    }
    Ok(())
}

fn is_text(line: &str) -> bool {
    line.len() >= LINE_MIN && line.contains(' ') && line.starts_with(|first: char| first.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_all_different() {
        let lines = lines(10_000).unwrap();
        let distinct: std::collections::BTreeSet<&String> = lines.iter().collect();
        assert_eq!(distinct.len(), 10_000);
        assert!(lines[9_999].starts_with("10000 "));
    }
}
