//! Starts the built binaries for the end-to-end tests.
