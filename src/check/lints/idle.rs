//! Attributes of a strategy that another attribute leaves without effect.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Spec;
use crate::schema::Args;

/// A strategy, an attribute of it, when that says nothing, why, and what would make it speak.
struct Idle {
    strategy: &'static str,
    attribute: &'static str,
    when: fn(&Args, &Spec) -> bool,
    why: &'static str,
    help: &'static str,
}

static TABLE: &[Idle] = &[
    Idle {
        strategy: "group",
        attribute: "tuner",
        when: |args, _| args.get("fine_tune").is_none(),
        why: "nothing is fine-tuned",
        help: "say for how many epochs (`fine_tune = 10`), or leave `tuner` out",
    },
    Idle {
        strategy: "group",
        attribute: "fine_tune",
        when: |_, spec| spec.searches.len() > 1,
        why: "several searches leave no supernet that all have trained",
        help: "let `group` decide alone, or leave it out",
    },
    Idle {
        strategy: "group",
        attribute: "temperature",
        when: |args, _| args.str("sampler") == "softmax",
        why: "`sampler = softmax` uses the probabilities directly",
        help: "leave it out, or draw samples: `sampler = gumbel`",
    },
    Idle {
        strategy: "affinity",
        attribute: "samples",
        when: |args, _| args.is_given("affinities"),
        why: "the affinities are read, not measured",
        help: "leave it out, or remove `affinities` and measure again",
    },
    Idle {
        strategy: "affinity",
        attribute: "measure",
        when: |args, _| args.is_given("affinities"),
        why: "the affinities are read, not measured",
        help: "leave it out, or remove `affinities` and measure again",
    },
    Idle {
        strategy: "pairwise",
        attribute: "better",
        when: |args, _| !args.is_given("pairs"),
        why: "no table is read, and losses are measured",
        help: "leave it out, or name a table: `pairs = \"pairs.csv\"`",
    },
    Idle {
        strategy: "pairwise",
        attribute: "better",
        when: |args, _| args.opt_str("pairs").is_some_and(|p| p.rsplit(['/', '\\']).next() == Some("pairwise.json")),
        why: "a `pairwise.json` records which values are better",
        help: "leave it out",
    },
    Idle {
        strategy: "expected_cost",
        attribute: "cost",
        when: |args, _| args.float("lambda") == 0.0,
        why: "`lambda = 0` gives the cost no weight",
        help: "give it one (`lambda = 0.05`), or leave `cost` out",
    },
];

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for search in &facts.spec.searches {
        let table = search.strategy.table(&search.args);
        if let (Some(table), Some(at)) = (table, search.single_span) {
            let said = format!("`single` has no effect: `{table}` names a table, and no network is trained for it");
            let help = format!("leave it out, or remove `{table}` and train again");
            diags.push(Diagnostic::new(codes::SEARCH_IDLE, at, said).label("without effect").help(help));
        }
        for idle in TABLE.iter().filter(|i| i.strategy == search.strategy.call.name) {
            if search.args.is_given(idle.attribute) && (idle.when)(&search.args, facts.spec) {
                let at = search.args.span(idle.attribute).unwrap_or(search.span);
                let said = format!("`{}` has no effect: {}", idle.attribute, idle.why);
                diags.push(Diagnostic::new(codes::SEARCH_IDLE, at, said).label("without effect").help(idle.help));
            }
        }
    }
}
