//! The language server: the protocol and nothing else. What is answered comes from `ide` as plain data with byte offsets; here it
//! is put into the protocol's types and positions.
//!
//! ```text
//! standard input --transport--> server (reads, keeps documents) --queue--> worker (analyses, answers) --> standard output
//! ```
//!
//! One thread reads, so that edits and cancellations are seen at once; one works, so that an answer is a function of one state of
//! the documents. A request whose document was edited before it came up is answered with `ContentModified`. A panic while one
//! request is answered is an error of that request; the next one finds everything as it was.

mod answers;
mod convert;
mod documents;
mod edits;
mod positions;
mod publish;
mod queue;
mod server;
mod settings;
mod transport;
mod uri;
mod worker;
mod workspace;

pub use positions::{Encoding, Lines};
pub use server::serve;

/// Serves on standard input and output until the client says that it is done. The result is whether it said so.
pub fn stdio() -> bool {
    let (connection, threads) = transport::stdio();
    let clean = serve(connection);
    threads.finish();
    clean
}
