//! `pcgrad`: projecting conflicting gradients (Yu et al., NeurIPS 2020, algorithm 1).
//!
//! Each task's gradient goes, against the others' in random order, to the plane normal to every one that it conflicts with:
//! g_i <- g_i - (g_i . g_j) / ||g_j||^2 g_j where g_i . g_j < 0; the step is the sum. What comes out is a sum of the tasks' gradients,
//! whose coefficients follow from their inner products. Gradients are compared in the weights that several tasks reach, where those of
//! a task that does not reach one are 0; weights of one task get that task's own gradient.

use candle_core::{Result, bail};

use super::{Factors, Needs, Over, Rule, Seen, Setting, WeightingDef};
use crate::random::Randomness;
use crate::schema::CallDef;

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "pcgrad",
        doc: "PCGrad: the part of a task's shared gradient that conflicts with another task's is projected away. A backward pass per \
              task.",
        args: &[],
    },
    paper: "Yu et al. 2020, Gradient Surgery for Multi-Task Learning, algorithm 1",
    needs: Needs::Gradients(Over::Shared),
    make: |_, setting| Ok(Box::new(PcGrad::new(setting))),
};

struct PcGrad {
    random: Randomness,
}

impl PcGrad {
    fn new(setting: &Setting) -> PcGrad {
        PcGrad { random: setting.random }
    }
}

impl Rule for PcGrad {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        let Some(products) = seen.gradients else { bail!("pcgrad needs gradients") };
        let (inner, tasks) = (&products.inner, seen.losses.len());
        let mut sum = vec![0.0; tasks];
        for i in 0..tasks {
            // g_i in terms of the tasks' gradients.
            let mut of = vec![0.0; tasks];
            of[i] = 1.0;
            for j in self.random.permutation("pcgrad", [seen.step, i as u64, 0], tasks) {
                let j = j as usize;
                if j == i || !seen.present[j] || inner[j][j] <= 0.0 {
                    continue;
                }
                let dot: f64 = of.iter().zip(inner).map(|(c, row)| c * row[j]).sum();
                if dot < 0.0 {
                    of[j] -= dot / inner[j][j];
                }
            }
            sum.iter_mut().zip(&of).for_each(|(s, c)| *s += c);
        }
        Ok(Factors { shared: sum, own: vec![1.0; tasks] })
    }
}
