//! A short run of the fuzzer's targets: the kept inputs, and a fixed number of inputs made of them, the same each time.

use crate::support::{Random, root};
use mailhaul::fuzzing::TARGETS;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Inputs made of each kept one; with MAILHAUL_ALL a hundred times as many.
const ROUNDS: u64 = 300;
/// What protocols are made of; put in where chance would take long to find it.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b".",
    b"..",
    b"{3}\r\n",
    b"{4294967295}\r\n",
    b"(",
    b")",
    b"\"",
    b"\\",
    b"* ",
    b"m1 OK\r\n",
    b"+ ",
    b"[",
    b"]",
    b"&",
    b"&-",
    b"NIL",
    b"FETCH (",
    b"BODY[] ",
    b": ",
    b"\0",
    b"\xff",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = root().join("tests/fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path| std::fs::read(path).expect("a file");
    paths.into_iter().map(read).collect()
}

/// A few changes: bytes replaced, taken out, doubled, cut off, or a word put in.
fn neighbour(random: &mut Random, input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..=random.below(4) {
        let place = |random: &mut Random, len: usize| random.below(len as u64 + 1) as usize;
        let (from, to) = (place(random, out.len()), place(random, out.len()));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 40));
        let word = WORDS[random.below(WORDS.len() as u64) as usize];
        match random.below(6) {
            0 if from < out.len() => out[from] = random.below(256) as u8,
            1 => drop(out.drain(from..to)),
            2 => {
                let again = out[from..to].to_vec();
                out.splice(to..to, again);
            }
            3 => out.truncate(to),
            _ => drop(out.splice(from..from, word.iter().copied())),
        }
    }
    out
}

fn assert_sound(name: &str, target: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{name} breaks on {}", input.escape_ascii());
    }
}

#[test]
fn the_corpus_and_its_neighbours() {
    let rounds = match std::env::var_os("MAILHAUL_ALL") {
        Some(_) => ROUNDS * 100,
        None => ROUNDS,
    };
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() > 3, "{name}");
        let mut random = Random::new(name.len() as u64);
        for input in &corpus {
            assert_sound(name, target, input);
            for _ in 0..rounds {
                assert_sound(name, target, &neighbour(&mut random, input));
            }
        }
    }
}
