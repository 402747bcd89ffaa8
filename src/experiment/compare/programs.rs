//! The programs that a comparison runs: one per strategy, all the same but for the search, and for the space where a strategy decides
//! another kind of it.

use std::path::Path;

use crate::artifact;
use crate::check::Checked;
use crate::data::name_text;
use crate::data::vocabulary::Sidecar;
use crate::diag::suggest;
use crate::driver::{Compiled, compile_text};
use crate::hir::Options;
use crate::search::{Offer, StrategyDef, strategies, strategy};
use crate::source::Span;
use crate::syntax::ast::{Entry, Item};
use crate::syntax::parse;

/// Rules that stand beside every search.
pub const BASELINES: [&str; 2] = ["independent", "all_shared"];
/// What every search is judged against.
pub const RANDOM: &str = "random";

/// A strategy that is asked for: a name, or a whole search, `expected_cost { epochs = 20 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub name: String,
    /// `{ ... }`
    pub body: Option<String>,
}

/// Reads `a, b { c = 1, d = 2 }`: parts at commas outside braces and brackets.
pub fn asked(text: &str) -> Result<Vec<Asked>, String> {
    let (mut parts, mut depth) = (vec![String::new()], 0i32);
    for c in text.chars() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("one is there").push(c);
    }
    let mut out: Vec<Asked> = Vec::new();
    for part in parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()) {
        let (name, body) = match part.split_once('{') {
            Some((name, rest)) => (name.trim(), Some(format!("{{{rest}"))),
            None => (part, None),
        };
        if strategy(name).is_none() {
            let known = || strategies().iter().map(|s| s.call.name);
            let near = suggest::nearest(name, known()).map_or(String::new(), |n| format!(", did you mean `{n}`?"));
            return Err(format!("`{name}` is no strategy{near}; these are: {}", suggest::listing(known())));
        }
        if out.iter().any(|a| a.name == name) {
            return Err(format!("`{name}` is named twice"));
        }
        out.push(Asked { name: name.to_string(), body });
    }
    Ok(out)
}

/// A program of one strategy.
pub struct Program {
    pub text: String,
    /// What is different from the file, beside the strategy.
    pub note: Option<String>,
}

/// The program that all others come from.
pub struct Base<'a> {
    pub text: &'a str,
    pub checked: &'a Checked,
}

impl Base<'_> {
    /// The program of a strategy. Its attributes are those of `asked`, else those of the file's search of that strategy, else the
    /// defaults; a budget of the file's goes to every strategy that can keep one. `draws` is for random search.
    pub fn program(&self, asked: &Asked, draws: Option<usize>) -> Program {
        let parsed = parse(crate::source::FileId(0), self.text);
        let searches: Vec<&Item> = parsed.items().iter().filter(|i| i.keyword.text == "search").collect();
        let def = strategy(&asked.name).expect("it was asked for by name");
        let own = searches.iter().find(|s| s.names.first().is_some_and(|n| n.text == asked.name));
        let body = match (&asked.body, own) {
            (Some(body), _) => body.clone(),
            (None, Some(own)) if asked.name != RANDOM => self.slice(own.body.as_ref().and_then(|b| b.span)),
            _ => {
                let mut parts: Vec<String> = draws.map(|n| format!("draws = {n}")).into_iter().collect();
                parts.extend(def.budget.then(|| self.budget(&searches)).flatten());
                format!("{{ {} }}", parts.join(", "))
            }
        };
        let space = self.adapted(def);
        let mut out = String::new();
        let mut at = 0;
        for item in parsed.items() {
            let new = match item.keyword.text.as_str() {
                "search" => Some(String::new()),
                "space" => space.as_ref().map(|(text, _)| text.clone()),
                _ => None,
            };
            if let Some(new) = new {
                out.push_str(&self.text[at..item.span.start as usize]);
                out.push_str(&new);
                at = item.span.end as usize;
            }
        }
        out.push_str(&self.text[at..]);
        out.push_str(&format!("\n\nsearch {} {body}\n", asked.name));
        let text = crate::fmt::format(&out).unwrap_or(out);
        Program { text, note: space.map(|(_, note)| note) }
    }

    fn slice(&self, span: Option<Span>) -> String {
        span.map_or_else(String::new, |s| self.text[s.start as usize..s.end as usize].to_string())
    }

    /// The text of the file's budget.
    fn budget(&self, searches: &[&Item]) -> Option<String> {
        searches.iter().flat_map(|s| s.body.iter().flat_map(|b| &b.entries)).find_map(|e| match e {
            Entry::Attr(a) if a.key.text == "budget" => Some(self.slice(Some(a.span))),
            _ => None,
        })
    }

    /// For a strategy that decides groups by heads on every copy, in a space of trees: the copies of the last stage are the groups,
    /// and what comes before is shared. That is a part of the space of trees.
    fn adapted(&self, def: &StrategyDef) -> Option<(String, String)> {
        let space = self.checked.spec.space.as_ref()?;
        if !def.requires.contains(&Offer::HeadPerCopy) || space.heads.per_copy {
            return None;
        }
        let stages = &self.checked.spec.backbone.as_ref()?.stages;
        let last = space.levels.last()?;
        let name = if space.name.is_empty() { String::new() } else { format!(" {}", name_text(&space.name)) };
        let over = name_text(&self.checked.spec.backbone.as_ref()?.name);
        let mut text = format!("space{name} over {over} {{\n");
        for level in &space.levels {
            let copies = if level.stage == last.stage { level.copies } else { 1 };
            text += &format!("  level {} {{ copies = {copies} }}\n", name_text(&stages[level.stage.0].name));
        }
        text += "  heads { per = copy, reads = one }\n}";
        let stage = &stages[last.stage.0].name;
        Some((text, format!("decides `{stage}` alone, the stages before it are shared")))
    }
}

/// Compiles a program that will stand at `at`; what is wrong with it is in the compilation.
pub fn compiled(text: &str, vocabularies: &[Sidecar], at: &Path) -> Compiled {
    let load = |path: &Path| artifact::beside(vocabularies, path, &crate::driver::read);
    compile_text(text, at, &Options::default(), &load)
}

/// Compiles the program of a strategy, which will be written to `at`. Paths in a body that the user gave are relative to `from`, the folder
/// of the user's file; in the program they are rewritten to lead to the same files.
pub fn placed(asked: &Asked, program: &mut Program, vocabularies: &[Sidecar], from: &Path, at: &Path) -> Compiled {
    let found = compiled(&program.text, vocabularies, at);
    let Some(checked) = found.checked.as_ref().filter(|_| asked.body.is_some()) else { return found };
    let folder = at.parent().unwrap_or(Path::new(""));
    let moved = artifact::searches_moved(&program.text, &checked.spec, from, folder);
    if moved == program.text {
        return found;
    }
    program.text = crate::fmt::format(&moved).unwrap_or(moved);
    compiled(&program.text, vocabularies, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_outside_brackets() {
        let found =
            asked(" random,affinity { choose = beam(width = 2), single { epochs = 3 } },group").expect("it reads");
        let names: Vec<&str> = found.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["random", "affinity", "group"]);
        assert_eq!(found[1].body.as_deref(), Some("{ choose = beam(width = 2), single { epochs = 3 } }"));
        assert!(asked("nothing").is_err_and(|e| e.contains("is no strategy")));
        assert!(asked("randm").is_err_and(|e| e.contains("did you mean `random`?")));
        assert!(asked("random, random").is_err_and(|e| e.contains("named twice")));
    }
}
