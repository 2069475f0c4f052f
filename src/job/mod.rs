//! The job file: read, checked whole, turned into values that cannot be wrong.

mod spec;

pub use spec::*;
