use super::{Body, Budget, Traits};
use crate::error::Kind;
use crate::message::canonical::canonical;
use crate::message::digest::digests;
use proptest::prelude::*;
use std::io::Read;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const MIB: u64 = 1 << 20;

fn body_of(budget: &Budget, announced: u64, raw: &[u8], piece: usize) -> Body {
    let mut writer = budget.body(announced).unwrap();
    raw.chunks(piece).for_each(|p| writer.push(p).unwrap());
    writer.finish().unwrap()
}

fn bytes_of(body: &Body) -> Vec<u8> {
    let mut read = Vec::new();
    body.reader().read_to_end(&mut read).unwrap();
    let mut written = Vec::new();
    body.write_to(&mut written).unwrap();
    assert_eq!(read, written);
    read
}

fn traits_of(raw: &[u8]) -> Traits {
    body_of(&Budget::new(MIB), raw.len() as u64, raw, 7).traits()
}

#[test]
fn a_small_body_stays_in_memory_and_gives_all_back() {
    let budget = Budget::new(16 * MIB);
    let body = body_of(&budget, 13, b"A: b\n\nHello\n", 5);
    assert_eq!(bytes_of(&body), b"A: b\r\n\r\nHello\r\n");
    assert_eq!(body.head(), b"A: b\r\n\r\n");
    assert_eq!((body.size(), body.is_spooled()), (15, false));
    assert_eq!(budget.taken(), 15);
    let clone = body.clone();
    drop(body);
    assert_eq!(budget.taken(), 15);
    drop(clone);
    assert_eq!(budget.taken(), 0);
}

#[test]
fn large_bodies_and_lies_are_spooled() {
    let raw = [&b"A: b\n\n"[..], &b"line\n".repeat(200_000)].concat();
    let want = canonical(&raw);
    for announced in [0, 1, raw.len() as u64, u64::MAX] {
        let budget = Budget::new(2 * MIB);
        let body = body_of(&budget, announced, &raw, 100_000);
        assert!(body.is_spooled());
        assert_eq!(body.head(), b"A: b\r\n\r\n");
        assert_eq!(body.digests(), digests(&want));
        let (mut one, mut two) = (body.reader(), body.reader());
        let (mut first, mut second) = ([0; 9], [0; 9]);
        one.read_exact(&mut first).unwrap();
        two.read_exact(&mut second).unwrap();
        assert_eq!(first, second);
        assert!(bytes_of(&body) == want);
        assert!(budget.high_water() <= 2 * MIB);
    }
}

#[test]
fn a_budget_of_one_message_does_not_deadlock() {
    for total in [0, 1, 10, 1000] {
        let budget = Budget::new(total);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for size in [0, 1, 9, 400, 3000] {
                        let raw = vec![b'x'; size];
                        let body = body_of(&budget, size as u64 / 2, &raw, 64);
                        assert_eq!(bytes_of(&body), raw);
                    }
                });
            }
        });
        assert_eq!(budget.taken(), 0);
        assert!(budget.high_water() <= total);
    }
}

#[test]
fn waiters_are_served_in_order_and_starving_tells() {
    let budget = Budget::new(1000);
    let first = budget.take(900).unwrap();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        assert!(!budget.starving());
        for (n, bytes) in [(1, 1000), (2, 10), (3, 5000)] {
            let (tell, waiting) = (tell.clone(), budget.waiting());
            let budget = &budget;
            scope.spawn(move || {
                let permit = budget.take(bytes).unwrap();
                tell.send(n).unwrap();
                drop(permit);
            });
            while budget.waiting() == waiting {
                thread::yield_now();
            }
        }
        assert!(budget.starving());
        // Number 2 would fit, but number 1 asked before.
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
        drop(first);
        let order: Vec<i32> = told.iter().take(3).collect();
        assert_eq!(order, [1, 2, 3]);
    });
    assert_eq!((budget.taken(), budget.high_water()), (0, 1000));
}

#[test]
fn those_held_back_leave_half_to_whoever_is_waited_for() {
    let budget = Budget::new(1000);
    let (later, last) = (budget.behind(), budget.behind());
    let held = later.take(400).unwrap();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let (last, tell) = (&last, &tell);
        scope.spawn(move || {
            let permit = last.take(200).unwrap();
            tell.send("last").unwrap();
            drop(permit);
        });
        // Neither does it stand in the way of those who are not held back.
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
        assert!(!budget.starving());
        drop(budget.take(600).unwrap());
        assert!(told.try_recv().is_err());
        // What is not held back any more does not count.
        later.come();
        assert_eq!(told.recv().unwrap(), "last");
        drop(later.take(600).unwrap());
    });
    drop(held);
    last.come();
    drop(last.take(1000).unwrap());
    assert_eq!(budget.taken(), 0);
    let behind = budget.behind();
    drop(behind.take(500).unwrap());
    drop(behind.take(500).unwrap());
}

#[test]
fn closing_wakes_all_who_wait() {
    let budget = Budget::new(1000);
    let held = budget.take(1000).unwrap();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| budget.body(1))).collect();
        while budget.waiting() < 3 {
            thread::yield_now();
        }
        budget.close();
        for waiter in waiters {
            let e = waiter.join().unwrap().err().unwrap();
            assert_eq!(e.kind, Kind::Interrupted);
        }
    });
    drop(held);
    assert!(budget.body(1).is_err());
    assert!(!budget.starving());
}

#[test]
fn traits_are_found_across_pieces() {
    let fine = [&b"A: b\r\n\r\n"[..], &b"x".repeat(998), b"\r\ncaf\xe9\r\n"].concat();
    assert_eq!(traits_of(&fine), Traits::default());
    assert!(traits_of(b"A: \xe9\r\n\r\nx\r\n").eight_bit_header);
    assert!(traits_of(b"A: b\r\n\r\n123\0\r\n").nul);
    assert!(traits_of(b"A: b\r\nabcde\rf\r\n\r\n").bare_cr);
    assert!(traits_of(b"A: b\r\n\r\nx\r").bare_cr);
    assert!(traits_of(b"A: b\r\n\r\n\r\r\n").bare_cr);
    assert!(traits_of(b"A: b\r\n\r\nx").no_final_line_end);
    assert!(traits_of(b"\r\nbody\r\n").no_header);
    assert!(traits_of(b"").no_header);
    let long = [&b"A: b\n\n"[..], &b"x".repeat(999)].concat();
    assert!(traits_of(&long).long_line);
    assert!(traits_of(&[&long[..], b"\n"].concat()).long_line);
}

proptest! {
    #[test]
    fn whatever_comes_in_comes_out(
        raw in prop::collection::vec(prop::sample::select(b"a: \r\n\0\xe9".to_vec()), 0..400),
        announced in 0u64..500,
        piece in 1usize..50,
        total in 0u64..2000,
    ) {
        let budget = Budget::new(total);
        let body = body_of(&budget, announced, &raw, piece);
        let want = canonical(&raw);
        prop_assert_eq!(&bytes_of(&body), &want);
        prop_assert_eq!(body.digests(), digests(&want));
        prop_assert_eq!(body.size(), want.len() as u64);
        prop_assert!(want.starts_with(body.head()));
        let head = crate::message::header::head_len(&want);
        prop_assert!(body.head().len() <= head);
        prop_assert!(body.is_spooled() || body.head().len() == head);
        prop_assert!(budget.high_water() <= total);
    }
}
