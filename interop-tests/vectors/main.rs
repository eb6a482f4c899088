//! Writes or checks the golden vectors: `crosscast-vectors [--check] [DIR]`, where DIR is `docs/spec/vectors` at first.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut check = false;
    let mut dir = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            flag if flag.starts_with('-') || dir.is_some() => return usage(),
            path => dir = Some(PathBuf::from(path)),
        }
    }
    let dir = dir.unwrap_or_else(|| PathBuf::from("docs/spec/vectors"));
    let outcome = if check {
        crosscast_vectors::check(&dir)
    } else {
        crosscast_vectors::write(&dir).map_err(|error| vec![error])
    };
    match outcome {
        Ok(count) => {
            println!("{count} vectors {} in {}", if check { "hold" } else { "written" }, dir.display());
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            for sentence in wrong {
                eprintln!("{sentence}");
            }
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: crosscast-vectors [--check] [DIR]");
    ExitCode::from(2)
}
