//! SASL mechanisms and APOP as bytes; who sends them stands elsewhere.

use super::Credentials;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use secrecy::ExposeSecret;
use zeroize::{Zeroize, Zeroizing};

/// The only message of SASL PLAIN (RFC 4616 §2), not yet in base64: no authorization identity, NUL, user, NUL,
/// password, both in UTF-8.
#[must_use]
pub fn plain(credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let password = credentials.password.expose_secret().as_bytes();
    let mut message = Vec::with_capacity(credentials.user.len() + password.len() + 2);
    message.push(0);
    message.extend_from_slice(credentials.user.as_bytes());
    message.push(0);
    message.extend_from_slice(password);
    Zeroizing::new(message)
}

/// The same in base64, as it goes over the wire.
#[must_use]
pub fn plain_base64(credentials: &Credentials) -> Zeroizing<String> {
    base64(&plain(credentials))
}

/// The digest of APOP (RFC 1939 §7): MD5 of the greeting's timestamp (with its angle brackets) and the password, as 32
/// lower-case hexadecimal digits.
#[must_use]
pub fn apop(timestamp: &[u8], credentials: &Credentials) -> String {
    let mut digest = Md5::new();
    digest.update(timestamp);
    digest.update(credentials.password.expose_secret());
    hex(&digest.finalize())
}

/// The answer to a CRAM-MD5 challenge (RFC 2195; already out of base64), in base64.
#[must_use]
pub fn cram_md5(challenge: &[u8], credentials: &Credentials) -> Zeroizing<String> {
    let key = credentials.password.expose_secret().as_bytes();
    let answer = format!("{} {}", credentials.user, hex(&hmac_md5(key, challenge)));
    base64(answer.as_bytes())
}

/// RFC 2104, with MD5's block of 64 bytes.
fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    let mut block = Zeroizing::new([0_u8; 64]);
    if key.len() > block.len() {
        block[..16].copy_from_slice(&Md5::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, text: &[u8]| {
        let mut padded = block.map(|b| b ^ pad);
        let digest = Md5::new()
            .chain_update(padded)
            .chain_update(text)
            .finalize();
        padded.zeroize();
        digest
    };
    keyed(0x5c, &keyed(0x36, text)).into()
}

fn base64(bytes: &[u8]) -> Zeroizing<String> {
    // Room at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 4 / 3 + 4));
    STANDARD.encode_string(bytes, &mut text);
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, password: &str) -> Credentials {
        Credentials {
            user: user.into(),
            password: password.into(),
        }
    }

    #[test]
    fn plain_as_in_rfc_4616() {
        let tim = of("tim", "tanstaaftanstaaf");
        assert_eq!(plain(&tim).as_slice(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(plain_base64(&tim).as_str(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    }

    #[test]
    fn apop_as_in_rfc_1939() {
        let digest = apop(
            b"<1896.697170952@dbc.mtview.ca.us>",
            &of("mrose", "tanstaaf"),
        );
        assert_eq!(digest, "c4c9334bac560ecc979e58001b3e22fb");
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let answer = cram_md5(
            b"<1896.697170952@postoffice.reston.mci.net>",
            &of("tim", "tanstaaftanstaaf"),
        );
        assert_eq!(
            answer.as_str(),
            "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
        );
    }

    #[test]
    fn hmac_takes_a_key_longer_than_a_block() {
        // RFC 2202 §2, test case 6.
        let digest = hmac_md5(
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(hex(&digest), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}
