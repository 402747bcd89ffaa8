//! Signals: the first asks the run to save and stop, a second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
#[cfg(unix)]
use std::time::{Duration, Instant};

/// One cause may send several signals: `timeout` signals a process and then its group, a terminal and a scheduler both tell of
/// one end. What comes this soon after the first is taken for the same.
#[cfg(unix)]
const SAME: Duration = Duration::from_millis(500);

/// Hears from now on; the flag is set by the first signal. SIGINT is Ctrl-C; schedulers send SIGTERM or SIGUSR1 before they kill; a
/// terminal that closes sends SIGHUP.
pub fn listen() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
        use signal_hook::iterator::Signals;
        // Without a handler a signal ends the process, which costs what was done since the last state.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]) else { return asked };
        let flag = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut first: Option<Instant> = None;
            for signal in signals.forever() {
                match first {
                    None => {
                        flag.store(true, std::sync::atomic::Ordering::Relaxed);
                        first = Some(Instant::now());
                    }
                    Some(at) if at.elapsed() < SAME => {}
                    // Every file is renamed into place whole, so nothing is lost but what is not saved yet.
                    Some(_) => signal_hook::low_level::exit(128 + signal),
                }
            }
        });
    }
    asked
}
