//! Replays the corpus through every target on a stable compiler: each input as it is, cut short, and bent.
//!
//! `CROSSCAST_FUZZ_BENDS` sets how many random bends each input gets beyond the systematic ones (default 200).

use std::path::{Path, PathBuf};

use crosscast_fuzz::TARGETS;

fn inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a readable file"))).collect()
}

/// SplitMix64 (Steele et al. 2014): the same bends in every run.
fn roll(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 16).expect("48 bits")
}

#[test]
fn every_target_has_seeds_and_a_wrapper() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in TARGETS {
        assert!(!inputs(name).is_empty(), "no seeds for {name}");
        assert!(root.join("fuzz_targets").join(format!("{name}.rs")).is_file(), "no wrapper for {name}");
    }
    let folders = std::fs::read_dir(root.join("corpus")).expect("a corpus").count();
    assert_eq!(folders, TARGETS.len(), "a folder of the corpus that no target reads");
}

#[test]
fn the_corpus_breaks_no_word() {
    for (name, target) in TARGETS {
        for (path, data) in inputs(name) {
            println!("{name}: {}", path.display());
            target(&data);
        }
    }
}

#[test]
fn the_corpus_cut_short_or_bent_breaks_no_word() {
    let bends = std::env::var("CROSSCAST_FUZZ_BENDS").map_or(200, |text| text.parse().expect("a number"));
    for (name, target) in TARGETS {
        for (path, data) in inputs(name) {
            println!("{name}: {}", path.display());
            // The ends of a long input are repetitive: its first bytes hold the structure.
            for at in 0..data.len().min(600) {
                target(&data[..at]);
                for bent in [data[at] ^ 1, data[at] ^ 0x20, data[at] ^ 0x80, 0, 0x18, 0x1b, 0x5f, 0xff] {
                    let mut changed = data.clone();
                    changed[at] = bent;
                    target(&changed);
                }
            }
            let mut state = data.len() as u64;
            for _ in 0..bends {
                let mut changed = data.clone();
                for _ in 0..=roll(&mut state) % 4 {
                    let at = roll(&mut state) % (changed.len() + 1);
                    let byte = roll(&mut state).to_le_bytes()[0];
                    match roll(&mut state) % 3 {
                        0 => changed.insert(at, byte),
                        1 if at < changed.len() => drop(changed.remove(at)),
                        _ => changed.get_mut(at).into_iter().for_each(|slot| *slot = byte),
                    }
                }
                target(&changed);
            }
        }
    }
}
