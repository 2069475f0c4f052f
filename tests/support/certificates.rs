//! Certificates made for a test by the command line of OpenSSL.

use native_tls::Identity;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::Command;

const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

/// A server's certificate and the authority that signed it, in a directory of their own.
pub struct Made {
    dir: tempfile::TempDir,
}

impl Made {
    /// For this name and address, signed by an authority made for it alone, valid for so many days, which may be negative.
    pub fn new(name: &str, days: &str) -> Made {
        let made = Made {
            dir: tempfile::tempdir().expect("a directory"),
        };
        made.openssl(
            &[
                &["req", "-x509"][..],
                &KEY,
                &["-keyout", "ca.key", "-out", "ca.pem"],
                &["-subj", "/CN=an authority"],
                &["-addext", "basicConstraints=critical,CA:TRUE"],
            ]
            .concat(),
        );
        let request = ["-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=lab"];
        made.openssl(&[&["req"][..], &KEY, &request].concat());
        std::fs::write(made.path("ext"), format!("subjectAltName={name}")).expect("write");
        let sign = ["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem"];
        let rest = ["-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"];
        made.openssl(&[&sign[..], &rest, &["-days", days, "-out", "cert.pem"]].concat());
        made
    }

    /// Signed by its own key.
    pub fn self_signed(name: &str) -> Made {
        let made = Made::new(name, "30");
        let extension = format!("subjectAltName={name}");
        made.openssl(
            &[
                &["req", "-x509"][..],
                &KEY,
                &["-keyout", "key.pem", "-out", "cert.pem"],
                &["-subj", "/CN=lab", "-addext", &extension],
            ]
            .concat(),
        );
        made
    }

    fn openssl(&self, words: &[&str]) {
        let mut command = Command::new("openssl");
        let made = command.args(words).current_dir(self.dir.path()).output();
        let made = made.expect("openssl");
        assert!(made.status.success(), "{words:?}: {made:?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The authority's certificate, PEM.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// What a server shows and proves itself with.
    pub fn identity(&self) -> Identity {
        let read = |name| std::fs::read(self.path(name)).expect("made");
        Identity::from_pkcs8(&read("cert.pem"), &read("key.pem")).expect("an identity")
    }

    /// SHA-256 of the server's certificate, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let pem = std::fs::read(self.path("cert.pem")).expect("made");
        let certificate = native_tls::Certificate::from_pem(&pem).expect("PEM");
        let digest = Sha256::digest(certificate.to_der().expect("DER"));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
