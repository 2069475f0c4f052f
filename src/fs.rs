//! Local files: persisted durably, locked, confined.
