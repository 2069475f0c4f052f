//! Waits on this machine for the browser's redirect (RFC 8252 §7.3). One request is one line that counts.

use crate::error::{Code, Error, Kind, Result};
use crate::message::text::safe;
use oauth2::url::Url;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// No request line of a browser is longer, in bytes.
const LONGEST: usize = 16 * 1024;
/// A browser that has connected sends at once.
const READ: Duration = Duration::from_secs(5);

/// The door for the redirect.
pub(super) struct Listener(TcpListener, u16);

/// What a request says.
enum Said {
    Code(String),
    Refused(String),
    /// Something else, such as a browser that asks for an icon.
    Nothing,
}

impl Listener {
    /// `port` 0 is any free one. Only this machine can reach it.
    pub(super) fn bind(port: u16) -> Result<Self> {
        let failed = |e: io::Error| {
            let what = format!("cannot listen on 127.0.0.1:{port} for the browser");
            Error::new(Kind::Account, Code::Connect, what).words(e.to_string())
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Listener(listener, port))
    }

    pub(super) fn port(&self) -> u16 {
        self.1
    }

    /// The authorization code that comes with this `state`. Errors: `Code::Auth` where the person said no, `Code::Timeout`.
    pub(super) fn wait(&self, state: &str, patience: Duration) -> Result<String> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let Ok((stream, _)) = self.0.accept() else {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            // A visitor who breaks off is none; the next one may be the browser.
            match attend(stream, state) {
                Ok(Said::Code(code)) => return Ok(code),
                Ok(Said::Refused(words)) => {
                    let what = "the sign-in in the browser came to nothing";
                    return Err(Error::new(Kind::Account, Code::Auth, what).words(words));
                }
                Ok(Said::Nothing) | Err(_) => {}
            }
        }
        let what = "nobody came back from the browser";
        Err(Error::new(Kind::Account, Code::Timeout, what).hint("run the same command again"))
    }
}

fn attend(mut stream: TcpStream, state: &str) -> io::Result<Said> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(READ))?;
    stream.set_write_timeout(Some(READ))?;
    let line = request_line(&mut stream)?;
    let said = meaning(&line, state);
    let (status, text) = match &said {
        Said::Code(_) => ("200 OK", "Signed in. This window can be closed."),
        Said::Refused(_) => ("200 OK", "Not signed in. The terminal says more."),
        Said::Nothing => ("404 Not Found", "Nothing is here."),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )?;
    Ok(said)
}

/// The first line; the rest of the request's head is read so that closing does not cut the answer off.
fn request_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let got = stream.read(&mut piece)?;
        head.extend_from_slice(&piece[..got]);
        if got == 0 || head.len() > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let end = memchr::memchr(b'\r', &head).unwrap_or(head.len());
    Ok(String::from_utf8_lossy(&head[..end]).into_owned())
}

/// Only a request with our `state` counts: anybody on this machine may knock.
fn meaning(line: &str, state: &str) -> Said {
    let target = line
        .strip_prefix("GET ")
        .and_then(|rest| rest.split(' ').next());
    let url = target.and_then(|target| Url::parse(&format!("http://localhost{target}")).ok());
    let Some(url) = url else {
        return Said::Nothing;
    };
    let value = |key: &str| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.into_owned())
    };
    if value("state").as_deref() != Some(state) {
        return Said::Nothing;
    }
    match (value("code"), value("error")) {
        (Some(code), _) => Said::Code(code),
        (None, Some(error)) => {
            let why = value("error_description").unwrap_or_default();
            let words = format!("{error} {why}");
            Said::Refused(safe(words.trim_end().as_bytes(), 300))
        }
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knock(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn visited(targets: &'static [&'static str]) -> (Result<String>, Vec<String>) {
        let listener = Listener::bind(0).unwrap();
        let port = listener.port();
        let browser =
            std::thread::spawn(move || targets.iter().map(|target| knock(port, target)).collect());
        let code = listener.wait("s3", Duration::from_secs(20));
        (code, browser.join().unwrap())
    }

    #[test]
    fn only_the_right_visitor_is_heard() {
        let (code, answers) = visited(&[
            "/favicon.ico",
            "/?code=stolen&state=other",
            "/?code=a%2Fb&state=s3",
        ]);
        assert_eq!(code.unwrap(), "a/b");
        assert!(answers[0].contains("404") && answers[1].contains("404"));
        assert!(answers[2].contains("200 OK"));
    }

    #[test]
    fn a_no_is_told() {
        let (code, _) = visited(&["/?error=access_denied&error_description=not+me&state=s3"]);
        let e = code.unwrap_err();
        assert_eq!(
            (e.code, e.words.as_deref()),
            (Code::Auth, Some("access_denied not me"))
        );
    }

    #[test]
    fn nobody_is_waited_for_in_vain_for_ever() {
        let listener = Listener::bind(0).unwrap();
        let e = listener.wait("x", Duration::from_millis(1)).unwrap_err();
        assert_eq!(e.code, Code::Timeout);
    }
}
