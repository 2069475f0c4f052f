//! SASL mechanisms and APOP as bytes; who sends them stands elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

/// The only message of SASL PLAIN (RFC 4616 §2), not yet in base64: whose mailbox where that is not who signs in, NUL, who
/// signs in, NUL, password; all in UTF-8.
#[must_use]
pub fn plain(user: &str, master: Option<&str>, password: &SecretString) -> Zeroizing<Vec<u8>> {
    let (authorization, signs_in) = master.map_or(("", user), |master| (user, master));
    let parts = [authorization, signs_in, password.expose_secret()];
    let mut message = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    message.extend_from_slice(parts[0].as_bytes());
    for part in &parts[1..] {
        message.push(0);
        message.extend_from_slice(part.as_bytes());
    }
    Zeroizing::new(message)
}

/// The digest of APOP (RFC 1939 §7): MD5 of the greeting's timestamp (with its angle brackets) and the password, as 32
/// lower-case hexadecimal digits.
#[must_use]
pub fn apop(timestamp: &[u8], password: &SecretString) -> String {
    let mut digest = Md5::new();
    digest.update(timestamp);
    digest.update(password.expose_secret());
    hex(&digest.finalize())
}

/// The answer to a CRAM-MD5 challenge (RFC 2195), neither of them in base64.
#[must_use]
pub fn cram_md5(challenge: &[u8], user: &str, password: &SecretString) -> Zeroizing<Vec<u8>> {
    let digest = hmac_md5(password.expose_secret().as_bytes(), challenge);
    Zeroizing::new(format!("{user} {}", hex(&digest)).into_bytes())
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

/// Bytes as they go over the wire.
#[must_use]
pub fn base64(bytes: &[u8]) -> Zeroizing<String> {
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

    #[test]
    fn plain_as_in_rfc_4616() {
        let password = "tanstaaftanstaaf".into();
        let tim = plain("tim", None, &password);
        assert_eq!(tim.as_slice(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(base64(&tim).as_str(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        let for_ursel = plain("Ursel", Some("Kurt"), &"xipj3plmq".into());
        assert_eq!(for_ursel.as_slice(), b"Ursel\0Kurt\0xipj3plmq");
    }

    #[test]
    fn apop_as_in_rfc_1939() {
        let digest = apop(b"<1896.697170952@dbc.mtview.ca.us>", &"tanstaaf".into());
        assert_eq!(digest, "c4c9334bac560ecc979e58001b3e22fb");
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let answer = cram_md5(
            b"<1896.697170952@postoffice.reston.mci.net>",
            "tim",
            &"tanstaaftanstaaf".into(),
        );
        assert_eq!(
            base64(&answer).as_str(),
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
