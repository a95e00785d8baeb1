//! Modules: what stands around `do_init_module` and `delete_module`, which are the tree's. Raddle looks a module up, counts the
//! references on it, and runs its init and exit, which are the scenario's.

use raddle_checker::machine::cpu::{Held, Step};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::{Action, Op};
use raddle_checker::machine::value::{Datum, Object, Obs};
use raddle_probing::ids::Module;
use raddle_probing::module::{self, COMING, GOING, LIVE, LIVE_HELD, UNLOADED};
use raddle_probing::objects::{Core, MODULE};

use super::Interp;
use crate::ast::Name;
use crate::map::{CODE, callback};
use crate::value::{INT, Path, ULONG, Value, ZERO};

/// The states, by the kernel's names for them. A module that is not loaded is not formed either.
const STATES: &[(&str, &[u8])] = &[
    ("MODULE_STATE_LIVE", &[LIVE_HELD, LIVE]),
    ("MODULE_STATE_COMING", &[COMING]),
    ("MODULE_STATE_GOING", &[GOING]),
    ("MODULE_STATE_UNFORMED", &[UNLOADED]),
];

/// `-ENODEV`, which an init that fails returns, and `-EWOULDBLOCK`.
const FAILED: i64 = -19;
const WOULD_BLOCK: i64 = -11;

impl Interp<'_> {
    /// `do_init_module`, for a module whose state has become COMING.
    pub fn do_init_module(&mut self, module: Module) -> Step<()> {
        let fresh = module::allocated(self.cpu, module);
        if !fresh.is_empty() {
            self.step(fresh)?;
        }
        self.enter("do_init_module", vec![Value::Pointer(module.object(), "")])?;
        self.flush()
    }

    /// The system call.
    pub fn delete_module(&mut self, module: Module) -> Step<()> {
        self.module = Some(module);
        self.enter("delete_module", vec![Value::Pointer(module.object(), "name"), Value::Int(0, INT)])?;
        self.flush()
    }

    /// What is done by hand; `None` if it is something else.
    pub(super) fn modules(&mut self, name: Name, args: &[Value]) -> Step<Option<Value>> {
        let named = match args.first() {
            Some(Value::Pointer(at, "")) if at.sort == MODULE => Some(Module(at.index)),
            _ => None,
        };
        Ok(Some(match (name, named) {
            // Under module_mutex, which is not taken: what it finds it finds at once.
            ("find_module", _) => match self.module {
                Some(module) => Value::Pointer(module.object(), ""),
                None => return self.stuck("which module is looked up"),
            },
            ("try_stop_module", Some(module)) => {
                let stop = Action::Swap(self.state(module), LIVE.to_obs(), GOING.to_obs());
                let stopped = Held::from_obs(self.step(stop)?).is_some();
                Value::Int(if stopped { 0 } else { WOULD_BLOCK }, INT)
            }
            ("module_put", Some(module)) => {
                // After an init that has failed nobody looks at the count.
                if !self.init_failed {
                    let live = self.cpu.storing(module.state(), LIVE);
                    let op = module::load_returns(self.cpu, module, live.into());
                    self.step(op)?;
                }
                ZERO
            }
            ("do_one_initcall", _) => match args {
                [Value::Function(init)] => self.invoke(init, vec![])?,
                _ => return self.stuck(format!("the initcall {args:?}")),
            },
            ("free_mod_mem", Some(module)) => self.free_module(module)?,
            // Before v4.0 the first argument is the module.
            ("module_free" | "module_memfree", _) => match args.last() {
                Some(Value::Pointer(at, CODE)) if at.sort == MODULE => self.free_module(Module(at.index))?,
                Some(Value::Int(0, _)) => ZERO,
                other => return self.stuck(format!("{name} of {other:?}")),
            },
            _ => match callback(name) {
                Some(("init", module)) => {
                    self.flush()?;
                    self.init_failed = module::init(self.cpu, module)?.is_err();
                    Value::Int(if self.init_failed { FAILED } else { 0 }, INT)
                }
                Some(("exit", module)) => {
                    self.flush()?;
                    module::exit(self.cpu, module)?;
                    ZERO
                }
                _ => return Ok(None),
            },
        }))
    }

    fn free_module(&mut self, module: Module) -> Step<Value> {
        self.step(module::freed(self.cpu, module))?;
        Ok(ZERO)
    }

    fn state(&self, module: Module) -> CellId {
        self.cpu.cell(module.state())
    }

    /// The number of a state in the tree.
    fn number(&self, name: Name) -> Step<i64> {
        match self.c.constant(name) {
            Some(number) => Ok(number as i64),
            None => self.stuck(format!("the constant {name}")),
        }
    }

    /// Reads a module's state.
    pub(super) fn load_state(&mut self, at: Object) -> Step<Value> {
        let Obs::Int(state) = self.step(Action::Load(self.state(Module(at.index))))? else {
            unreachable!("internal: a state is a number")
        };
        let named = STATES.iter().find(|(_, states)| states.contains(&state));
        let (name, _) = named.expect("internal: each state has a name");
        Ok(Value::Int(self.number(name)?, INT))
    }

    /// Writes it. From the end of init on its loader holds a reference, until it puts that.
    pub(super) fn store_state(&mut self, at: Object, value: Value) -> Step<()> {
        let module = Module(at.index);
        for (name, states) in STATES {
            if value.cast(INT) != Value::Int(self.number(name)?, INT) {
                continue;
            }
            // It is being freed; nobody tells that from GOING.
            if states[0] != UNLOADED {
                let release = Action::Release(self.state(module));
                self.step(vec![self.cpu.storing(module.state(), states[0]), release])?;
            }
            return Ok(());
        }
        self.stuck(format!("the state {value:?}"))
    }

    /// `current->flags`, of which only one is there: that the task has used async.
    pub(super) fn load_flags(&mut self) -> Step<Value> {
        let used = self.cpu.watched().used_async
            && self.step(Action::TestOwn(self.cpu.cell(Core.used_async())))? == Obs::Bool(true);
        Ok(Value::Int(if used { self.number("PF_USED_ASYNC")? } else { 0 }, ULONG))
    }

    /// Writes them.
    pub(super) fn store_flags(&mut self, value: Value) -> Step<()> {
        let Value::Int(flags, _) = value else { return self.stuck("flags that are no number") };
        if self.cpu.watched().used_async {
            let used = flags & self.number("PF_USED_ASYNC")? != 0;
            self.step(Op::from(Action::SetOwn(self.cpu.cell(Core.used_async()), used)))?;
        }
        Ok(())
    }
}

/// The path of a module's state.
pub(super) const STATE: Path = "state";
