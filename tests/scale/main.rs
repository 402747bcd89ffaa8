//! Large and deep programs: checking takes time in proportion to the text, and no text exhausts the stack.

mod deep;
mod programs;

use std::path::Path;

use mtlc::driver;
use rustix::time::{ClockId, clock_gettime};

fn check(text: &str) -> driver::Compiled {
    let load = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    driver::compile_text(text, Path::new("large.mtl"), &Default::default(), &load)
}

/// Seconds that this thread computed.
fn time(text: &str) -> f64 {
    let now = || {
        let t = clock_gettime(ClockId::ThreadCPUTime);
        t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
    };
    let start = now();
    std::hint::black_box(check(text));
    now() - start
}

/// Four times as many take about four times as long; what looks at all of them for each takes sixteen times.
#[test]
fn checking_is_linear() {
    const FEW: usize = 500;
    let mut wrong = Vec::new();
    for (name, program) in programs::KINDS {
        let (few, many) = (program(FEW), program(4 * FEW));
        // A machine with other work may slow down for a while: the smallest ratio counts.
        let mut ratios = Vec::new();
        while ratios.len() < 5 && !ratios.iter().any(|r| *r < 8.0) {
            ratios.push(time(&many) / time(&few));
        }
        if ratios.iter().all(|r| *r >= 8.0) {
            wrong.push(format!("{name}: {ratios:.1?}"));
        }
    }
    assert!(wrong.is_empty(), "four times as many take this many times as long:\n{}", wrong.join("\n"));
}
