//! `uncertainty`: homoscedastic uncertainty (Kendall, Gal, Cipolla, CVPR 2018).
//!
//! L = sum_k c_k exp(-s_k) L_k + s_k / 2 with s_k = log sigma_k^2, which is learned with the weights: c = 1/2 for a Gaussian
//! likelihood (equation 7) and 1 for a softmax (equation 10). The paper trains s for numerical stability and starts at sigma = 1.
//! It is silent on other losses: those of regression, depth and normals count as Gaussian, those of classes as a softmax.

use candle_core::{Result, Tensor};

use super::{Factors, Needs, Numbers, Rule, Seen, Setting, WeightingDef, optimizer};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef, Need};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "uncertainty",
        doc: "Kendall et al.: losses weighed by learned log variances s, sum of c exp(-s) L + s / 2; c is 1/2 for regressions and 1 \
              for classes.",
        args: &[optimizer(
            Need::Optional,
            "Optimiser of the log variances. Absent: the weights' own, as published, with its schedule; one given here keeps its rate.",
        )],
    },
    paper: "Kendall et al. 2018, Multi-Task Learning Using Uncertainty to Weigh Losses, equations 7 and 10",
    needs: Needs::Losses,
    make: |args, setting| Ok(Box::new(Uncertainty::new(args, setting)?)),
};

struct Uncertainty {
    /// c_k
    scales: Vec<f64>,
    /// s_k
    variances: Numbers,
    follows: bool,
}

impl Uncertainty {
    fn new(args: &Args, setting: &Setting) -> Result<Uncertainty> {
        let scale = |kind| match kind {
            TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals => 0.5,
            TaskKind::Binary | TaskKind::Classes(_) | TaskKind::Multilabel(_) | TaskKind::Segmentation(_) => 1.0,
        };
        let own = args.opt_call("optimizer");
        Ok(Uncertainty {
            scales: setting.tasks.iter().map(|t| scale(t.kind)).collect(),
            variances: Numbers::new(own.unwrap_or(setting.optimizer), 0.0, setting.tasks.len())?,
            follows: own.is_none(),
        })
    }
}

impl Rule for Uncertainty {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        let s = self.variances.values()?;
        let factors: Vec<f64> = self.scales.iter().zip(&s).map(|(c, s)| c * (-s).exp()).collect();
        // d L / d s = 1/2 - c exp(-s) L
        let mut gradients = Vec::with_capacity(s.len());
        for ((factor, loss), present) in factors.iter().zip(seen.losses).zip(seen.present) {
            gradients.push(present.then_some(0.5 - factor * loss));
        }
        self.variances.step(&gradients, if self.follows { seen.schedule } else { 1.0 })?;
        Ok(Factors::alike(factors))
    }

    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        self.variances.save()
    }

    fn load(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        self.variances.load(saved)
    }
}
