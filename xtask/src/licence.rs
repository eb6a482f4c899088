//! Licence expressions (SPDX, annex D): whether an allow-list satisfies one.
//!
//! Knows `AND`, `OR`, `WITH`, parentheses and the old `/` for `OR`, which is what manifests use. A licence with an
//! exception is a name of its own: allowing `Apache-2.0` does not allow `Apache-2.0 WITH LLVM-exception`.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

/// Deepest nesting of parentheses; guess, manifests stay below three.
const DEPTH: usize = 16;

/// Whether `expression` can be met with nothing but `allowed` licences.
///
/// # Errors
/// When the expression cannot be read.
pub(crate) fn is_met(expression: &str, allowed: &BTreeSet<String>) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed, 0)?;
    ensure!(words.peek().is_none(), "cannot read the licence expression `{expression}`");
    Ok(met)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>, depth: usize) -> Result<bool> {
    let mut met = all(words, allowed, depth)?;
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed, depth)?;
    }
    Ok(met)
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>, depth: usize) -> Result<bool> {
    let mut met = one(words, allowed, depth)?;
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed, depth)?;
    }
    Ok(met)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>, depth: usize) -> Result<bool> {
    ensure!(depth < DEPTH, "a licence expression nested deeper than {DEPTH}");
    match words.next() {
        Some("(") => {
            let met = any(words, allowed, depth.saturating_add(1))?;
            ensure!(words.next() == Some(")"), "a licence expression with an open parenthesis");
            Ok(met)
        }
        Some(")" | "AND" | "OR" | "WITH") | None => bail!("a licence expression without a name where one must stand"),
        Some(name) if words.next_if_eq(&"WITH").is_some() => {
            let Some(exception) = words.next() else { bail!("a licence expression that ends with WITH") };
            Ok(allowed.contains(&format!("{name} WITH {exception}")))
        }
        Some(name) => Ok(allowed.contains(name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn met(expression: &str) -> bool {
        is_met(expression, &BTreeSet::from(["MIT".to_owned(), "ISC".to_owned()])).unwrap()
    }

    #[test]
    fn or_needs_one_side_and_and_needs_both() {
        assert!(met("MIT OR GPL-3.0-only") && met("GPL-3.0-only OR MIT") && met("MIT/Apache-2.0"));
        assert!(met("MIT AND ISC") && !met("MIT AND OpenSSL"));
        assert!(met("ISC AND (Apache-2.0 OR ISC)") && !met("ISC AND (Apache-2.0 OR OpenSSL)"));
        assert!(met("MIT OR ISC AND OpenSSL"), "AND binds closer than OR");
    }

    #[test]
    fn an_exception_is_a_name_of_its_own() {
        assert!(!met("MIT WITH LLVM-exception"));
        assert!(met("MIT WITH LLVM-exception OR ISC"));
    }

    #[test]
    fn what_cannot_be_read_is_no_licence() {
        for broken in ["", "MIT OR", "(MIT", "MIT ISC", "AND MIT", "MIT)", "MIT WITH"] {
            assert!(is_met(broken, &BTreeSet::new()).is_err(), "{broken}");
        }
    }
}
