//! What stands for the devm- functions of drivers: they allocate a devres and add it, or release it early, by the tree's
//! own functions.

use raddle_checker::machine::cpu::{Held, Step};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::at::At;
use raddle_probing::calls::undo;
use raddle_probing::ids::{Device, Devres};
use raddle_probing::objects::{DEVICE, DEVRES, acquired};

use super::Interp;
use crate::devres::releases;
use crate::value::{INT, ULONG, Value, ZERO};

/// How long what drivers keep in a devres is.
const SIZE: Value = Value::Int(8, ULONG);

impl Interp<'_> {
    /// A device's probe has acquired something.
    pub fn devres_add(&mut self, dev: Device, devres: Devres) -> Step<()> {
        let note = self.cpu.world().acquisitions().position(|one| one == (dev, devres));
        let note = note.and_then(|at| u8::try_from(at).ok()).map(|index| Object { sort: DEVRES, index });
        self.acquired = note;
        // A macro from v5.15 on.
        let (name, more) = match self.has("devres_alloc") {
            true => ("devres_alloc", &[][..]),
            false => ("__devres_alloc_node", &[Value::Int(-1, INT), Value::Opaque("the driver's name")][..]),
        };
        let args = [&[Value::Function(releases(devres)), SIZE, ZERO], more].concat();
        let new = self.value_of(name, args)?;
        self.value_of("devres_add", vec![Value::Pointer(dev.object(), ""), new])?;
        self.flush()
    }

    /// A driver releases what it has acquired.
    pub fn devres_release(&mut self, dev: Device, devres: Devres, at: &At) -> Step<()> {
        self.releasing = Some(at.clone());
        let release = Value::Function(releases(devres));
        self.value_of("devres_release", vec![Value::Pointer(dev.object(), ""), release, ZERO, ZERO])?;
        self.flush()
    }

    /// Memory for a devres: that of what is being acquired.
    pub(super) fn allocate_devres(&mut self) -> Step<Value> {
        let Some(new) = self.acquired else {
            return self.stuck("a devres of something that no call acquires");
        };
        // There is memory for one of each.
        let swap = Action::Swap(self.kept(new), Obs::Bool(false), Obs::Bool(true));
        if Held::from_obs(self.step(swap)?).is_none() {
            return self.stuck("a devres of what is acquired a second time before it is released");
        }
        self.step(Action::Alloc(new))?;
        Ok(Value::Pointer(new, ""))
    }

    /// A devres is freed.
    pub(super) fn free_devres(&mut self, at: Object) -> Step<()> {
        let free = Action::Store(self.kept(at), Obs::Bool(false));
        self.step(vec![Action::Free(at), free]).map(drop)
    }

    /// Whether there is a devres.
    fn kept(&self, at: Object) -> CellId {
        let mut all = self.cpu.world().acquisitions();
        let (dev, devres) = all.nth(usize::from(at.index)).expect("internal: a devres is of an acquisition");
        self.cpu.cell(acquired(dev, devres))
    }

    /// The driver's function that undoes what it has acquired. What it finds in memory others do not know of.
    pub(super) fn release(&mut self, devres: Devres, args: &[Value]) -> Step<Value> {
        let Some(Value::Pointer(dev, "")) =
            args.first().filter(|dev| matches!(dev, Value::Pointer(at, _) if at.sort == DEVICE))
        else {
            return self.stuck("a release function without its device");
        };
        self.flush()?;
        let bound = || At::bound(Device(dev.index), self.cpu.world().devres[devres.index()].drv);
        let mut at = self.releasing.clone().unwrap_or_else(bound);
        undo(self.cpu, devres, &mut at)?;
        Ok(ZERO)
    }
}
