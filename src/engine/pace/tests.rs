use super::clock::Fake;
use super::*;
use crate::job::Limits;

const RATE: u64 = 64 << 10;

fn pace(end: End, limits: &[Limits], clock: &Arc<Fake>) -> Pace {
    let limits = limits.iter().filter_map(|limits| Limit::new(*limits));
    Pace {
        limits: limits.collect(),
        ..Pace::free(end, clock.clone(), Stop::default())
    }
}

fn bytes(rate: u64) -> Limits {
    Limits {
        rate: Some(rate),
        messages: None,
    }
}

fn messages(rate: u64) -> Limits {
    Limits {
        rate: None,
        messages: Some(rate),
    }
}

fn slept(clock: &Fake) -> Duration {
    clock.sleeps.lock().unwrap().iter().sum()
}

#[test]
fn a_large_message_flows_in_small_pieces_at_the_rate() {
    let clock = Arc::new(Fake::default());
    let pace = pace(End::Source, &[bytes(RATE)], &clock);
    let (mut left, mut pieces) = (10 * RATE as usize, 0);
    while left > 0 {
        let piece = pace.piece().min(left);
        pace.passed(Way::Down, piece).unwrap();
        (left, pieces) = (left - piece, pieces + 1);
    }
    assert!(pieces >= 80, "{pieces}");
    let (slept, longest) = (
        slept(&clock),
        clock.sleeps.lock().unwrap().iter().max().copied(),
    );
    // A quarter of a second's worth was there at the beginning.
    assert!(
        slept >= Duration::from_millis(9_700) && slept <= Duration::from_secs(10),
        "{slept:?}"
    );
    assert!(longest.unwrap() <= LOOK);
    // The other way is free meanwhile.
    pace.passed(Way::Up, 1000).unwrap();
    assert_eq!(super::tests::slept(&clock), slept);
}

#[test]
fn the_strictest_limit_counts_and_all_are_charged() {
    let clock = Arc::new(Fake::default());
    let host = Limit::new(bytes(RATE)).unwrap();
    let of = |own: u64| Pace {
        limits: vec![Limit::new(bytes(own)).unwrap(), host.clone()],
        ..Pace::free(End::Source, clock.clone(), Stop::default())
    };
    let (fast, slow) = (of(RATE * 100), of(RATE / 2));
    assert_eq!(slow.rate(), Some(RATE / 2));
    for _ in 0..4 {
        fast.passed(Way::Down, RATE as usize).unwrap();
    }
    let alone = slept(&clock);
    assert!(
        alone >= Duration::from_millis(3_700) && alone <= Duration::from_secs(4),
        "{alone:?}"
    );
    slow.passed(Way::Down, RATE as usize).unwrap();
    assert!(slept(&clock) - alone >= Duration::from_millis(1_700));
}

#[test]
fn messages_are_counted_too() {
    let clock = Arc::new(Fake::default());
    let pace = pace(End::Source, &[messages(5)], &clock);
    for _ in 0..51 {
        pace.arrived().unwrap();
    }
    assert_eq!(slept(&clock), Duration::from_secs(10));
    assert_eq!(pace.batch().0, 25);
}

#[test]
fn a_server_that_asks_for_patience_slows_every_connection() {
    let clock = Arc::new(Fake::default());
    let pace = pace(End::Source, &[], &clock);
    pace.arrived().unwrap();
    pace.hold(Duration::from_secs(20));
    pace.hold(Duration::from_secs(3));
    assert!(
        matches!(pace.ready().unwrap_err().kind, Kind::Throttled(left) if left.as_secs() == 20)
    );
    pace.arrived().unwrap();
    assert_eq!(slept(&clock), Duration::from_secs(20));
    pace.ready().unwrap();
}

/// Servers close connections whose client does not read.
#[test]
fn a_connection_that_would_stand_still_for_long_is_given_up() {
    let clock = Arc::new(Fake::default());
    let pace = pace(End::Source, &[], &clock);
    pace.hold(Duration::from_secs(61));
    assert!(pace.arrived().unwrap_err().is_transient());
    assert_eq!(slept(&clock), Duration::ZERO);
}

#[test]
fn a_request_to_stop_ends_a_wait_at_once() {
    for end in [End::Source, End::Destination] {
        let clock = Arc::new(Fake::default());
        let pace = pace(end, &[bytes(1024)], &clock);
        pace.stop.ask();
        let passed = pace.passed(Way::Down, 1 << 30);
        // What is in flight to the destination is still brought there.
        assert_eq!(passed.is_ok(), end == End::Destination);
        assert_eq!(slept(&clock), Duration::ZERO);
    }
}
