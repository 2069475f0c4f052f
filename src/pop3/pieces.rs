//! A server's answers in memory, cut anywhere: for the fuzzer.

use super::capability::Capabilities;
use super::reply::Reply;
use super::unstuff::Unstuffer;

/// The message that an answer holds, and how many bytes of it were taken if it ended.
fn message(input: &[u8], sizes: &[usize], announced: Option<u64>) -> (Vec<u8>, Option<usize>) {
    let mut unstuffer = Unstuffer::new(announced);
    let (mut text, mut at, mut turn) = (Vec::new(), 0, 0);
    while at < input.len() {
        let end = input
            .len()
            .min(at.saturating_add(sizes[turn % sizes.len()]));
        let mut keep = |piece: &[u8]| {
            text.extend_from_slice(piece);
            Ok(())
        };
        let pushed = unstuffer.push(&input[at..end], &mut keep);
        match pushed {
            Ok(Some(taken)) => return (text, Some(at + taken)),
            Ok(None) => {}
            Err(e) => panic!("{e}"),
        }
        (at, turn) = (end, turn + 1);
    }
    (text, None)
}

/// However the input is cut, the same comes of it; and no line of an answer is more than it is. Panics where that is not so.
pub(crate) fn same_however_cut(input: &[u8], sizes: &[usize]) {
    for announced in [None, Some(3), Some(input.len() as u64)] {
        let whole = message(input, &[usize::MAX], announced);
        assert_eq!(whole, message(input, sizes, announced));
        assert!(whole.0.len() <= input.len());
    }
    let lines: Vec<Vec<u8>> = input.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    drop(Capabilities::parse(&lines));
    for line in &lines {
        if let Some(Reply::No(refusal)) = Reply::parse(line) {
            drop((refusal.code(), refusal.words(), refusal.is_unsupported()));
        }
    }
}
