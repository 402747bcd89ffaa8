//! Diagnostics to people (miette), to one line, to JSON and to SARIF.
