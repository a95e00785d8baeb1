//! What stands for [`cluster`](super::cluster) in a raddle without it: every search is made by this process alone.

use clap::Args;
use raddle::{Options, Report, Scenario};
use raddle_checker::search::reference::Progress;
use raddle_probing::scenario::InputError;
use serde_json::Value;

use super::CheckArgs;

#[derive(Args)]
pub struct ClusterArgs {}

#[derive(Default)]
pub struct Together(());

impl Together {
    pub fn begin(_args: &CheckArgs) -> Result<Self, u8> {
        Ok(Together(()))
    }

    pub fn check(
        &mut self,
        scenario: &Scenario,
        revision: &str,
        options: &Options,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, InputError> {
        scenario.check_on(revision, options, progress)
    }

    pub fn is_lost(&self) -> bool {
        false
    }

    pub fn has_lost_somebody(&self) -> bool {
        false
    }

    pub fn end(self) -> Option<Value> {
        None
    }
}

pub fn contradiction(_args: &CheckArgs) -> Option<&'static str> {
    None
}

pub fn threads(_args: &CheckArgs) -> Option<usize> {
    None
}
