//! Text to a lossless tree, and the typed view of it. The only room that knows pest. Parsing is total: whatever the text,
//! there is a tree whose text is the source, and a list of problems.

pub mod ast;
