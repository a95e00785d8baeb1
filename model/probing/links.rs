//! Device links between consumers and suppliers: what is kept of each link and of each device.

use super::coded::states;
use raddle_checker::machine::value::{Datum, Obs};
use raddle_checker::observe_datum;

states! {
    /// `enum device_link_state`.
    Status {
        /// There is no link yet.
        None = 0 "none",
        /// The supplier is not bound.
        Dormant = 1 "DORMANT",
        /// The supplier is bound, the consumer is not.
        Available = 2 "AVAILABLE",
        /// The consumer probes.
        ConsumerProbe = 3 "CONSUMER_PROBE",
        /// Both are bound.
        Active = 4 "ACTIVE",
        /// The supplier is being unbound.
        SupplierUnbind = 5 "SUPPLIER_UNBIND",
        /// The link went with one of the two.
        Deleted = 6 "deleted",
    }
    /// `enum dl_dev_state`: what a device's links know of its driver.
    Driving {
        /// It has none.
        NoDriver = 0 "NO_DRIVER",
        /// It probes, or was to probe and was deferred.
        Probing = 1 "PROBING",
        /// It is bound.
        Bound = 2 "DRIVER_BOUND",
        /// It is being unbound.
        Unbinding = 3 "UNBINDING",
    }
}
