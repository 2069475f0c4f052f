//! Mail on disk, shared by archive, source and sink.

mod lf;
pub mod maildir;
pub mod mbox;
pub mod sidecar;
