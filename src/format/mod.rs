//! Mail on disk, shared by archive, source and sink.

pub mod maildir;
