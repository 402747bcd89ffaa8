//! What the user may switch on and off.

use serde_json::Value;

use crate::ide::hints::Shown;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) hints: Shown,
    pub(super) lenses: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { hints: Shown::default(), lenses: true }
    }
}

impl Settings {
    /// Reads `{ inlayHints: { shapes, parameters, topologies }, codeLens }`, alone or under `mtlc`; what is absent or of another
    /// type stays as it is.
    pub(super) fn update(&mut self, value: &Value) {
        let value = value.get("mtlc").unwrap_or(value);
        let read = |path: &[&str], to: &mut bool| {
            let found = path.iter().try_fold(value, |v, key| v.get(key)).and_then(Value::as_bool);
            if let Some(on) = found {
                *to = on;
            }
        };
        if let Some(all) = value.get("inlayHints").and_then(Value::as_bool) {
            self.hints = Shown { shapes: all, parameters: all, topologies: all };
        }
        read(&["inlayHints", "shapes"], &mut self.hints.shapes);
        read(&["inlayHints", "parameters"], &mut self.hints.parameters);
        read(&["inlayHints", "topologies"], &mut self.hints.topologies);
        read(&["codeLens"], &mut self.lenses);
    }
}
