//! The order of the parts of a header.

use super::read::Reader;
use crate::source::Span;

/// The parts of a header have one order; a part out of place or doubled is reported once.
#[derive(Default)]
pub(super) struct Header {
    last: u8,
    last_name: &'static str,
    reported: bool,
    pub(super) equals: bool,
}

impl Header {
    pub(super) fn part(&mut self, reader: &mut Reader<'_>, rank: u8, name: &'static str, span: Span) {
        if rank > self.last || rank == 1 && self.last == 1 {
            self.last = rank;
            self.last_name = name;
        } else if !std::mem::replace(&mut self.reported, true) {
            let message = if rank == self.last {
                format!("{name} for the second time in one header")
            } else {
                format!("{name} stands before {}, not after it", self.last_name)
            };
            reader.report_header_order(span, message);
        }
    }
}
