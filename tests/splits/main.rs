//! How rows are divided, seen from outside: files that serve two splits, columns, groups, strata, time, conditions, folds; and what
//! `check` refuses so that a run need not.

mod folds;
mod rows;
mod same_file;
mod support;
mod wrong;
