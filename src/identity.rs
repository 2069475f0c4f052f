//! When two messages are the same.
