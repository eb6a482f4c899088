//! Rules of the house that no compiler knows: file headers and lengths, machine paths, spelling, dead links.
//!
//! Looks at every file git knows or would add, so a fresh file is judged before it is committed. A rule names the file
//! and the line; there is no switch to silence one, a rule that fires falsely is to be mended here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::metadata::Workspace;
use crate::run;

/// Longest source file in lines. The aim is 400; what needs more than 500 has two subjects.
const FILE_LINES: usize = 500;

/// Longest file header in lines, code examples not counted.
const HEADER_LINES: usize = 15;

/// Places whose files may be as long as they like: tests tell stories, tools are read by their makers.
const LONG_PLACES: &[&str] = &["tests", "interop-tests", "xtask", "benches", "fuzz", "examples"];

/// Starts of paths that exist on somebody's machine only; spelled in pieces so that this file passes its own rule.
const MACHINE_PATHS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "tmp/cc")];

/// Words that promise what is not there.
const PROMISES: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];

/// Prints every broken rule; true when there is none.
pub(crate) fn main() -> Result<bool> {
    let workspace = Workspace::load()?;
    let (files, broken) = untidy(&workspace.root)?;
    for line in &broken {
        println!("{line}");
    }
    println!("tidy: {files} files, {} broken rules", broken.len());
    Ok(broken.is_empty())
}

/// How many files were read, and every broken rule with its place.
pub(crate) fn untidy(root: &Path) -> Result<(usize, Vec<String>)> {
    let files = files(root)?;
    let known: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut broken = Vec::new();
    let mut read = 0_usize;
    for file in &files {
        let Ok(bytes) = fs::read(root.join(file)) else { continue }; // deleted, not yet committed
        let Ok(text) = String::from_utf8(bytes) else { continue }; // an image, a recorded exchange
        read = read.saturating_add(1);
        let found = judge(file, &text, &known);
        broken.extend(found.into_iter().map(|(line, rule)| format!("{file}:{line}: {rule}")));
    }
    Ok((read, broken))
}

/// Files that git tracks or would add, relative to the root.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listed = run::output(&mut command).context("tidy asks git which files there are")?;
    let files: BTreeSet<String> = listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(files.into_iter().collect())
}

type Found = Vec<(usize, String)>;

fn judge(file: &str, text: &str, known: &BTreeSet<&str>) -> Found {
    let mut found = Found::new();
    let generated = file.ends_with("Cargo.lock") || file.starts_with("docs/spec/vectors/");
    if !generated {
        machine_paths(text, &mut found);
    }
    if has_ending(file, "rs") {
        length(file, text, &mut found);
        header(text, &mut found);
        bare_ignores(text, &mut found);
        promises(text, &mut found);
    }
    if has_ending(file, "md") {
        promises(text, &mut found);
        spelling(text, &mut found);
        dead_links(file, text, known, &mut found);
    }
    if has_ending(file, "rs") || has_ending(file, "md") || has_ending(file, "toml") {
        unknown_documents(text, known, &mut found);
    }
    found.sort();
    found
}

fn has_ending(file: &str, ending: &str) -> bool {
    Path::new(file).extension().is_some_and(|own| own == ending)
}

fn length(file: &str, text: &str, found: &mut Found) {
    let free = file.split('/').any(|part| LONG_PLACES.contains(&part) || part == "tests.rs");
    let lines = text.lines().count();
    if !free && lines > FILE_LINES {
        found.push((lines, format!("{lines} lines; a file has one subject and at most {FILE_LINES} lines")));
    }
}

fn header(text: &str, found: &mut Found) {
    let mut prose = 0_usize;
    let mut in_example = false;
    for line in text.lines().take_while(|line| line.starts_with("//!")) {
        let fence = line.trim_start_matches("//!").trim_start().starts_with("```");
        if !fence && !in_example {
            prose = prose.saturating_add(1);
        }
        in_example ^= fence;
    }
    if prose == 0 {
        found.push((1, "no `//!` header: say what lives here and what it leaves to others".to_owned()));
    } else if prose > HEADER_LINES {
        found.push((prose, format!("a header of {prose} lines; {HEADER_LINES} are enough")));
    }
}

fn bare_ignores(text: &str, found: &mut Found) {
    for (number, line) in numbered(text) {
        if line.trim_start().starts_with("#[ignore]") {
            found.push((number, "an ignored test says why: #[ignore = \"..\"]".to_owned()));
        }
    }
}

fn promises(text: &str, found: &mut Found) {
    for (number, line) in numbered(text) {
        if let Some(word) = PROMISES.iter().find(|word| as_word(line, word)) {
            found.push((number, format!("`{word}`: do it, or leave it out and say so where it is missed")));
        }
    }
}

fn as_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at.saturating_add(word.len())..).and_then(|text| text.chars().next());
        let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(part_of_name) && (word.ends_with('(') || !after.is_some_and(part_of_name))
    })
}

fn machine_paths(text: &str, found: &mut Found) {
    for (number, line) in numbered(text) {
        for path in MACHINE_PATHS {
            let starts_a_path = |at: usize| {
                let before = line.get(..at).and_then(|text| text.chars().next_back());
                !before.is_some_and(|c| c.is_alphanumeric() || "._-~})$/".contains(c))
            };
            if line.match_indices(path).any(|(at, _)| starts_a_path(at)) {
                found.push((number, format!("`{path}` is a path of somebody's machine")));
            }
        }
    }
}

/// The one spelling, in prose; code keeps the names that others gave.
fn spelling(text: &str, found: &mut Found) {
    const LONG: &str = "publish/subscribe";
    const SHORT: &str = "(pub/sub)";
    let mut rest = prose(text).to_ascii_lowercase();
    let rights: Vec<(usize, usize)> = rest
        .match_indices(LONG)
        .filter_map(|(at, _)| {
            let after = rest.get(at.saturating_add(LONG.len())..)?;
            let end = rest.len().saturating_sub(after.trim_start().strip_prefix(SHORT)?.len());
            Some((at, end))
        })
        .collect();
    for (at, end) in rights {
        let blank: String = rest.get(at..end).unwrap_or_default().chars().map(blank).collect();
        rest.replace_range(at..end, &blank);
    }
    for wrong in ["pub/sub", "pubsub", "pub-sub", "publish-subscribe", LONG] {
        for (at, _) in rest.match_indices(wrong) {
            let number = rest.get(..at).map_or(0, |before| before.matches('\n').count()).saturating_add(1);
            found.push((number, format!("`{wrong}`: the one spelling is \"{LONG} {SHORT}\"")));
        }
    }
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

/// The text with code spans, code blocks and link targets blanked; line breaks and byte positions stay.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_block = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        let mut in_span = false;
        let mut in_target = false;
        let mut last = ' ';
        for c in line.chars() {
            in_span ^= c == '`';
            in_target = (in_target || (last == ']' && c == '(')) && c != ')';
            let hide = (in_block || fence || in_span || in_target || c == '`') && c != '\n';
            if hide {
                out.extend(std::iter::repeat_n(' ', c.len_utf8()))
            } else {
                out.push(c)
            }
            last = c;
        }
        in_block ^= fence;
    }
    out
}

fn dead_links(file: &str, text: &str, known: &BTreeSet<&str>, found: &mut Found) {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (number, line) in numbered(text) {
        for (at, _) in line.match_indices("](") {
            let target = line.get(at.saturating_add(2)..).unwrap_or_default();
            let target = target.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let path = joined(folder, target);
            let is_folder = known.iter().any(|file| file.starts_with(&format!("{}/", path.trim_end_matches('/'))));
            if !known.contains(path.as_str()) && !is_folder {
                found.push((number, format!("`{target}` leads nowhere")));
            }
        }
    }
}

fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Names such as `GLOSSARY.md` must be names of documents that a reader of this repository can open.
fn unknown_documents(text: &str, known: &BTreeSet<&str>, found: &mut Found) {
    for (number, line) in numbered(text) {
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
            let Some(stem) = word.trim_matches('.').strip_suffix(".md") else { continue };
            let shouted = stem.len() > 2 && stem.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c == '-');
            let ending = format!("/{stem}.md");
            if shouted && !known.iter().any(|file| file.ends_with(&ending) || *file == format!("{stem}.md")) {
                found.push((number, format!("`{stem}.md` is no document of this repository")));
            }
        }
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1_usize..).zip(text.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(file: &str, text: &str) -> Vec<String> {
        let known = BTreeSet::from(["README.md", "docs/GLOSSARY.md", "docs/adr/0001-a.md"]);
        judge(file, text, &known).into_iter().map(|(line, rule)| format!("{line} {rule}")).collect()
    }

    fn count(file: &str, text: &str) -> usize {
        rules(file, text).len()
    }

    #[test]
    fn a_source_file_opens_with_what_it_is() {
        assert_eq!(count("src/a.rs", "//! A.\nfn a() {}\n"), 0);
        assert_eq!(count("src/a.rs", "fn a() {}\n"), 1);
        assert_eq!(count("src/a.rs", &"//! A.\n".repeat(16)), 1);
        let example = format!("//! A.\n//!\n//! ```\n{}//! ```\n", "//! let a = 1;\n".repeat(20));
        assert_eq!(count("src/a.rs", &example), 0);
    }

    #[test]
    fn a_long_file_is_named_outside_tests() {
        let long = format!("//! A.\n{}", "// a\n".repeat(500));
        assert_eq!(count("src/a.rs", &long), 1);
        assert_eq!(count("src/a/tests/b.rs", &long), 0);
        assert_eq!(count("src/a/tests.rs", &long), 0);
    }

    #[test]
    fn a_machine_path_is_named_and_a_relative_one_is_not() {
        let [work, root, ..] = MACHINE_PATHS else { return };
        assert_eq!(count("a.toml", &format!("path = \"{work}x\"")), 1);
        assert_eq!(count("a.sh", &format!("cd {root}x")), 1);
        assert_eq!(count("a.sh", &format!("cd target{work}x; cd $HOME{work}x; curl https://a.example{root}x")), 0);
    }

    #[test]
    fn publish_subscribe_has_one_spelling_in_prose() {
        assert_eq!(count("a.md", "Publish/subscribe (pub/sub) for all.\n"), 0);
        assert_eq!(count("a.md", "publish/subscribe\n(pub/sub), and `pubsub` in code\n"), 0);
        assert_eq!(count("a.md", "a pub/sub thing\n"), 1);
        assert_eq!(count("a.md", "a PubSub thing\n"), 1);
        assert_eq!(count("a.md", "publish/subscribe groups\n"), 1);
        assert_eq!(count("a.md", "```\npubsub\n```\n[a](https://x.example/pubsub)\n"), 0);
    }

    #[test]
    fn an_ignored_test_says_why() {
        let attribute = concat!("#[", "ignore]");
        assert_eq!(count("src/a.rs", &format!("//! A.\n{attribute}\n")), 1);
        assert_eq!(count("src/a.rs", "//! A.\n#[ignore = \"slow\"]\n"), 0);
    }

    #[test]
    fn a_promise_is_named() {
        let [word, ..] = PROMISES else { return };
        assert_eq!(count("src/a.rs", &format!("//! A.\n// {word}: later\n")), 1);
        assert_eq!(count("src/a.rs", &format!("//! A.\n// MAS{word}N\n")), 0);
    }

    #[test]
    fn links_and_document_names_lead_somewhere() {
        assert_eq!(count("docs/a.md", "[g](GLOSSARY.md) [r](../README.md#top) [w](https://x.example) [d](adr)\n"), 0);
        assert_eq!(count("docs/a.md", "[g](nowhere.md)\n"), 1);
        assert_eq!(count("src/a.rs", "//! See `docs/GLOSSARY.md`.\n"), 0);
        assert_eq!(count("src/a.rs", &format!("//! See {}.md.\n", "HIDDEN")), 1);
    }
}
