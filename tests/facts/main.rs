//! What is learned from the training rows before a network is: the statistics of labels, and the numbers of texts.

#[allow(dead_code)]
#[path = "../run/support.rs"]
mod support;

mod labels;
mod unknown;
mod vocabulary;
