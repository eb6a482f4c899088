//! The golden vectors of the formats in `docs/spec/vectors`.
//!
//! [`generate`] makes them from fixed seeds; [`check`] holds the committed files against a new making, byte by byte, and
//! [`hold`] holds the decoder against what the files say, whoever wrote them. A vector is bytes, what kind of thing they
//! are said to be, and either the fields an implementation has to read from them or the reason for which it refuses
//! them. Reasons are the names in `docs/spec/refusals.md`.

mod cases;
mod judge;
mod reason;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use judge::judge;

/// One vector, as it stands in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// A few words; unique among its kind in the file.
    pub name: String,
    /// What the bytes are said to be.
    pub kind: String,
    /// What a reader has to know beside the bytes, where a kind needs it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub context: Value,
    /// The bytes in lower-case hexadecimal; text as UTF-8.
    pub bytes: String,
    /// Whether a reader accepts them, signatures and hashes included.
    pub valid: bool,
    /// Why it refuses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it reads from them.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub fields: Value,
}

/// Files by name, each with its vectors.
pub type Files = BTreeMap<&'static str, Vec<Vector>>;

/// Makes all vectors.
///
/// # Errors
/// A sentence that names the case whose outcome is not the one it was written for.
pub fn generate() -> Result<Files, String> {
    cases::all()
}

/// The text of a file.
///
/// # Errors
/// When a value cannot be written as JSON.
pub fn to_text(vectors: &[Vector]) -> Result<String, String> {
    let mut text = serde_json::to_string_pretty(vectors).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(text)
}

/// Writes all files into `dir` and returns how many vectors they have.
///
/// # Errors
/// What [`generate`] finds, or a file that cannot be written.
pub fn write(dir: &Path) -> Result<usize, String> {
    let files = generate()?;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for (name, vectors) in &files {
        let path = dir.join(name);
        std::fs::write(&path, to_text(vectors)?).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(files.values().map(Vec::len).sum())
}

/// Holds the files in `dir` against a new making and the decoder against the files; returns how many vectors there are.
///
/// # Errors
/// One sentence per difference.
pub fn check(dir: &Path) -> Result<usize, Vec<String>> {
    let files = generate().map_err(|error| vec![error])?;
    let mut wrong = Vec::new();
    let mut count = 0_usize;
    for (name, vectors) in &files {
        let path = dir.join(name);
        match (std::fs::read_to_string(&path), to_text(vectors)) {
            (Ok(found), Ok(made)) if found == made => match hold(&found) {
                Ok(held) => count = count.saturating_add(held),
                Err(list) => wrong.extend(list.into_iter().map(|sentence| format!("{name}: {sentence}"))),
            },
            (Ok(_), Ok(_)) => wrong.push(format!("{name} is not what the generator makes")),
            (Err(error), _) => wrong.push(format!("{}: {error}", path.display())),
            (_, Err(error)) => wrong.push(format!("{name}: {error}")),
        }
    }
    for name in json_files(dir) {
        if !files.contains_key(name.as_str()) {
            wrong.push(format!("{name} is not a file of the generator"));
        }
    }
    if wrong.is_empty() { Ok(count) } else { Err(wrong) }
}

/// Holds the decoder against the text of a file; returns how many vectors it has.
///
/// # Errors
/// One sentence per vector that the decoder sees otherwise.
pub fn hold(text: &str) -> Result<usize, Vec<String>> {
    let vectors: Vec<Vector> = serde_json::from_str(text).map_err(|error| vec![error.to_string()])?;
    let wrong: Vec<String> = vectors.iter().filter_map(|vector| hold_one(vector).err()).collect();
    if wrong.is_empty() { Ok(vectors.len()) } else { Err(wrong) }
}

fn hold_one(vector: &Vector) -> Result<(), String> {
    let bytes = values::from_hex(&vector.bytes).ok_or_else(|| format!("{}: bytes are not hexadecimal", vector.name))?;
    let (valid, reason, fields) = match judge(&vector.kind, &vector.context, &bytes) {
        Ok(fields) => (true, None, fields),
        Err(reason) => (false, Some(reason), Value::Null),
    };
    if (valid, &reason, &fields) == (vector.valid, &vector.reason, &vector.fields) {
        Ok(())
    } else {
        Err(format!("{}: found {valid} {reason:?} {fields}", vector.name))
    }
}

fn json_files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn spec() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec")
    }

    #[test]
    fn the_committed_vectors_are_what_the_generator_makes_and_the_decoder_reads() {
        assert!(check(&spec().join("vectors")).unwrap() >= 150);
    }

    #[test]
    fn every_name_is_used_once_for_its_kind_in_its_file() {
        for (file, vectors) in generate().unwrap() {
            let mut names: Vec<_> = vectors.iter().map(|vector| (&vector.kind, &vector.name)).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), vectors.len(), "{file}");
        }
    }

    #[test]
    fn every_reason_is_named_in_the_specification() {
        let text = std::fs::read_to_string(spec().join("refusals.md")).unwrap();
        for reason in generate().unwrap().values().flatten().filter_map(|vector| vector.reason.as_ref()) {
            assert!(text.contains(&format!("`{reason}`")), "{reason}");
        }
    }

    #[test]
    fn every_domain_is_named_in_the_specification() {
        let text = std::fs::read_to_string(spec().join("keys.md")).unwrap();
        for domain in crosscast_wire::Domain::ALL {
            assert!(text.contains(&format!("`{}`", domain.name())), "{}", domain.name());
        }
    }

    #[test]
    fn every_derive_key_context_is_named_in_the_specification() {
        let text = std::fs::read_to_string(spec().join("keys.md")).unwrap();
        for vector in generate().unwrap()["keys.json"].iter().filter(|vector| vector.kind == "derive") {
            let context = vector.context["context"].as_str().unwrap();
            assert!(text.contains(&format!("`{context}`")), "{context}");
        }
    }

    #[test]
    fn a_changed_vector_does_not_pass() {
        let files = generate().unwrap();
        let mut vector = files["frames.json"].iter().find(|vector| vector.valid).unwrap().clone();
        assert_eq!(hold(&to_text(std::slice::from_ref(&vector)).unwrap()), Ok(1));
        vector.valid = false;
        assert!(hold(&to_text(&[vector]).unwrap()).is_err());
    }
}
