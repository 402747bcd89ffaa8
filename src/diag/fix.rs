//! Applies fixes to a text.
