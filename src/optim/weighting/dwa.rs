//! `dwa`: Dynamic Weight Average (Liu, Johns, Davison, CVPR 2019, equation 7).
//!
//! lambda_k(t) = K exp(w_k(t - 1) / T) / sum_i exp(w_i(t - 1) / T), w_k(t - 1) = L_k(t - 1) / L_k(t - 2), with t the epoch, L_k(t) the
//! mean loss of epoch t, and w_k = 1 in the first two epochs. The mean is over the batches in which the task has labels; the paper is
//! silent on a loss of 0 two epochs ago, and on an epoch without labels: w_k = 1 there.

use candle_core::{Result, Tensor};

use super::{Factors, Needs, Rule, Seen, Setting, WeightingDef, count, counted, numbers, restored, softmax};
use crate::schema::{Args, AttrDef, CallDef, Need, POSITIVE};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "dwa",
        doc: "Dynamic weight average: K softmax(w / T), w the ratio of a task's mean losses in the last two epochs; 1 in the first two.",
        args: &[AttrDef {
            name: "temperature",
            ty: POSITIVE,
            need: Need::Default("2"),
            doc: "T: the larger, the more alike. Paper: 2.",
        }],
    },
    paper: "Liu et al. 2019, End-to-End Multi-Task Learning with Attention, equation 7",
    needs: Needs::Losses,
    make: |args, setting| Ok(Box::new(Dwa::new(args, setting))),
};

struct Dwa {
    temperature: f64,
    counted: Vec<bool>,
    epoch: usize,
    /// Of the epoch so far.
    sums: Vec<f64>,
    counts: Vec<f64>,
    /// Means of the last epoch and of the one before; -1 for none.
    last: Vec<f64>,
    before: Vec<f64>,
}

impl Dwa {
    fn new(args: &Args, setting: &Setting) -> Dwa {
        let all = |v: f64| vec![v; setting.tasks.len()];
        Dwa {
            temperature: args.float("temperature"),
            counted: counted(setting.tasks),
            epoch: 1,
            sums: all(0.0),
            counts: all(0.0),
            last: all(-1.0),
            before: all(-1.0),
        }
    }
}

impl Rule for Dwa {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        if seen.epoch != self.epoch {
            let mean = |(s, n): (&f64, &f64)| if *n > 0.0 { s / n } else { -1.0 };
            let means = self.sums.iter().zip(&self.counts).map(mean).collect();
            self.before = std::mem::replace(&mut self.last, means);
            self.sums.fill(0.0);
            self.counts.fill(0.0);
            self.epoch = seen.epoch;
        }
        let ratio = |(last, before): (&f64, &f64)| if *last >= 0.0 && *before > 0.0 { last / before } else { 1.0 };
        let ratios: Vec<f64> = self.last.iter().zip(&self.before).map(ratio).collect();
        // The largest ratio is subtracted first, so that no temperature causes an overflow.
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scaled: Vec<f64> = ratios.iter().map(|w| (w - most) / self.temperature).collect();
        let tasks = count(&self.counted);
        let factors = softmax(&scaled, &self.counted).into_iter().map(|l| tasks * l).collect();
        for (k, loss) in seen.losses.iter().enumerate().filter(|(k, _)| seen.present[*k]) {
            self.sums[k] += loss;
            self.counts[k] += 1.0;
        }
        Ok(Factors::alike(factors))
    }

    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(vec![
            numbers("epoch", &[self.epoch as f64])?,
            numbers("sums", &self.sums)?,
            numbers("counts", &self.counts)?,
            numbers("last", &self.last)?,
            numbers("before", &self.before)?,
        ])
    }

    fn load(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        let tasks = self.sums.len();
        self.epoch = restored(saved, "epoch", 1)?[0] as usize;
        self.sums = restored(saved, "sums", tasks)?;
        self.counts = restored(saved, "counts", tasks)?;
        self.last = restored(saved, "last", tasks)?;
        self.before = restored(saved, "before", tasks)?;
        Ok(())
    }
}
