//! Tells Zed how the language server is started.

use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

struct Mtl;

impl zed::Extension for Mtl {
    fn new() -> Self {
        Mtl
    }

    fn language_server_command(&mut self, _: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let command = worktree.which("mtlc").ok_or("`mtlc` is not on the path")?;
        Ok(Command { command, args: vec!["lsp".into()], env: worktree.shell_env() })
    }
}

zed::register_extension!(Mtl);
