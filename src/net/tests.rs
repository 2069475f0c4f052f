//! Connections against servers in a thread of the test.

use super::*;
use crate::error::{Code, End, Error, Kind};
use native_tls::{Identity, TlsAcceptor};
use sha2::{Digest, Sha256};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

fn endpoint(port: u16, security: Security) -> Endpoint {
    Endpoint {
        end: End::Source,
        host: "localhost".into(),
        port,
        security,
        trust: Trust::System,
        timeout: Duration::from_secs(5),
        trace: Trace::default(),
        minimum_rate: Endpoint::MINIMUM_RATE,
    }
}

/// Serves each connection with `serve` until `count` have come.
fn listen(count: usize, serve: impl Fn(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        for _ in 0..count {
            serve(listener.accept().unwrap().0);
        }
    });
    (port, server)
}

struct Made {
    dir: tempfile::TempDir,
    identity: Identity,
    fingerprint: [u8; 32],
}

/// A self-signed certificate for `name`, valid for `days` days, which may be negative.
fn certificate(name: &str, days: &str) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    openssl(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-subj", "/CN=lab", "-addext"])
            .arg(format!("subjectAltName=DNS:{name}"))
            .arg("-keyout")
            .arg(path("key.pem"))
            .arg("-out")
            .arg(path("first.pem")),
    );
    // Signed again: `req` makes no certificate that has expired already.
    openssl(
        Command::new("openssl")
            .args(["x509", "-days", days, "-signkey"])
            .arg(path("key.pem"))
            .arg("-in")
            .arg(path("first.pem"))
            .arg("-out")
            .arg(path("cert.pem")),
    );
    let cert = std::fs::read(path("cert.pem")).unwrap();
    let key = std::fs::read(path("key.pem")).unwrap();
    let der = native_tls::Certificate::from_pem(&cert)
        .unwrap()
        .to_der()
        .unwrap();
    Made {
        identity: Identity::from_pkcs8(&cert, &key).unwrap(),
        fingerprint: Sha256::digest(der).into(),
        dir,
    }
}

fn openssl(command: &mut Command) {
    let made = command.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// A TLS server that answers what it reads with `+` and the same again; broken handshakes are passed over.
fn echo(made: &Made, count: usize) -> (u16, JoinHandle<()>) {
    let acceptor = TlsAcceptor::new(made.identity.clone()).unwrap();
    listen(count, move |tcp| {
        let Ok(mut tls) = acceptor.accept(tcp) else {
            return;
        };
        let mut buf = [0; 100];
        while let Ok(n) = tls.read(&mut buf) {
            if n == 0 || tls.write_all(&buf[..n]).is_err() {
                return;
            }
        }
    })
}

fn refused(endpoint: &Endpoint) -> Error {
    connect(endpoint).expect_err("the connection should have been refused")
}

fn try_until_some(connection: &mut Connection, buf: &mut [u8]) -> usize {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(n) = connection.try_read(buf).unwrap() {
            return n;
        }
        assert!(Instant::now() < end, "nothing came");
        thread::sleep(Duration::from_millis(5));
    }
}

fn talk(mut connection: Connection) {
    let mut buf = [0; 100];
    assert_eq!(connection.try_read(&mut buf).unwrap(), None);
    connection.write_all(b"hello").unwrap();
    connection.flush().unwrap();
    assert_eq!(try_until_some(&mut connection, &mut buf), 5);
    connection.write_all(b"again").unwrap();
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"again");
    assert_eq!(connection.traffic(), (10, 10));
}

#[test]
fn plain_echo_and_end_of_stream() {
    let (port, server) = listen(1, |mut tcp| {
        let mut buf = [0; 5];
        for _ in 0..2 {
            tcp.read_exact(&mut buf).unwrap();
            tcp.write_all(&buf).unwrap();
        }
    });
    let connection = connect(&endpoint(port, Security::Plain)).unwrap();
    assert!(!connection.is_encrypted());
    assert!(connection.peer().unwrap().ip().is_loopback());
    talk(connection);
    server.join().unwrap();
}

#[test]
fn a_ca_file_is_trusted_and_try_read_works_under_tls() {
    let made = certificate("localhost", "2");
    let (port, server) = echo(&made, 1);
    let mut to = endpoint(port, Security::Tls);
    to.trust = Trust::CaFile(made.dir.path().join("cert.pem"));
    let connection = connect(&to).unwrap();
    assert!(connection.is_encrypted());
    talk(connection);
    server.join().unwrap();
}

#[test]
fn a_pin_is_trusted_whatever_the_name_and_another_pin_is_not() {
    let made = certificate("elsewhere.example", "2");
    let (port, server) = echo(&made, 2);
    let mut to = endpoint(port, Security::Tls);
    to.trust = Trust::Pin(made.fingerprint);
    talk(connect(&to).unwrap());
    to.trust = Trust::Pin([7; 32]);
    let e = refused(&to);
    assert_eq!((e.code, e.kind), (Code::Tls, Kind::Account));
    assert!(e.what.contains("pin-sha256"), "{e:?}");
    server.join().unwrap();
}

#[test]
fn start_tls_keeps_the_connection() {
    let made = certificate("localhost", "2");
    let (port, server) = echo(&made, 1);
    let mut to = endpoint(port, Security::StartTls);
    to.trust = Trust::CaFile(made.dir.path().join("cert.pem"));
    let connection = connect(&to).unwrap();
    assert!(!connection.is_encrypted());
    talk(connection.start_tls(&to).unwrap());
    server.join().unwrap();
}

fn distrusted(made: &Made, trust: Trust) -> Error {
    let (port, server) = echo(made, 2);
    let mut to = endpoint(port, Security::Tls);
    to.trust = trust;
    let e = refused(&to);
    server.join().unwrap();
    assert_eq!((e.code, e.kind), (Code::Tls, Kind::Account), "{e:?}");
    assert!(
        e.what.contains(&format!("source localhost:{port}")),
        "{e:?}"
    );
    e
}

#[test]
fn an_unknown_certificate_is_refused_with_its_fingerprint() {
    let made = certificate("localhost", "2");
    let e = distrusted(&made, Trust::System);
    assert!(e.what.contains("self-signed"), "{e:?}");
    let fingerprint: String = made
        .fingerprint
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert!(e.hint.unwrap().contains(&fingerprint));
}

#[test]
fn a_wrong_name_and_an_expired_certificate_are_told() {
    let trust = |made: &Made| Trust::CaFile(made.dir.path().join("cert.pem"));
    let made = certificate("elsewhere.example", "2");
    let e = distrusted(&made, trust(&made));
    assert!(e.what.contains("another host name"), "{e:?}");
    let made = certificate("localhost", "-1");
    let e = distrusted(&made, trust(&made));
    assert!(e.what.contains("has expired"), "{e:?}");
}

#[test]
fn a_plain_server_on_a_tls_port_is_told() {
    let (port, server) = listen(1, |mut tcp| {
        tcp.write_all(b"+OK plain here\r\n").unwrap();
        let mut rest = Vec::new();
        drop(tcp.read_to_end(&mut rest));
    });
    let e = refused(&endpoint(port, Security::Tls));
    assert_eq!(e.code, Code::Tls);
    assert!(e.what.contains("not TLS"), "{e:?}");
    server.join().unwrap();
}

#[test]
fn a_silent_server_times_out_in_handshake_and_in_read() {
    let (port, server) = listen(2, |mut tcp| {
        let mut rest = Vec::new();
        drop(tcp.read_to_end(&mut rest));
    });
    let mut to = endpoint(port, Security::Tls);
    to.timeout = Duration::from_millis(200);
    let e = refused(&to);
    assert_eq!((e.code, e.kind), (Code::Timeout, Kind::Transient));
    to.security = Security::Plain;
    let mut connection = connect(&to).unwrap();
    let e = connection.read(&mut [0; 10]).unwrap_err();
    assert_eq!(e.kind(), std::io::ErrorKind::TimedOut);
    drop(connection);
    server.join().unwrap();
}

#[test]
fn refused_ports_and_impossible_hosts_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut to = endpoint(port, Security::Plain);
    let e = refused(&to);
    assert_eq!((e.code, e.kind), (Code::Connect, Kind::Transient));
    assert!(e.what.contains("connection refused"), "{e:?}");
    for host in ["", "a\r\nb", "a\0b", "a b", "[]"] {
        to.host = host.into();
        assert_eq!(refused(&to).kind, Kind::Job, "{host:?}");
    }
}

#[test]
fn a_ca_file_without_certificates_is_refused() {
    let (port, server) = listen(2, drop);
    let mut to = endpoint(port, Security::Tls);
    for path in [Path::new("/dev/null"), Path::new("/nonexistent/ca.pem")] {
        to.trust = Trust::CaFile(path.into());
        let e = refused(&to);
        assert_eq!((e.code, e.kind), (Code::Tls, Kind::Account));
        assert!(e.what.contains("ca-file"), "{e:?}");
    }
    server.join().unwrap();
}

#[test]
fn loopback_is_this_machine_only() {
    for host in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.9",
        "::1",
        "[::1]",
    ] {
        assert!(loopback(host), "{host}");
    }
    for host in ["localhost.example", "10.0.0.1", "::2", "128.0.0.1", ""] {
        assert!(!loopback(host), "{host}");
    }
}

#[test]
fn a_peer_that_takes_too_little_is_left() {
    let (port, server) = listen(1, |mut tcp| {
        let mut buf = vec![0; 64 * 1024];
        while tcp.read(&mut buf).is_ok_and(|n| n > 0) {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut to = endpoint(port, Security::Plain);
    to.timeout = Duration::from_secs(1);
    // More than it takes at most.
    to.minimum_rate = 10_000_000;
    let mut connection = connect(&to).unwrap();
    let bytes = vec![0; 64 * 1024];
    let failure = (0..10_000).find_map(|_| connection.write_all(&bytes).err());
    let told = too_slow(&failure.unwrap()).unwrap();
    assert_eq!(told, "takes less than 10000000 bytes a second");
    drop(connection);
    server.join().unwrap();
}

/// Writes each byte alone, with a pause behind it, once it is told to.
#[derive(Debug)]
struct Trickle(TcpStream, Arc<AtomicBool>);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Trickle {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        if !self.1.load(Ordering::SeqCst) {
            return self.0.write(buf);
        }
        thread::sleep(Duration::from_millis(100));
        self.0.write(&buf[..1])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// The system sees progress all the time, TLS none.
#[test]
fn a_record_in_single_bytes_is_left() {
    let made = certificate("localhost", "2");
    let acceptor = TlsAcceptor::new(made.identity.clone()).unwrap();
    let (port, server) = listen(1, move |tcp| {
        let slow = Arc::new(AtomicBool::new(false));
        let mut tls = acceptor.accept(Trickle(tcp, slow.clone())).unwrap();
        slow.store(true, Ordering::SeqCst);
        // The client leaves in the middle of it.
        drop(tls.write_all(&[b'x'; 200]));
    });
    let mut to = endpoint(port, Security::Tls);
    to.trust = Trust::CaFile(made.dir.path().join("cert.pem"));
    to.timeout = Duration::from_secs(1);
    let mut connection = connect(&to).unwrap();
    let failure = connection.read(&mut [0; 300]).unwrap_err();
    assert!(too_slow(&failure).is_some(), "{failure:?}");
    drop(connection);
    server.join().unwrap();
}
