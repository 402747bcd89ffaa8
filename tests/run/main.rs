//! Running, end to end: search, derivation, training and evaluation on tiny generated data, by the library and by the binary.

#[path = "../support/mod.rs"]
mod expectations;

mod affinity;
mod branch;
mod celeba;
mod choices;
mod commands;
mod compare;
mod examples;
mod expected_cost;
mod findings;
mod group;
mod honest;
mod inherit;
mod json;
mod own;
mod profiles;
mod records;
mod repeat;
mod resume;
mod routes;
mod strategies;
mod support;
mod trained;
mod weighting;
mod wrong;
