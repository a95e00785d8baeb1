//! Scenarios on a kernel's own C.

use crate::check::{Options, fill_native};
use crate::engine::explore_on_tree;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_checker::search::peers::Alone;
use raddle_checker::search::reference::Progress;
use raddle_kernel_c::map::STUCK_ID;
use raddle_kernel_c::subject::{KernelC, Stuck};
use raddle_probing::program::Probing;
use raddle_probing::scenario::InputError;

/// What came of a scenario on a tree.
#[derive(Clone, Debug)]
pub struct OnTree {
    /// The report, without what is no hazard.
    pub report: Report,
    /// Where a task could not go on, if one could not: then not all was explored.
    pub stuck: Option<Stuck>,
}

impl OnTree {
    /// Whether a limit has stopped the search.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.report.cut && self.stuck.is_none()
    }
}

impl Scenario {
    /// Why the scenario is not run on trees, if it is not.
    #[must_use]
    pub fn not_on_trees(&self) -> Option<String> {
        let file = self.file();
        if let Some((rule, _)) = file.rules.first() {
            return Some(format!("it changes the rule {rule} of the hand model, which a tree does not have"));
        }
        let power = file.world.has_runtime_pm();
        power.then(|| "it uses runtime power management, and on a tree that is not run".to_owned())
    }

    /// Checks the scenario on a kernel's own C. `arguments`: those that name the tree on the command line. Its rules, which are the hand model's, have no meaning there.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on this tree.
    pub fn check_on_tree(
        &self,
        kernel: &KernelC,
        arguments: &[String],
        options: &Options,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<OnTree, InputError> {
        self.told_on_tree(kernel, arguments, options, &mut progress)
    }

    /// No type of its own for whoever is told: the searches are compiled once.
    fn told_on_tree(
        &self,
        kernel: &KernelC,
        arguments: &[String],
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<OnTree, InputError> {
        if let Some(why) = self.not_on_trees() {
            return Err(InputError::of_file(&self.file().path, why));
        }
        let copy = &kernel.copy();
        let program = Probing::new(self.file().world.clone(), copy);
        let name = format!("Linux {}", kernel.tree().version());
        let mut alone = Alone::default();
        let mut report =
            self.check_subject(&program, &name, options, &mut alone, &mut *progress, |report, memory| {
                fill_native(
                    report,
                    self,
                    (&program, memory),
                    options,
                    explore_on_tree(self, arguments, options),
                );
            })?;
        if report.unshown.iter().any(|id| id == STUCK_ID) && options.limits.no_runs {
            // Only a run says where.
            let mut options = options.clone();
            options.limits.no_runs = false;
            return self.told_on_tree(kernel, arguments, &options, progress);
        }
        report.options = arguments.to_vec();
        // What a scenario expects, it expects of a revision.
        report.expected = None;
        kernel.take_in(copy);
        let assumptions = copy.assumptions().len();
        report.guarantee.push_str(&format!(
            ", the kernel's C with {assumptions} assumptions about the rest (--assumptions)"
        ));
        let at = report.violations.iter().position(|violation| violation.id == STUCK_ID);
        let stuck = at.map(|at| {
            let stuck = report.violations.remove(at);
            report.cut = true;
            report.verdict = Verdict::of(!report.violations.is_empty(), false);
            let place = stuck.story.steps.last().map(|step| step.at.clone());
            place.and_then(|place| copy.stuck_at(&place.file, place.line))
        });
        Ok(OnTree { report, stuck: stuck.flatten() })
    }
}
