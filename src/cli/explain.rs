//! `crosscast explain CODE`: the table of codes, for people.

use crosscast_api::Code;
use serde::Serialize;

use crate::Context;
use crate::failure::Failure;
use crate::out::table;

#[derive(Debug, Serialize)]
struct Explained {
    code: &'static str,
    means: &'static str,
    next: &'static str,
    exit: u8,
    status: u16,
}

#[derive(Debug, Serialize)]
struct All {
    codes: Vec<Explained>,
}

fn explained(code: Code) -> Explained {
    let (code, means, next, exit, status) =
        (code.word(), code.means(), code.next(), code.exit().number(), code.status());
    Explained { code, means, next, exit, status }
}

/// Explains a code, or lists all.
pub(crate) fn explain(word: Option<&str>, context: &mut Context) -> Result<(), Failure> {
    let Some(word) = word else { return list(context) };
    let code = Code::from_word(word)
        .ok_or_else(|| Failure::new(Code::Usage, format!("`{word}` is no code; `crosscast explain` lists them")))?;
    let row = explained(code);
    if context.json {
        context.out.json(&row)?;
    } else {
        context.out.line(&format!("{}: {}", row.code, row.means))?;
        context.out.line(&format!("next: {}", row.next))?;
        context.out.line(&format!("exit code {}, HTTP status {}", row.exit, row.status))?;
    }
    context.out.flush()
}

fn list(context: &mut Context) -> Result<(), Failure> {
    if context.json {
        context.out.json(&All { codes: Code::ALL.iter().copied().map(explained).collect() })?;
    } else {
        let rows: Vec<Vec<String>> =
            Code::ALL.iter().map(|code| vec![code.word().to_owned(), code.means().to_owned()]).collect();
        for line in table(&rows) {
            context.out.line(&line)?;
        }
    }
    context.out.flush()
}
