//! Messages over standard input and output. Like `lsp_server`'s own, but a message that cannot be read is told to the client and
//! passed over: one slip of a client does not end the session.

use std::io::{self, BufRead, Read, Write};
use std::thread::JoinHandle;

use lsp_server::{Connection, Message};
use serde_json::json;

/// A message longer than this is no message.
const MOST: usize = 256 << 20;

pub(super) struct Threads {
    writer: JoinHandle<()>,
}

impl Threads {
    /// Waits until what was said is written. The reader may wait for input for ever, and is left.
    pub(super) fn finish(self) {
        let _ = self.writer.join();
    }
}

pub(super) fn stdio() -> (Connection, Threads) {
    let (server, client) = Connection::memory();
    let Connection { sender, receiver } = client;
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            match read(&mut input) {
                Ok(Some(Ok(message))) => {
                    let last = matches!(&message, Message::Notification(n) if n.method == "exit");
                    if sender.send(message).is_err() || last {
                        break;
                    }
                }
                Ok(Some(Err(why))) => refuse(&why),
                Ok(None) | Err(_) => break,
            }
        }
    });
    let writer = std::thread::spawn(move || {
        for message in receiver {
            let mut out = io::stdout().lock();
            if message.write(&mut out).is_err() {
                break;
            }
        }
    });
    (server, Threads { writer })
}

/// One message; `Ok(None)` at the end of the input, an inner error for one that cannot be read.
fn read(input: &mut impl BufRead) -> io::Result<Option<Result<Message, String>>> {
    let mut length: Option<usize> = None;
    let mut line = Vec::new();
    let mut seen = false;
    loop {
        line.clear();
        if input.by_ref().take(64 << 10).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            if seen {
                break;
            }
            continue;
        }
        seen = true;
        if let Some((name, value)) = text.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let Some(length) = length.filter(|l| *l <= MOST) else {
        return Ok(Some(Err("a message without a length".to_string())));
    };
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body).map_err(|e| e.to_string())))
}

/// Answers what is no message, as JSON-RPC has it: an error without an id.
fn refuse(why: &str) {
    let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": why } }).to_string();
    let mut out = io::stdout().lock();
    let _ = write!(out, "Content-Length: {}\r\n\r\n{error}", error.len()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_passed_over() {
        let good = r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#;
        let text = format!(
            "Content-Length: 3\r\n\r\n{{x}}Nonsense\r\n\r\nContent-Length: {}\r\nContent-Type: x\r\n\r\n{good}",
            good.len()
        )
        .replace("{x}}", "{x}");
        let mut input = io::Cursor::new(text);
        assert!(matches!(read(&mut input), Ok(Some(Err(_)))));
        assert!(matches!(read(&mut input), Ok(Some(Err(_)))));
        assert!(matches!(read(&mut input), Ok(Some(Ok(Message::Notification(_))))));
        assert!(matches!(read(&mut input), Ok(None)));
    }
}
