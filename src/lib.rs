//! `mtlc`: the compiler and tool for `.mtl`, a declarative language for multi-task neural network topologies.
//!
//! Read this page, then `driver.rs`, then the room you need.
//!
//! # The flow, and the type at each door
//!
//! ```text
//!  text --pest--> Parse {tree}      syntax      lossless; errors are nodes; comments kept      (fmt stops here)
//!                   | typed view
//!                   v
//!                 hir::Spec         hir         ids, not strings; params, templates, imports expanded; holes for errors
//!                   v
//!                 ir::Network       ir          petgraph: inputs, stage copies, selections, mixes, heads, losses
//!                   | every pass runs, every problem is reported
//!                   v
//!                 check::Checked    check       shapes, costs, fit in side tables; exists only if clean
//!                   v
//!                 plan::Plan        plan        ordered and concrete; no names, no unknown sizes; choices as data
//!                   v
//!                 runtime::Model    runtime     candle tensors; an error from here on is data, disk, device, or our bug
//!                   v
//!                 search, experiment            choices learned; derived, retrained, evaluated, written down
//! ```
//!
//! # Rooms
//!
//! | room | what it is for |
//! |---|---|
//! | [`screen`] | text for a terminal: what may reach it, colours, commands to copy into a shell, where bugs are reported |
//! | [`source`] | files: how they are opened (`disk.rs`) and how folders are written (`folder.rs`); spans, lines and columns; memory of the machine |
//! | [`diag`] | one Diagnostic type, the table of codes with an explanation each, fixes, rendering (only `render/human.rs` knows miette) |
//! | [`syntax`] | text to a lossless tree and its typed view; never fails (only room that knows pest) |
//! | [`fmt`] | tree to canonical text |
//! | [`schema`] | types of the tables: what an attribute or argument may be, and the checked values |
//! | [`random`] | counter-based randomness: every draw a function of seed, purpose and counters |
//! | [`std`] | the standard library, `.mtl` files |
//! | [`ops`] | one file per op: docs, shape rule, parameters, MACs; kernels of the CPU in `ops/kernel/`, of a GPU in `ops/cuda/`; gradients tested |
//! | [`objective`] | task kinds, units of labels; losses and metrics, one file each |
//! | [`optim`] | optimisers, schedules and loss weightings, one file each; clipping |
//! | [`data`] | one file per format; frozen schemas, label expressions, splits, encoding, batches; new rows to predict; a look at all of it (no candle) |
//! | [`hir`] | names resolved; `hir/schema.rs` is the one table of items and attributes |
//! | [`ir`] | the network graph and the algebra of spaces: choices, partition chains, counting, derivation |
//! | [`check`] | shapes, costs, types of the network's nodes, fit of space and strategy, the trainings of a program and their batches (`steps.rs`), lints |
//! | [`plan`] | lowering; passes over the plan that make a step cheaper and change no value |
//! | [`runtime`] | model, the way forward (`forward.rs`, `waves.rs`) and back (`tape.rs`, `back.rs`), memory (`blocks.rs`), threads (`threads.rs`), feeding, reading ahead (`reader.rs`), training, evaluation, checkpoints |
//! | [`search`] | one file per strategy: definition (read by checking) and procedure; tables of other tools (`outside.rs`) |
//! | [`artifact`] | canonical topologies, digests of meaning, derived files |
//! | [`driver`] | text to checked spec, in one page |
//! | [`experiment`] | what commands do: phases, run folder, baselines, results, prediction |
//! | [`report`] | drawings, tables, summaries, prediction files |
//! | [`ide`] | answers for an editor, as plain data: hover, completion, names, code actions (no protocol) |
//! | [`lsp`] | the language server: protocol only |
//! | [`cli`] | arguments and one file per command; nothing depends on it |
//!
//! # Invariants
//!
//! - If `check` is clean, lowering never reports a spec error and never panics.
//! - Parsing is total, and the text of the tree is the source. `fmt` is idempotent and keeps every comment.
//! - All problems of a file come in one run, each once; what follows from a reported problem is silent.
//! - One seed gives one run: no clock, no hash order, no thread count reaches a result. Evaluation draws nothing.
//! - The same topology has the same text; deriving the same run again gives the same bytes. A digest is over meaning.
//! - Weights are walked by name in plan order. A weight's initial value is a function of the seed and its name.
//! - No character that steers a terminal reaches one, and no command is suggested without quotes: both go through [`screen`].
//! - Nothing the user made is overwritten without being asked; files are written whole or not at all.
//!
//! Layering, checked by `tests/layers.rs`: a room uses rooms above it in the table, with one door the other way: `hir` and
//! `check` read the *definitions* of [`search`] (a table; no procedures), whose attributes are typed by `hir::schema`.
//!
//! # How to add
//!
//! - **an op**: a file in `ops/` with a `pub static DEF: OpDef`, a line in its table, a case in `tests/ops/`.
//! - **a pass over the plan**: a file in `plan/passes/` with a `pub static PASS: Rewrite` and a line in its table; `tests/engine` runs
//!   it on and off. Two ops as one: [`ops::Op::fuse`] of the first; several that read one value: [`ops::Op::siblings`].
//! - **a loss, metric, optimiser, schedule, loss weighting**: a file with its `DEF` and a line in the table of its folder.
//! - **a data format**: a file in `data/` with a `pub static DEF: FormatDef` and a line in the table. One that reads rows from files has the
//!   attributes of `data/split/` and gives its rows to `data::split::Parts`.
//! - **a strategy**: a file in `search/` with a `pub static DEF: StrategyDef` (what it decides, its attributes, its procedure) and a
//!   line in the table. A procedure trains what it likes in phases that resume, and ends with a decision per choice
//!   (`search/bench.rs`); derivation, retraining, records and messages follow. `search/all_shared.rs` is the smallest. One that
//!   trains a supernet in one phase is a `Chooser` (`search/supernet.rs`), one that relaxes subsets a `Masks` (`search/relaxed.rs`).
//!   `examples/own_strategy.rs` is the guide: a program of your own that is `mtlc` with one strategy more.
//! - **a diagnostic**: a line in `diag/codes.rs`, `diag/explain/FAMILY.NAME.md`, a spec under `tests/ui/`; `UPDATE=1` writes its
//!   place in the reference.
//! - **a lint**: a diagnostic that is a warning, a file in `check/lints/` and a line in its table.
//! - **what other tools call something**: a line in `diag/synonyms.rs`; the order of their arguments: a line in `diag/orders.rs`.
//! - **a term of messages or a column of a table**: a section in `ide/terms.md`, which `mtlc explain` shows.
//! - **a command in a message**: words and paths given to [`screen::shell`], which quotes them.
//! - **an item or attribute of the language**: a line in `hir/schema.rs`, its reader in `hir/`.
//! - **a library module**: a file in `std/` and a line in its table.
//! - **a feature of the editor**: a file in `ide/` that asks an `Analysis`, a handler in `lsp/` with its line in the table there.
//!
//! Tests are data: `UPDATE=1 cargo test` rewrites expectations; read the difference before committing it.

pub mod artifact;
pub mod check;
pub mod cli;
pub mod data;
pub mod diag;
pub mod driver;
pub mod experiment;
pub mod fmt;
pub mod hir;
pub mod ide;
pub mod ir;
pub mod lsp;
pub mod objective;
pub mod ops;
pub mod optim;
pub mod plan;
pub mod random;
pub mod report;
pub mod runtime;
pub mod schema;
pub mod screen;
pub mod search;
pub mod source;
pub mod std;
pub mod syntax;
